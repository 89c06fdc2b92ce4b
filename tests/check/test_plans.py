"""Plans: what no index serves is found on both engines, on empty tables, and what one serves is not reported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from diglot.check.plans import allowed_kinds, check_plans, explain
from diglot.project import Project
from diglot.sql.adapters import ADAPTERS
from diglot.sql.header import read_queries
from diglot.sql.query import Query
from diglot.sql.session import Statement
from diglot.stores import open_store
from diglot.stores.store import Store
from diglot.stores.url import parse_url

SCHEMA = """
create table parents (
    id bigint primary key, name text not null, kind text not null, created_at bigint not null, note text
);
create index ix_parents_name on parents (name);
create index ix_parents_kind_created_at on parents (kind, created_at);
create index ix_parents_open on parents (created_at) where note is null;
create table children (
    id bigint primary key, parent_id bigint references parents (id) on delete cascade, label text
);
create index ix_children_parent_id on children (parent_id) where parent_id is not null;
create table grandchildren (id bigint primary key, child_id bigint not null references children (id));
create table pairs (a bigint, b bigint, primary key (a, b));
create table pair_notes (id bigint primary key, a bigint, b bigint, foreign key (a, b) references pairs (a, b));
create index ix_pair_notes_b_a on pair_notes (b, a);
create table leaves (id bigint primary key, price bigint not null);
"""
SERVED = [
    ("equality", "select id from parents where name = :a"),
    ("primary key", "select name from parents where id = :a"),
    ("count of an index's part", "select count(*) from parents where kind = :a"),
    ("order of an index", "select id from parents where kind = :a order by created_at limit :n"),
    ("backwards", "select id from parents where kind = :a order by created_at desc limit :n"),
    ("sort without a limit", "select id from parents where kind = :a order by name"),
    ("the first rows of an order", "select id from parents order by name limit :n"),
    ("a condition that is always true", "select id from parents where 1 = 1 order by name limit :n"),
    ("any row", "select id from leaves limit 1"),
    ("whether there is any", "select exists (select 1 from leaves) as found"),
    ("partial index", "select id from parents where note is null and created_at > :a"),
    ("join by indexes", "select c.label from children c join parents p on p.id = c.parent_id where p.name = :a"),
    ("either of two indexes", "select id from parents where name = :a or kind = :b"),
    ("keyset", "select id from parents where kind = :a and created_at > :b order by created_at limit :n"),
    ("largest", "select max(name) as last from parents"),
    ("insert", "insert into leaves (id, price) values (:a, :b)"),
    (
        "upsert",
        "insert into leaves (id, price) values (:a, :b) on conflict (id) do update set price = excluded.price",
    ),
    ("update by key", "update parents set note = :a where id = :b"),
    ("delete nobody refers to", "delete from leaves where id = :a"),
    ("delete whose reference has its index, turned round", "delete from pairs where a = :a and b = :b"),
    (
        "recursion by an index",
        "with recursive below as (select id from children where id = :a union all "
        "select c.id from below inner join children as c on c.parent_id = below.id) select id from below",
    ),
    (
        "window over an index's part",
        "select id from (select id, row_number() over (partition by kind order by created_at) as n from parents "
        "where kind = :a) as ranked where n = 1",
    ),
]
NOT_SERVED = [
    ("missing index", "select id from parents where note = :a", {("scan", "parents")}),
    ("whole table", "select id, name from parents", {("scan", "parents")}),
    ("whole table by an index that has all of it", "select name from parents order by name", {("scan", "parents")}),
    ("count of all", "select count(*) from leaves", {("scan", "leaves")}),
    ("second column of an index", "select id from parents where created_at = :a", {("scan", "parents")}),
    ("expression", "select id from parents where lower(name) = :a", {("scan", "parents")}),
    ("filter along an order", "select id from parents where note = :a order by name limit :n", {("scan", "parents")}),
    ("join", "select g.id from parents p join grandchildren g on g.child_id = p.created_at where p.name = :a",
     {("scan", "grandchildren")}),
    ("second part of a union", "select id from parents where name = :a union select id from leaves where price = :b",
     {("scan", "leaves")}),
    ("exists with a filter", "select exists (select 1 from leaves where price = :a) as found", {("scan", "leaves")}),
    ("update", "update leaves set price = :a where price = :b", {("scan", "leaves")}),
    ("update of all", "update leaves set price = :a", {("scan", "leaves")}),
    ("sort with a limit", "select id from parents where kind = :a order by name, id limit :n", {("sort", "parents")}),
    ("sort of the last column", "select id from parents where kind = :a order by created_at, name limit :n",
     {("sort", "parents")}),
    ("sort inside", "select x.id from (select id, name from parents where kind = :a order by name limit 5) as x "
     "where x.id > :b", {("sort", "parents")}),
    ("foreign key", "delete from children where id = :a", {("foreign key", "grandchildren")}),
    ("foreign key behind a cascade", "delete from parents where id = :a", {("foreign key", "grandchildren")}),
    ("delete by a scan", "delete from leaves where price < :a", {("scan", "leaves")}),
]  # fmt: skip
CASES = [(name, sql, set()) for name, sql in SERVED] + NOT_SERVED


@pytest.fixture(scope="module")
def postgres(postgres_url_of_module: str) -> Iterator[Store]:
    with open_store(parse_url(postgres_url_of_module)) as store:
        store.script(Statement("test.schema", SCHEMA))
        yield store


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with open_store(parse_url(f"sqlite:///{tmp_path_factory.mktemp('plans')}/plans.db")) as store:
        store.script(Statement("test.schema", SCHEMA))
        yield store


def query(sql: str, store: Store, *, name: str = "q", header: str = "") -> Query:
    parameters = [name for name in ("a", "b", "n") if f":{name}" in sql]
    lines = "".join(f"-- param: {each} text\n" for each in parameters)
    text = f"-- name: {name}({', '.join(parameters)})!\n{lines}{header}-- Doc.\n{sql};\n"
    return Query(read_queries(text, "test", "test.sql", store.dialect)[0], ADAPTERS[store.dialect]())


def problems(sql: str, store: Store) -> set[tuple[str, str]]:
    (variant,) = explain(query(sql, store), store).variants
    assert variant.error is None, variant.error
    return {(problem.kind, problem.table) for problem in variant.problems}


@pytest.mark.parametrize(("sql", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_postgres(sql: str, expected: set[Any], postgres: Store) -> None:
    assert problems(sql, postgres) == expected


@pytest.mark.parametrize(("sql", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_sqlite(sql: str, expected: set[Any], sqlite: Store) -> None:
    assert problems(sql, sqlite) == expected


def test_the_plan_and_its_indexes_are_told(postgres: Store, sqlite: Store) -> None:
    for store in (postgres, sqlite):
        found = explain(query("select id from parents where name = :a", store), store)
        assert found.indexes == ["ix_parents_name"]
        assert "ix_parents_name" in found.variants[0].text
    upsert = "insert into leaves (id, price) values (:a, :b) on conflict (id) do nothing"
    assert explain(query(upsert, postgres), postgres).indexes == ["leaves_pkey"]


def test_statements_of_a_script_are_planned_one_by_one(postgres: Store, sqlite: Store) -> None:
    text = "-- name: q#\n-- Doc.\ncreate table x (id int);\nupdate leaves set price = 1;\n"
    text += "delete from leaves where price = 2;\n"
    for store in (postgres, sqlite):
        script = Query(read_queries(text, "test", "test.sql", store.dialect)[0], ADAPTERS[store.dialect]())
        variants = explain(script, store).variants
        assert [[problem.kind for problem in variant.problems] for variant in variants] == [["scan"], ["scan"]]


# --- findings ----------------------------------------------------------------------------------------------

TWO_BLOCKS = """\
-- name: listed(kind, note, n)
-- param: kind text?
-- param: note text?
-- param: n int
-- returns: int
-- Doc.
select id
from parents
where
    1 = 1
    /* if :kind */ and kind = :kind /* end */
    /* if :note */ and note = :note /* end */
