"""What the shop has no place for: small schemas in pairs, of one engine or of both."""

# ruff: noqa: E501  (a pair a line: the list is read as a table)

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import pytest

from diglot.drift import compare
from diglot.schema.model import Schema
from diglot.stores import open_store
from diglot.stores.store import Store
from diglot.stores.url import parse_url
from tests.databases import POSTGRES as SERVERS
from tests.databases import Databases
from tests.drift.shop import read_postgres_text, read_sqlite_text

pytestmark = pytest.mark.postgres


class Pair(NamedTuple):
    """``p:`` and ``s:`` say which engine reads the text; ``kinds`` is what is found."""

    id: str
    kinds: str
    left: str
    right: str


T = "create table t (a int primary key, b text);"
PAIRS = [
    Pair("nulls not distinct", "unique", "p:create table t (a int unique nulls not distinct)", "p:create table t (a int unique)"),
    Pair("nulls not distinct, on both engines", "unique", "p:create table t (a int unique nulls not distinct)", "s:create table t (a int unique)"),
    Pair("nulls not distinct where there is none", "", "p:create table t (a int not null unique nulls not distinct)", "s:create table t (a int not null unique)"),
    Pair("the collation of an index", "index", "s:create table t (a text); create index i on t (a collate nocase)", "s:create table t (a text); create index i on t (a)"),
    Pair("the collation of an index, on both engines", "index", "p:create table t (a text); create index i on t (a)", "s:create table t (a text); create index i on t (a collate nocase)"),
    Pair("the column's collation said again", "", "s:create table t (a text collate nocase); create index i on t (a collate nocase)", "s:create table t (a text collate nocase); create index i on t (a)"),
    Pair("C said again", "", "p:create table t (a text); create index i on t (a collate \"C\")", "s:create table t (a text); create index i on t (a)"),
    Pair("nulls first", "index", "p:create table t (a int); create index i on t (a nulls first)", "p:create table t (a int); create index i on t (a)"),
    Pair("nulls first is SQLite's way", "", "p:create table t (a int); create index i on t (a nulls first)", "s:create table t (a int); create index i on t (a)"),
    Pair("an operator class", "index", "p:create table t (a text); create index i on t (a text_pattern_ops)", "p:create table t (a text); create index i on t (a)"),
    Pair("unique on the right alone", "unique", "s:create table t (a int); create index i on t (a)", "s:create table t (a int); create unique index i on t (a)"),
    Pair("match full", "foreign-key", f"p:{T} alter table t add unique (a, b); create table u (x int, y text, constraint f foreign key (x, y) references t (a, b) match full)", f"p:{T} alter table t add unique (a, b); create table u (x int, y text, constraint f foreign key (x, y) references t (a, b))"),
    Pair("a foreign key of one column has one way to match", "", f"p:{T} create table u (x int references t match full)", f"p:{T} create table u (x int references t)"),
    Pair("a foreign key that is not valid", "foreign-key", f"p:{T} create table u (x int); alter table u add constraint f foreign key (x) references t not valid", f"p:{T} create table u (x int, constraint f foreign key (x) references t)"),
    Pair("the order in a foreign key", "", f"p:{T} alter table t add unique (a, b); create table u (x int, y text, foreign key (x, y) references t (a, b))", f"s:{T.replace('int primary', 'int not null primary')} create unique index t_b_a on t (a, b); create table u (x int, y text, foreign key (y, x) references t (b, a))"),
    Pair("which column refers to which", "foreign-key", "s:create table t (a int, b int, unique (a, b)); create table u (x int, y int, foreign key (x, y) references t (a, b))", "s:create table t (a int, b int, unique (a, b)); create table u (x int, y int, foreign key (y, x) references t (a, b))"),
    Pair("two foreign keys of one column", "", "p:create table t (a int unique); create table v (a int unique); create table u (x int, foreign key (x) references t (a) deferrable, foreign key (x) references v (a))", "s:create table t (a int unique); create table v (a int unique); create table u (x int, foreign key (x) references t (a) deferrable, foreign key (x) references v (a))"),
    Pair("a foreign key to a table in parts", "", "p:create table t (a int primary key) partition by range (a); create table t1 partition of t for values from (0) to (9); create table u (x int references t)", "s:create table t (a int not null primary key); create table u (x int references t)"),
    Pair("a deferrable primary key", "primary-key", "p:create table t (a int primary key deferrable)", "p:create table t (a int primary key)"),
    Pair("a check that is not valid", "check", "p:create table t (a int); alter table t add constraint c check (a > 0) not valid", "p:create table t (a int, constraint c check (a > 0))"),
    Pair("a precision", "type", "p:create table t (a numeric(10, 2))", "p:create table t (a numeric(10, 3))"),
    Pair("a precision on both engines", "type", "p:create table t (a numeric(10, 2))", "s:create table t (a decimal(10, 3))"),
    Pair("a length on both engines", "type", "p:create table t (a varchar(10))", "s:create table t (a varchar(20))"),
    Pair("a precision of 0 said", "", "p:create table t (a numeric(10))", "s:create table t (a decimal(10, 0))"),
    Pair("labels of an enum", "type", "p:create type m as enum ('a', 'b'); create table t (a m)", "p:create type m as enum ('a', 'c'); create table t (a m)"),
    Pair("an array", "type", "p:create table t (a int[])", "p:create table t (a int)"),
    Pair("a wider integer", "type", "p:create table t (a int)", "p:create table t (a bigint)"),
    Pair("always or by default", "identity", "p:create table t (a int generated always as identity)", "p:create table t (a int generated by default as identity)"),
    Pair("autoincrement", "identity", "s:create table t (a integer primary key)", "s:create table t (a integer primary key autoincrement)"),
    Pair("autoincrement, on both engines", "", "p:create table t (a bigserial primary key)", "s:create table t (a integer primary key)"),
    Pair("a key that may be null", "nullable", "p:create table t (a text primary key)", "s:create table t (a text primary key)"),
    Pair("a key that may not, in a strict table", "", "p:create table t (a text primary key)", "s:create table t (a text primary key) strict"),
    Pair("stored or virtual", "generated", "s:create table t (a int, b int as (a + 1) stored)", "s:create table t (a int, b int as (a + 1) virtual)"),
    Pair("stored or virtual, on both engines", "", "p:create table t (a int, b int generated always as (a + 1) stored)", "s:create table t (a int, b int as (a + 1) virtual)"),
    Pair("typeof", "", "p:create table t (a int)", "s:create table t (a int check (typeof(a) in ('integer', 'null')))"),
    Pair("the range of an integer", "", "p:create table t (a int)", "s:create table t (a int check (a between -2147483648 and 2147483647))"),
    Pair("another range", "check", "p:create table t (a bigint)", "s:create table t (a int check (a between -2147483648 and 2147483647))"),
    Pair("the shape of a uuid", "", "p:create table t (a uuid)", "s:create table t (a text check (length(a) = 36))"),
    Pair("the length of a text", "check", "p:create table t (a text)", "s:create table t (a text check (length(a) = 36))"),
    Pair("the default of a uuid in capitals", "", "p:create table t (a uuid default 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11')", "s:create table t (a text default 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11')"),
    Pair("the day as a default", "", "p:create table t (a date default current_date, b date default now())", "s:create table t (a text default (date('now')), b date default current_date)"),
    Pair("the time as a default where a day belongs", "default", "p:create table t (a date default now())", "s:create table t (a text default current_timestamp)"),
    Pair("empty JSON as a default", "", "p:create table t (a jsonb default '{}', b jsonb default jsonb_build_array(), c text[] default '{}')", "s:create table t (a json default (json('{ }')), b json default (json_array()), c json default (json('[]')))"),
    Pair("seconds as a default", "", "p:create table t (a bigint default extract(epoch from now()))", "s:create table t (a int default (unixepoch()))"),
    Pair("another text of the time, on SQLite", "default", "s:create table t (a text default current_timestamp)", "s:create table t (a text default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')))"),
    Pair("the clock and the transaction", "default", "p:create table t (a timestamptz default clock_timestamp())", "p:create table t (a timestamptz default now())"),
    Pair("what hangs on a column that is gone", "column", "s:create table t (a int, b int unique check (b > 0)); create index i on t (a, b) where b > 1", "s:create table t (a int)"),
    Pair("names in another case", "", "p:create table users (id int not null)", "s:create table Users (Id int not null)"),
    Pair("a name that PostgreSQL finds only in quotes", "table table", "p:create table \"Users\" (id int)", "s:create table users (id int)"),
    Pair("a column that PostgreSQL finds only in quotes", "column column", "p:create table users (\"Id\" int)", "s:create table users (id int)"),
    Pair("capitals on both engines", "", "p:create table \"Users\" (\"Id\" int not null unique)", "s:create table Users (Id int not null unique)"),
    Pair("names in another case, on PostgreSQL", "table table", "p:create table \"Users\" (id int)", "p:create table users (id int)"),
    Pair("names that differ by case alone", "", "p:create table \"Users\" (a int); create table users (b int)", "p:create table users (b int); create table \"Users\" (a int)"),
    Pair("a virtual table", "table", "p:create table words (body text)", "s:create virtual table words using fts5(body)"),
    Pair("without rowid", "", "s:create table t (a int primary key) without rowid", "s:create table t (a int not null primary key)"),
    Pair("partitions", "table", "p:create table t (a int) partition by range (a)", "p:create table t (a int)"),
    Pair("citext and nocase", "", "s:create table t (a text collate nocase)", "s:create table t (a text collate NOCASE)"),
    Pair("a comment in a table", "", "s:create table t (a int -- b int,\n, /* check (a > 0) */ c int)", "s:create table t (a int, c int)"),
]  # fmt: skip


