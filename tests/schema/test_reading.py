"""Reading leaves everything as it is, finds the schema that is asked for, and says what can't be reached."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import psycopg
import pytest

from diglot.drift import compare
from diglot.errors import ConfigurationError, DatabaseUnavailable
from diglot.schema.read import read_schema
from diglot.stores.sqlite.library import library
from tests.databases import with_parameters


def made(file: Path, mode: str) -> Any:
    connection = library().connect(str(file))
    connection.execute(f"pragma journal_mode = {mode}")
    connection.execute("create table t (a integer primary key)")
    connection.commit()
    return connection


def contents(folder: Path) -> dict[str, str]:
    """-shm is the memory that readers share: a lock in it is no change."""
    return {
        file.name: "" if file.name.endswith("-shm") else hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.iterdir()
    }


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_sqlite_file_stays_as_it_is_with_nothing_beside_it(tmp_path: Path, mode: str) -> None:
    file = tmp_path / "a b#?%.db"
    connection = made(file, mode)
    for opened in (True, False):
        if not opened:
            connection.close()
            file.chmod(0o400)
        before = contents(tmp_path)
        assert [table.name for table in read_schema(str(file)).tables] == ["t"]
        assert contents(tmp_path) == before


def test_what_another_connection_has_just_committed_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "app.db"
    connection = made(file, "wal")
    connection.execute("create table u (a integer)")
    connection.commit()
    assert [table.name for table in read_schema(f"sqlite:///{file}").tables] == ["t", "u"]
    connection.close()


def test_a_virtual_table_whose_module_is_not_there(tmp_path: Path) -> None:
    connection = library().connect(str(tmp_path / "app.db"))
    connection.executescript("""
        create table t (a integer);
        pragma writable_schema = on;
        insert into sqlite_schema values ('table', 'words', 'words', 0, 'create virtual table words using gone(body)');
    """)
    connection.close()
    schema = read_schema(str(tmp_path / "app.db"))
    assert [(table.name, table.options) for table in schema.tables] == [("t", ()), ("words", ("virtual",))]


def test_a_sqlite_file_that_is_not_one(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match="does not exist"):
        read_schema(str(tmp_path / "none.db"))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DatabaseUnavailable, match="not a file"):
        read_schema(str(tmp_path))
    (tmp_path / "text").write_text("this is no database, though it is long enough to be one, one might think")
    with pytest.raises(DatabaseUnavailable, match="not a database"):
        read_schema(str(tmp_path / "text"))


TRIGGERS = [
    ("before insert on t", ("before", ("insert",), (), "")),
    ("insert on t", ("before", ("insert",), (), "")),
    ("after delete on t for each row", ("after", ("delete",), (), "")),
    ('after update of b, "A" on t', ("after", ("update",), ("a", "b"), "")),
    ("after update on t when new.a > (1 + 1)", ("after", ("update",), (), "NEW . A > ( 1 + 1 )")),
    ('/* before */ after -- delete\n insert on "t"', ("after", ("insert",), (), "")),
    ("instead of update on v when old.a is not new.a", ("instead of", ("update",), (), "OLD . A IS NOT NEW . A")),
]


@pytest.mark.parametrize(("text", "expected"), TRIGGERS, ids=[text for text, _ in TRIGGERS])
def test_a_trigger_of_sqlite_is_read(tmp_path: Path, text: str, expected: tuple[object, ...]) -> None:
    connection = library().connect(str(tmp_path / "app.db"))
    body = "update t set a = case when a > 1 then 1 else 2 end; delete from t where b = 'End;'; select 1;"
    connection.executescript(f"""
        create table t (a int, b int);
        create view v as select a from t;
        create trigger if not exists "before it" {text} begin {body} end;
    """)
    connection.close()
    schema = read_schema(str(tmp_path / "app.db"))
    (trigger,) = (*schema.tables[0].triggers, *schema.views[0].triggers)
    assert trigger.name == "before it"
    assert (trigger.timing, trigger.events, trigger.columns, trigger.when) == expected
    assert trigger.body.startswith("UPDATE T SET A = CASE WHEN")
    assert trigger.body.endswith("'End;' ; SELECT 1 ;")


def test_a_view_whose_table_is_gone_has_unknown_columns(tmp_path: Path) -> None:
    connection = library().connect(str(tmp_path / "app.db"))
    connection.executescript(
        "create table t (a int); create view v as select a, 1 as b from t; create view w as select x from u;"
    )
    connection.close()
    views = {view.name: view for view in read_schema(str(tmp_path / "app.db")).views}
    assert [column.name for column in views["v"].columns or ()] == ["a", "b"]
    assert views["w"].columns is None


def test_a_trigger_of_postgresql_is_read(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("""
            create table t (a int, b int);
            create function f() returns trigger language plpgsql as 'begin new.a := 1; return new; end';
            create trigger x before insert or update of b, a on t for each row
                when (new.a > 1) execute function f('one');
            create trigger y after truncate on t execute function f();
        """)
    (table,) = read_schema(postgres_url).tables
    x, y = table.triggers
    assert (x.timing, x.events, x.columns, x.for_each, x.changes_row) == (
        "before",
        ("insert", "update"),
        ("a", "b"),
        "row",
        True,
    )
    assert (x.when, x.body) == ("(new.a > 1)", "f('one'): begin new.a := 1; return new; end")
    assert (y.timing, y.events, y.for_each, y.enabled) == ("after", ("truncate",), "statement", True)


def test_a_schema_of_postgresql_is_named_in_the_url(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("""
            create schema "My Schema";
            create type "My Schema".mood as enum ('a', 'b');
            create table "My Schema".t (id bigint primary key, m "My Schema".mood default 'a', check (m <> 'b'));
            create schema "other";
            create type other.mood as enum ('a', 'b');
            create table other.t (id bigint primary key, m other.mood default 'a', check (m <> 'b'));
            create table public.one (id bigint);
            create view public.seen as select id from one;
        """)
    one = read_schema(with_parameters(postgres_url, schema="My Schema"))
    other = read_schema(with_parameters(postgres_url, schema="other"))
    assert [table.name for table in one.tables] == ["t"]
    assert compare(one, other, names=True) == []
    default = read_schema(postgres_url)
    assert ([table.name for table in default.tables], [view.name for view in default.views]) == (["one"], ["seen"])
    with pytest.raises(ConfigurationError, match="no schema 'none'"):
        read_schema(with_parameters(postgres_url, schema="none"))


def test_postgresql_is_only_read(postgres_url: str) -> None:
    """With a connection that may not write, too."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("create table t (id bigint)")
        name = connection.info.dbname
        connection.execute(f'alter database "{name}" set default_transaction_read_only = on')
    assert [table.name for table in read_schema(postgres_url).tables] == ["t"]


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("sqlite:///app.db?schema=x", "for PostgreSQL"),
        ("postgresql:///app?schema=", "schema"),
        ("postgresql:///app?schema=a&schema=b", "schema"),
        ("mysql://localhost/app", "unsupported"),
        ("sqlite:///", "names no file"),
        ("sqlite://:memory:", "in memory"),
    ],
)
def test_addresses_that_are_not_right(url: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        read_schema(url)
