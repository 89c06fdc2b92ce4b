"""Every single change is found and named, alone; what is only spelled otherwise is not reported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from diglot.drift import KINDS, compare
from diglot.schema.model import Schema
from diglot.sql.session import DIALECTS, Dialect
from diglot.stores import open_store
from diglot.stores.store import Store
from diglot.stores.url import parse_url
from tests.databases import POSTGRES as POSTGRES_SERVERS
from tests.databases import Databases
from tests.drift.mutations import CHANGES, OWN_CHANGES, RESPELLINGS, Change, Respelling
from tests.drift.shop import POSTGRES, SQLITE, changed, read_postgres_text, read_sqlite_text

TEXTS: dict[Dialect, str] = {"postgres": POSTGRES, "sqlite": SQLITE}


class Shop:
    """The two schemas as they are, and a way to read one with a change."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.schemas = {dialect: self.read(dialect, "", "") for dialect in DIALECTS}

    def read(self, dialect: Dialect, old: str, new: str) -> Schema:
        text = changed(TEXTS[dialect], old, new)
        return read_sqlite_text(text) if dialect == "sqlite" else read_postgres_text(self._store, text)

    def other(self, dialect: Dialect) -> Schema:
        return self.schemas["sqlite" if dialect == "postgres" else "postgres"]


@pytest.fixture(scope="module")
def shop(databases: Databases) -> Iterator[Shop]:
    """On the newest PostgreSQL; test_versions.py has the others."""
    server = databases.postgres(POSTGRES_SERVERS[-1])
    name = server.create(migrated=False)
    with open_store(parse_url(server.url(name))) as store:
        yield Shop(store)
    server.drop(name)


def test_the_unchanged_schemas_are_the_same(shop: Shop) -> None:
    assert compare(shop.schemas["postgres"], shop.schemas["sqlite"]) == []
    for dialect in DIALECTS:
        assert compare(shop.schemas[dialect], shop.schemas[dialect], names=True) == []


def test_the_lists_are_long_enough() -> None:
    assert len(CHANGES) >= 60
    assert len(RESPELLINGS) >= 40
    found = Counter((change.kind, change.dialect) for change in (*CHANGES, *OWN_CHANGES))
    assert {kind for kind, _ in found} == set(KINDS)
    for kind in KINDS:
        assert found[kind, "postgres"], kind
        assert found[kind, "sqlite"] or kind in ("policy", "grant", "comment"), kind


@pytest.mark.postgres
@pytest.mark.parametrize("change", CHANGES, ids=[change.id for change in CHANGES])
def test_a_change_is_found_and_named(shop: Shop, change: Change) -> None:
    schema = shop.read(change.dialect, change.old, change.new)
    for sides in ((schema, shop.other(change.dialect)), (shop.other(change.dialect), schema)):
        found = compare(*sides)
        assert [(each.kind, each.table, each.name) for each in found] == [(change.kind, change.table, change.name)]
        assert found[0].left != found[0].right
    among_its_own = compare(shop.schemas[change.dialect], schema)
    assert {each.table for each in among_its_own} == {change.table}


@pytest.mark.postgres
@pytest.mark.parametrize("change", OWN_CHANGES, ids=[change.id for change in OWN_CHANGES])
def test_a_change_is_found_between_databases_of_one_engine(shop: Shop, change: Change) -> None:
    schema = shop.read(change.dialect, change.old, change.new)
    for sides in ((schema, shop.schemas[change.dialect]), (shop.schemas[change.dialect], schema)):
        (found,) = compare(*sides)
        assert (found.kind, found.table, found.name) == (change.kind, change.table, change.name)
        assert found.left != found.right
    assert compare(schema, shop.other(change.dialect)) == []


@pytest.mark.postgres
@pytest.mark.parametrize("respelling", RESPELLINGS, ids=[f"{each.dialect} {each.id}" for each in RESPELLINGS])
def test_another_spelling_is_no_difference(shop: Shop, respelling: Respelling) -> None:
    schema = shop.read(respelling.dialect, respelling.old, respelling.new)
    assert compare(schema, shop.other(respelling.dialect)) == []
    assert compare(shop.other(respelling.dialect), schema) == []
    if respelling.between == "any two":
        assert compare(shop.schemas[respelling.dialect], schema) == []