@pytest.fixture(scope="module")
def store(databases: Databases) -> Iterator[Store]:
    server = databases.postgres(SERVERS[-1])
    name = server.create(migrated=False)
    with open_store(parse_url(server.url(name))) as opened:
        yield opened
    server.drop(name)


@pytest.mark.parametrize("pair", PAIRS, ids=[pair.id for pair in PAIRS])
def test_pairs(store: Store, pair: Pair) -> None:
    def read(text: str) -> Schema:
        return read_postgres_text(store, text[2:]) if text.startswith("p:") else read_sqlite_text(text[2:] + ";")

    left, right = read(pair.left), read(pair.right)
    assert [each.kind for each in compare(left, right)] == pair.kinds.split()
    assert [each.kind for each in compare(right, left)] == pair.kinds.split()


def test_a_trigger_too_many_is_reported_by_its_own_name(store: Store) -> None:
    """The names of two SQLite triggers may begin with that of one PostgreSQL trigger, and only one faces it."""
    function = "create function f() returns trigger language plpgsql as 'begin return null; end';"
    trigger = "create trigger x after insert on t for each row execute function f();"
    postgres = read_postgres_text(store, f"create table t (a int); {function} {trigger}")
    first, second = (
        f"create trigger {name} after {name[2:]} on t begin select 1; end;" for name in ("x_insert", "x_delete")
    )
    sqlite = read_sqlite_text(f"create table t (a int); {first.replace('x_insert', 'x')} {second}")
    (found,) = compare(postgres, sqlite)
    assert (found.kind, found.name, found.left) == ("trigger", "x_delete", None)


def test_an_index_that_was_never_finished_is_none() -> None:
    schema = read_sqlite_text("create table t (a int); create index i on t (a);")
    (table,) = schema.tables
    broken = msgspec.structs.replace(table, indexes=(msgspec.structs.replace(table.indexes[0], valid=False),))
    (found,) = compare(schema, msgspec.structs.replace(schema, tables=(broken,)))
    assert (found.kind, found.right) == ("index", "index (a) (invalid: its build did not finish)")
