"""Notes: what SQLite does not enforce and what is not known is said once, with its places, and is no difference."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from diglot.drift import DriftSettings, compare, drift, notes
from diglot.schema.read import read_schema
from diglot.stores import open_store
from diglot.stores.store import Store
from diglot.stores.url import parse_url
from tests.cli.running import diglot
from tests.databases import POSTGRES as SERVERS
from tests.databases import Databases
from tests.drift.shop import POSTGRES, SQLITE, read_postgres_text, read_sqlite_text
from tests.drift.test_versions import sorted_files

pytestmark = pytest.mark.postgres

POSTGRES_TYPES = """
create table t (
    a varchar(8), b varchar(9), c char(3), d numeric(10, 2), e timestamp(3), f smallint, g integer, h real,
    i boolean, j jsonb, k uuid, l int[], m date, n bigint, o text);
"""
DECLARED = """
create table t (
    a varchar(8), b varchar(9), c char(3), d numeric(10, 2), e timestamp, f smallint, g integer, h real,
    i boolean, j json, k text, l json, m text, n integer, o text);
"""
CHECKED = """
create table t (
    a text check (length(a) <= 8), b text check (length(b) <= 9), c text check (length(c) <= 3),
    d text check (length(d) <= 12 and d not glob '*[^-0-9.]*' and d glob '*[0-9].[0-9][0-9]'),
    e text check (e glob '????-??-??T??:??:??.???Z'), f integer check (f between -32768 and 32767),
    g integer check (g between -2147483648 and 2147483647), h real, i integer check (i in (0, 1)),
    j text check (json_valid(j)), k text check (length(k) = 36 and k not glob '*[^-0-9a-f]*'),
    l text check (json_type(l) = 'array'),
    m text check (m is date(m)), n integer, o text) strict;
"""


@pytest.fixture(scope="module")
def store(databases: Databases) -> Iterator[Store]:
    server = databases.postgres(SERVERS[-1])
    name = server.create(migrated=False)
    with open_store(parse_url(server.url(name))) as opened:
        yield opened
    server.drop(name)


def test_what_sqlite_does_not_enforce_is_one_note_for_each_kind(store: Store) -> None:
    postgres, sqlite = read_postgres_text(store, POSTGRES_TYPES), read_sqlite_text(DECLARED)
    assert compare(postgres, sqlite) == []
    found = {
        note.what.partition(":")[0]: "".join(place.removeprefix("t.") for place in note.places)
        for note in notes(postgres, sqlite)
    }
    assert found == {
        "the form of JSON": "j",
        "the form of a date": "m",
        "the form of a timestamp without time zone": "e",
        "the form of a uuid": "k",
        "the form of an array": "l",
        "the length of a text": "abc",
        "the length of char(n)": "c",
        "the precision of a numeric": "d",
        "the precision of a timestamp without time zone": "e",
        "the range and precision of real": "h",
        "the range of integer": "g",
        "the range of smallint": "f",
        "the scale of a numeric": "d",
        "the type": "abcdfghno",
        "the type boolean": "i",
    }
    assert {note.kind for note in notes(postgres, sqlite)} == {"not enforced"}
    assert notes(sqlite, postgres) == notes(postgres, sqlite)


def test_checks_and_strict_enforce_it(store: Store) -> None:
    postgres, sqlite = read_postgres_text(store, POSTGRES_TYPES), read_sqlite_text(CHECKED)
    assert compare(postgres, sqlite) == []
    left = [note.what.partition(":")[0] for note in notes(postgres, sqlite)]
    assert left == ["the length of char(n)", "the precision of a numeric", "the range and precision of real"]


def test_there_are_none_between_two_databases_of_one_engine(store: Store) -> None:
    for schema in (read_postgres_text(store, POSTGRES_TYPES), read_sqlite_text(SQLITE)):
        assert notes(schema, schema) == []


def test_our_own_trees_enforce_everything(databases: Databases) -> None:
    name = databases.postgres(SERVERS[-1]).create(migrated=True)
    try:
        postgres = read_schema(databases.postgres(SERVERS[-1]).url(name))
    finally:
        databases.postgres(SERVERS[-1]).drop_later(name)
    sqlite = read_sqlite_text("".join(file.read_text() for file in sorted_files()))
    assert notes(postgres, sqlite) == []


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ("lower(a) <> 'x'", "lower(): SQLite changes the letters of ASCII alone"),
        ("sign(b) = 1", "sign(): drift does not know whether it is the same on both engines"),
        (
            "round(b) = 1",
            "round(): PostgreSQL rounds halves of double precision to the even number, SQLite away from zero",
        ),
    ],
)
def test_a_function_that_may_not_be_the_same_is_unknown(store: Store, check: str, said: str) -> None:
    text = f"create table t (a text, b double precision, check ({check}));"
    postgres, sqlite = read_postgres_text(store, text), read_sqlite_text(text.replace("double precision", "real"))
    assert compare(postgres, sqlite) == []
    assert [(note.what, note.places) for note in notes(postgres, sqlite) if note.kind == "unknown"] == [(said, ["t"])]


def test_queries_of_views_and_bodies_of_triggers_are_unknown(store: Store) -> None:
    postgres, sqlite = read_postgres_text(store, POSTGRES), read_sqlite_text(SQLITE)
    assert [
        (note.what.partition(":")[0], note.places) for note in notes(postgres, sqlite) if note.kind == "unknown"
    ] == [
        ("the condition and the body of a trigger", ["orders.tr_orders_touch"]),
        ("the query of a view", ["open_orders"]),
    ]


def test_lower_is_known_with_the_collation_c(store: Store) -> None:
    postgres = read_postgres_text(store, "create table t (a text collate \"C\", check (lower(a) <> 'x'));")
    sqlite = read_sqlite_text("create table t (a text, check (lower(a) <> 'x'));")
    assert [note for note in notes(postgres, sqlite) if note.kind == "unknown"] == []


def test_the_command_prints_them_and_the_exit_code_is_0(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for dialect in ("postgres", "sqlite"):
        (tmp_path / "m" / dialect).mkdir(parents=True)
        columns = ", ".join(f"c{number} varchar(8)" for number in range(5))
        (tmp_path / "m" / dialect / "0001_t.sql").write_text(f"create table t ({columns});")
    done = diglot("drift", "--migrations", "m", "--postgres-url", postgres_url)
    assert (done.code, done.out) == (0, "")
    line = "not enforced: the length of a text: SQLite takes more characters (5: t.c0, t.c1, t.c2 and 2 more)"
    assert line in done.err.replace("\n", " ")
    found = diglot("drift", "--migrations", "m", "--postgres-url", postgres_url, "--format", "json").json["notes"]
    assert [len(note["places"]) for note in found] == [5, 5]
    assert drift(read_sqlite_text(SQLITE), read_sqlite_text(SQLITE), DriftSettings(), date(2026, 1, 1)).notes == []