order by created_at
limit :n;
"""


def found(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *stores: Store) -> list[str]:
    for dialect in ("postgres", "sqlite"):
        (tmp_path / "queries" / dialect).mkdir(parents=True)
        (tmp_path / "queries" / dialect / "shop.sql").write_text(text)
    monkeypatch.chdir(tmp_path)
    by_dialect: dict[str, Store] = {store.dialect: store for store in stores}
    project = Project(queries=tmp_path / "queries")
    findings = check_plans(project, by_dialect.get("postgres"), by_dialect.get("sqlite"))
    assert all(finding.check == "plans" for finding in findings)
    return [f"{finding.place}: {finding.name}: {finding.message}" for finding in findings]


def test_every_combination_is_planned_and_the_one_that_is_not_served_is_named(
    postgres: Store, sqlite: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = found(TWO_BLOCKS, tmp_path, monkeypatch, postgres, sqlite)
    # With a kind its index serves; without it the order by created_at has none.
    assert sorted(message.partition(" (")[0] for message in messages) == [
        "queries/postgres/shop.sql:13:1: shop.listed: PostgreSQL sorts all rows of parents before the limit",
        "queries/postgres/shop.sql:8:6: shop.listed: PostgreSQL reads the whole table parents",
        "queries/sqlite/shop.sql:13:1: shop.listed: SQLite sorts all rows of parents before the limit",
        "queries/sqlite/shop.sql:8:6: shop.listed: SQLite reads the whole table parents",
    ]
    assert all("without :kind and :note" in message for message in messages)


REASONS = [
    ("is allowed", "scan because it is small", "select id from leaves where price = 1", ""),
    ("another kind", "foreign key because it is small", "delete from leaves where price = 1",
     "reads the whole table leaves"),
    ("no longer needed", "scan because it is small", "select id from leaves where id = 1", "is no longer needed"),
    ("one of two is no longer needed", "scan and sort because it is small", "select id from leaves where price = 1",
     "has no sort here"),
    ("foreign key", "foreign key because nothing is deleted by day", "delete from children where id = 1", ""),
    ("unreadable", "we know", "select id from leaves where id = 1", "can't be read"),
    ("without a reason", "scan because", "select id from leaves where price = 1", "can't be read"),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "sql", "message"), [r[1:] for r in REASONS], ids=[r[0] for r in REASONS])
def test_a_reason(
    reason: str, sql: str, message: str, sqlite: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"-- name: q()!\n-- plan: {reason}\n-- Doc.\n{sql};\n"
    messages = found(text, tmp_path, monkeypatch, sqlite)
    assert len(messages) == (2 if reason.startswith("foreign key because it is") else 1 if message else 0)
    assert all(message in each for each in messages[:1])


def test_what_cannot_be_planned_is_a_finding_and_no_reason_is_called_stale(
    postgres: Store, sqlite: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "-- name: q()!\n-- plan: scan because it is small\n-- Doc.\nupdate leaves set color = 1;\n"
    messages = found(text, tmp_path, monkeypatch, postgres, sqlite)
    assert [message.partition("can't plan it: ")[2] for message in messages] == [
        'column "color" of relation "leaves" does not exist',
        "no such column: color",
    ]


def test_what_has_no_plan_is_left_alone(postgres: Store, sqlite: Store) -> None:
    assert explain(query("lock table leaves", postgres), postgres).variants == ()
    assert explain(query("pragma optimize", sqlite), sqlite).variants == ()


def test_several_kinds_are_allowed_by_one_reason() -> None:
    assert allowed_kinds("scan, sort and foreign key because x") == {"scan", "sort", "foreign key"}
    assert allowed_kinds(None) == frozenset()
    assert allowed_kinds("scan and tea because x") is None


def test_statistics_change_nothing(postgres_url: str) -> None:
    with open_store(parse_url(postgres_url)) as store:
        store.script(Statement("test.schema", SCHEMA))
        before = [problems(sql, store) for _, sql, _ in CASES]
        fill = "insert into leaves (id, price) select n, n % 3 from generate_series(1, 2000) as n; "
        fill += "insert into parents select n, 'n' || n, 'k', n, null from generate_series(1, 3) as n; analyze"
        store.script(Statement("test.fill", fill))
        assert [problems(sql, store) for _, sql, _ in CASES] == before
