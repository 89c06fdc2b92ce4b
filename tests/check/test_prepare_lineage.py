"""What is derived of a statement: nullability, kinds, and where each parameter and column goes."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from diglot.check.catalog import Catalog, Column, read_catalog
from diglot.check.describe import describe, describer
from diglot.check.lineage import derive
from diglot.check.scratch import migrate
from diglot.check.variants import Combination, combinations
from diglot.errors import SchemaMismatch
from diglot.schema.functions import functions
from diglot.sql.header import Parameter
from diglot.sql.loader import load_text
from diglot.sql.session import DIALECTS, Dialect, Statement
from diglot.statestore.database import packaged_queries
from diglot.stores import open_store
from diglot.stores.settings import SQLiteSettings
from diglot.stores.sqlite.library import library
from diglot.stores.url import parse_url
from tests.check.shop_trees import SCHEMA

Touched = dict[str, set[str]]
TEXT, INT = frozenset({"text"}), frozenset({"int"})
TABLES = {
    "a": {"id": Column("text", TEXT, False), "n": Column("int", INT, True), "t": Column("text", TEXT, True)},
    "b": {"id": Column("text", TEXT, False), "a_id": Column("text", TEXT, False), "n": Column("int", INT, False)},
}
PARAMETERS = {p.name: p for p in [Parameter("x", "text"), Parameter("y", "int", nullable=True)]}

NULLABLE = {
    "select id, n from a": [False, True],
    "select a.* from a": [False, True, True],
    "select * from a left join b on a.id = b.a_id": [False, True, True, True, True, True],
    "select * from a right join b on a.id = b.a_id": [True, True, True, False, False, False],
    "select * from a full join b on a.id = b.a_id": [True, True, True, True, True, True],
    "select b.n from a inner join b on a.id = b.a_id": [False],
    "select c.n from a left join (select a_id, n from b) as c on a.id = c.a_id": [True],
    "with c as (select a_id, n from b) select c.n from a left join c on a.id = c.a_id": [True],
    "with c (k) as (select n from b) select k from c": [False],
    "select n from a where n is not null": [False],
    "select n from a where n = :y": [False],
    "select n from a where n = 1 or t = ''": [True],
    "select n from a where (n, t) > (1, '')": [False],
    "select n, t from a where n in (1, 2) and t between 'a' and 'b'": [False, False],
    "select b.n, b.id from a left join b on a.id = b.a_id where b.n > 1": [False, False],
    "select b.n from a left join b on a.id = b.a_id where b.n is null": [True],
    "select a.n, x.n from a inner join b on a.n = b.n right join b as x on x.id = a.id": [True, False],
    "select x.n from a left join b on a.id = b.a_id inner join b as x on x.n = b.n": [False],
    "select coalesce(n, 0), coalesce(n, null), coalesce(n, :y) from a": [False, True, True],
    "select count(*), count(n), sum(n), max(n), min(n), avg(n) from b": [False, False, True, True, True, True],
    "select n, max(n), count(*) from b group by n": [False, False, False],
    "select max(n) from a group by t": [True],
    "select case when n > 1 then id end, case when n > 1 then id else '' end from a": [True, False],
    "select n + 1, id || t, lower(id), length(t) from a": [True, True, False, True],
    "select n is null, n = 1, exists (select 1 from b) from a": [False, True, False],
    "select (select n from b limit 1), (select count(*) from b) from a": [True, False],
    "select row_number() over (order by id), 1, 'x', null, :x, :y from a": [False, False, False, True, False, True],
    "select cast(n as text), cast(id as text) from a": [True, False],
    "select n from b union all select n from a": [True],
    "select unheard_of(n) from b": [None],
    "select id from unheard_of": [None],
    "with recursive r (k, d) as (select id, 0 from a union all select b.id, r.d + 1 from b join r on b.a_id = r.k) "
    "select k, d from r": [False, False],
    "with recursive r (k) as (select id from a union all select a.t from a join r on a.id = r.k) select k from r": [
        True
    ],
    "insert into a (id, n) values (:x, :y) returning id, n": [False, True],
    "update a set n = 1 where id = :x returning n, id": [False, False],
    "delete from b where id = :x returning n": [False],
}


Catalogs = dict[Dialect, Catalog]


@pytest.fixture(scope="module")
def catalogs(postgres_url_of_module: str, tmp_path_factory: pytest.TempPathFactory) -> Catalogs:
    """The tables above, with the functions of the engines."""
    folder = tmp_path_factory.mktemp("lineage")
    found: Catalogs = {}
    for url in (postgres_url_of_module, f"sqlite:///{folder / 'functions.db'}"):
        with open_store(parse_url(url)) as store:
            found[store.dialect] = Catalog(TABLES, functions(store))
    return found


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("sql", NULLABLE)
def test_nullability(sql: str, dialect: Dialect, catalogs: Catalogs) -> None:
    found = derive(sql, dialect, catalogs[dialect], PARAMETERS)
    assert found is not None
    assert [output.value.nullable for output in found.outputs] == NULLABLE[sql]


TAUGHT: dict[str, list[bool | None]] = {
    "select ID, A.T as X from A where T is not null": [False, False],
    "with C as (select id, n from b) select c.ID, C.n from c": [False, False],
    "select x.id, y.n from a left join (b as x inner join b as y on y.id = x.id) on x.a_id = a.id": [True, True],
    "select b.n from (a inner join b on b.a_id = a.id)": [False],
    "select * from a left join b using (id)": [False, True, True, True, True],
    "select * from b natural join (select id from a) as c": [False, False, False],
    "select nullif(id, 'x'), nullif(n, 1) from a": [True, True],
    "select cast(sum(n) as text), coalesce(sum(n), 0) from b group by a_id": [False, False],
    "select cast(sum(n) as text), coalesce(sum(n), 0) from b": [True, False],
    "select max(n) filter (where n > 1), count(*) filter (where n > 1) from b group by a_id": [True, False],
    "select first_value(n) over (order by id), lag(n, 1, 0) over (order by id), lag(n) over (order by id) from b": [
        False,
        False,
        True,
    ],
    "select sum(n) over w, max(n) over (order by id rows between 1 following and 2 following) from b "
    "window w as (partition by a_id order by id)": [False, True],
    "select max(n) over w from b window w as (order by id rows between 2 preceding and 1 preceding)": [True],
    "select case when n is not null then n else 0 end, case when n is null then 0 else n end from a": [False, False],
    "select n is not null and n > 1, n is null or n > 1, n > 1 and n is not null from a": [False, False, True],
    "select n from a where n = 1 or n > 5": [False],
    "select n from a where not (n is null or t is null)": [False],
    "select n, t from a where (n, t) > (1, '')": [False, True],
    "select n, (select count(*) from b where b.n = a.n) from a": [True, False],
    "select n from a where lower(t) = 'x' and n + 1 > 2": [False],
    "select (select :x)": [False],
    "update a set t = 'x' returning t, n": [False, True],
    "update a set t = null where t = 'x' returning t": [True],
    "insert into a (id, n, t) values (:x, 1, 'x'), (:x, 2, null) returning n, t": [False, True],
    "insert into a (id, n) values (:x, 1) on conflict (id) do update set t = 'x' returning n, t": [True, True],
    "insert into a (id, n) values (:x, 1) on conflict (id) do update set n = excluded.n returning n": [False],
    "delete from a where t = 'x' returning t, n": [False, True],
}
TAUGHT_POSTGRES: dict[str, list[bool | None]] = {
    "select left(id, 1), md5(id), split_part(id, ',', 2), to_char(now(), 'YYYY'), to_char(now(), t) from a": [
        False,
        False,
        False,
        False,
        True,
    ],
    "select string_agg(id, ','), jsonb_agg(t), array_agg(t), count(t), stddev(n) from a group by n": [
        False,
        False,
        False,
        False,
        None,
    ],
    "select string_agg(id, ','), jsonb_agg(t) from a": [True, True],
    "select to_jsonb(id) ->> 'a', to_jsonb(id) -> 'a' from a": [True, True],
    "select n, count(*) from b group by rollup (n)": [True, False],
    "select substring(id from 2), substring(id from 'a') from a": [False, None],
    "select x from unnest(array[1]) as x": [None],
    "select x from generate_series(1, 3) as x": [False],
    "select n / 2, n % 2 from b": [False, False],
}
TAUGHT_SQLITE: dict[str, list[bool | None]] = {
    "select json_group_array(id), total(n), group_concat(id) from a": [False, False, True],
    "select id, max(n) from b": [True, True],
    "select n / 2, n / 0, n % n from b": [False, None, None],
    "select date('now'), date(id), strftime('%Y', 'now'), unixepoch() from a": [False, None, False, False],
    "select ifnull(n, 0), iif(n > 1, 1, 2), max(n, 1), typeof(n) from a": [False, False, True, False],
    "select rowid, key, value from a, json_each('[]')": [False, True, True],
}
TAUGHT_CASES = [
    *((dialect, sql, TAUGHT[sql]) for sql in TAUGHT for dialect in DIALECTS),
    *(("postgres", sql, nullable) for sql, nullable in TAUGHT_POSTGRES.items()),
    *(("sqlite", sql, nullable) for sql, nullable in TAUGHT_SQLITE.items()),
]


@pytest.mark.parametrize(("dialect", "sql", "nullable"), TAUGHT_CASES, ids=[f"{c[0]}: {c[1]}" for c in TAUGHT_CASES])
def test_what_the_language_says_of_nulls(
    dialect: Dialect, sql: str, nullable: list[bool | None], catalogs: Catalogs
) -> None:
    found = derive(sql, dialect, catalogs[dialect], PARAMETERS)
    assert found is not None
    assert [output.value.nullable for output in found.outputs] == nullable
    assert all(output.value.why for output in found.outputs if output.value.nullable is None)


def test_what_is_not_sql_is_not_derived() -> None:
    assert derive("select from where", "postgres", Catalog(TABLES), {}) is None
    assert derive("vacuum", "sqlite", Catalog(TABLES), {}) is None


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_nested_too_deeply_is_not_derived(dialect: Dialect, catalogs: Catalogs) -> None:
    deep = "select " + "lower(" * 900 + "id" + ")" * 900 + " as x from a"
    assert derive(deep, dialect, catalogs[dialect], PARAMETERS) is None
    assert derive(deep.replace("lower(" * 895, "").replace(")" * 895, ""), dialect, catalogs[dialect], PARAMETERS)


USES = {
    "select 1 from a where n = :y and t like :x": [("y", INT, "n", None)],
    "select 1 from a where (id, n) > (:x, :y)": [("x", TEXT, "id", None), ("y", INT, "n", None)],
    "select 1 from a where n between :y and 3": [("y", INT, "n", None)],
    "insert into b (id, n) values (:x, :y)": [("x", TEXT, "b.id", False), ("y", INT, "b.n", False)],
    "insert into b (id, n) select :x, :y": [("x", TEXT, "b.id", False), ("y", INT, "b.n", False)],
    "update a set n = :y where id = :x": [("x", TEXT, "id", None), ("y", INT, "a.n", True)],
    "select 1 from a limit :y": [("y", INT, "limit", None)],
}


@pytest.mark.parametrize("sql", USES)
def test_where_parameters_go(sql: str) -> None:
    found = derive(sql, "sqlite", Catalog(TABLES), PARAMETERS)
    assert found is not None
    assert [(use.parameter, use.kinds, use.column, use.nullable) for use in found.uses] == USES[sql]


# --- the engines' own word ---


def test_what_is_read_and_written_is_what_sqlite_says_it_is(tmp_path: Path) -> None:
    """The authorizer tells every column that a statement touches while it is prepared."""
    migrations = Path(str(resources.files("diglot.statestore.migrations").joinpath("__init__.py"))).parent
    queries = list(packaged_queries("sqlite"))
    with open_store(SQLiteSettings(path=str(tmp_path / "own.db"))) as store:
        migrate(store, migrations)
        tables = set(read_catalog(store).tables)
        with store.migration_connection(5) as connection:
            told = [authorized(connection, list(combinations(q.source, "sqlite"))[-1], tables) for q in queries]
        with describer(store) as described:
            found = [described.describe(query) for query in queries]
    for query, (read, written), description in zip(queries, told, found, strict=True):
        # Where a row is written, SQLite reads more than the statement names: keys, and what is excluded.
        if not query.source.text.startswith("insert"):
            assert {t: set(columns) for t, columns in description.reads.items() if columns} == read, query
        assert set(description.writes) == set(written), query
        assert all(columns <= set(description.writes[table]) for table, columns in written.items()), query


def authorized(connection: Any, whole: Combination, tables: set[str]) -> tuple[Touched, Touched]:
    """What SQLite reads and what it writes, as it tells its authorizer."""
    sqlite = library()
    read: Touched = {}
    written: Touched = {}

    def authorize(action: int, table: str, column: str, *_: object) -> int:
        if table in tables and action == sqlite.SQLITE_READ:
            if column not in ("", "ROWID"):
                read.setdefault(table, set()).add(column)
        elif table in tables and action in (sqlite.SQLITE_UPDATE, sqlite.SQLITE_INSERT, sqlite.SQLITE_DELETE):
            written.setdefault(table, set()).update([column] if column else [])
        return int(sqlite.SQLITE_OK)

    connection.set_authorizer(authorize)
    connection.execute(f"explain {whole.text}", [None] * len(whole.variant.order)).close()
    connection.set_authorizer(None)
    return read, written


QUERY = """-- name: add(id, email, now)^
-- param: id text
-- param: email text
-- param: now timestamp
-- returns: text
-- One.
insert into customers (id, email, active, created_at) values (:id, :email, {true}, :now) returning name;
"""


def test_a_query_is_described_on_both(postgres_url: str, tmp_path: Path) -> None:
    for url in (postgres_url, f"sqlite:///{tmp_path / 'shop.db'}"):
        with open_store(parse_url(url)) as store:
            is_postgres = store.dialect == "postgres"
            store.script(Statement("shop.schema", SCHEMA[store.dialect], writes=True))
            query = next(iter(load_text(QUERY.format(true="true" if is_postgres else "1"), store.dialect)))
            found = describe(query, store)
            assert [(p.name, p.type, p.database_type) for p in found.parameters] == [
                ("id", "text", "text" if is_postgres else None),
                ("email", "text", "text" if is_postgres else None),
                ("now", "timestamp", "timestamp with time zone" if is_postgres else None),
            ]
            assert [(c.name, (c.type or "").lower(), c.nullable) for c in found.columns] == [("name", "text", True)]
            assert found.reads == {"customers": ["name"]}
            assert found.writes == {"customers": ["id", "email", "active", "created_at"]}
            wrong = next(iter(load_text("-- name: q()$\n-- returns: int\nselect nothing;", store.dialect)))
            with pytest.raises(SchemaMismatch, match=r"nothing.*\[text\.q\]"):
                describe(wrong, store)


TABLE = """
create table t (
    rowid_key integer primary key, flag integer check (flag in (0, 1)), plain integer, really real, raw blob,
    words varchar(9), doc text check (json_valid(doc)),
    at text check (date(substr(at, 1, 19)) is not null), other text, loose numeric,
    stamp timestamp, is_it boolean, body json
);
create table keyed (k text primary key, v text);
create table strictly (k text primary key) strict;
create view seen as select k from keyed;
create table others (
    kind text,
    id text check (id glob '????????-????-????-????-????????????'),
    body text check (kind <> 'json' or json_valid(body)),
    note text, -- json_valid(note)
    any text check (any glob '?*'),
    "Day" text constraint ck_day check ("Day" glob '????-??-??'),
    at text check (at is null or at glob '????-??-?? ??:??:??'),
    "quoted doc" text,
    check (json_valid("quoted doc") and json_type("quoted doc") = 'object')
);
"""
TIMES = {"text", "timestamp", "json"}
KINDS: dict[str, set[str] | None] = {
    "rowid_key": {"int", "bool"},
    "flag": {"bool", "int"},
    "plain": {"int", "bool"},
    "really": {"float"},
    "raw": {"bytes"},
    "words": TIMES,
    "doc": {"json"},
    "at": {"timestamp"},
    "other": TIMES,
    "loose": None,
    "stamp": {"timestamp"},
    "is_it": {"bool"},
    "body": {"json"},
}


def test_sqlite_s_columns_are_what_their_checks_say(tmp_path: Path) -> None:
    with open_store(SQLiteSettings(path=str(tmp_path / "t.db"))) as store:
        store.script(Statement("t", TABLE, writes=True))
        catalog = read_catalog(store).tables
        assert {name: column.kinds and set(column.kinds) for name, column in catalog["t"].items()} == KINDS
        assert catalog["t"]["rowid_key"].nullable is False
        assert catalog["keyed"]["k"].nullable is True, "SQLite lets a primary key be null"
        assert catalog["strictly"]["k"].nullable is False
        assert catalog["seen"]["k"].nullable is None
        assert {name: column.kinds for name, column in catalog["others"].items()} == {
            **dict.fromkeys(("kind", "id", "body", "note", "any"), TIMES),
            "Day": {"timestamp"},
            "at": {"timestamp"},
            "quoted doc": {"json"},
        }
        uuid, boolean = (Column(name, frozenset({name}), True) for name in ("uuid", "bool"))
        facing = Catalog({"t": {"other": uuid, "plain": boolean}})
        helped = read_catalog(store, facing).tables["t"]
        assert helped["other"].kinds == {"text", "uuid"}
        assert helped["plain"].kinds == {"bool"}
