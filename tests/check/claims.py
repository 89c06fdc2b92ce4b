"""Tries what the lineage claims about a query on a real engine, over rows with nulls and over none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from diglot.check.catalog import Catalog, read_catalog
from diglot.check.lineage import derive
from diglot.errors import DatabaseError
from diglot.sql.session import Dialect, Statement
from diglot.stores import open_store
from diglot.stores.store import Store
from diglot.stores.url import parse_url

SCHEMA = """
create table a (id text primary key not null, n {int}, t text);
create table b (id text primary key not null, a_id text not null, n {int} not null, r {float});
create table none (id text primary key not null, n {int} not null);
create view outer_view as select a.id, b.n as b_n, a.n from a left join b on b.a_id = a.id;
create view named (x, y) as select id, coalesce(n, 0) from a;
insert into a values ('1', null, 'x'), ('2', 1, null), ('3', null, null), ('4', 0, ''), ('5', 7, 'Yes,no');
insert into b values ('1', '1', 1, null), ('2', '1', 0, 1.5), ('3', '2', 3, 0), ('4', 'gone', 2, null);
"""
TYPES: dict[Dialect, dict[str, str]] = {
    "postgres": {"int": "bigint", "float": "double precision"},
    "sqlite": {"int": "integer", "float": "real"},
}
Engines = dict[Dialect, tuple[Store, Catalog]]


@pytest.fixture(scope="module")
def engines(postgres_url_of_module: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    path: Path = tmp_path_factory.mktemp("claims") / "claims.db"
    with (
        open_store(parse_url(postgres_url_of_module)) as postgres,
        open_store(parse_url(f"sqlite:///{path}")) as sqlite,
    ):
        found: Engines = {}
        for store in (postgres, sqlite):
            store.script(Statement("claims", SCHEMA.format(**TYPES[store.dialect]), writes=True))
            found[store.dialect] = store, read_catalog(store)
        yield found
        postgres.script(Statement("claims", "drop view outer_view, named; drop table a, b, none", writes=True))


def contradicted(sql: str, dialect: Dialect, engines: Engines) -> str | None:
    """What the engine says against the claims about a query; None if it refuses the query."""
    store, catalog = engines[dialect]
    try:
        rows = store.rows(Statement("claims.query", sql, writes=False))
    except DatabaseError:
        return None
    found = derive(sql, dialect, catalog, {})
    if found is None or not rows or len(found.outputs) != len(rows[0]):
        return ""
    for i, output in enumerate(found.outputs):
        values = [row[i] for row in rows]
        if output.value.nullable is False and None in values:
            return f"{dialect}: column {i} is null, but was said never to be: {sql}"
        if dialect == "sqlite" and output.value.kinds is not None and not output.value.untyped:
            wrong = [value for value in values if value is not None and not fits(value, output.value.kinds)]
            if wrong:
                return f"sqlite: column {i} is {wrong[0]!r}, but was said to be {set(output.value.kinds)}: {sql}"
    return ""


def fits(value: Any, kinds: frozenset[str]) -> bool:
    types = {"text": str, "json": str, "timestamp": str, "int": int, "bool": int, "float": float, "bytes": bytes}
    return any(isinstance(value, types[kind]) for kind in kinds)
