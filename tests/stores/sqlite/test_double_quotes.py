"""A name in double quotes that is no column is found, and a column in double quotes is not, on every library."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from diglot.errors import MigrationFailed
from diglot.migrate import MigrationTree
from diglot.migrate.trial import apply_all
from diglot.stores import open_store
from diglot.stores.settings import SQLiteSettings
from diglot.stores.sqlite.double_quotes import taken_for_text
from diglot.stores.sqlite.library import library

pytestmark = pytest.mark.sqlite

SCHEMA = """
create table users (id integer primary key, name text not null, "or""der" integer, "end" text);
create view named as select id, name from users;
"""
TYPOS = {
    "comparison": ("select id from users where {} = 'Ada'", "name"),
    "result": ("select {} from users", "name"),
    "order": ("select id from users order by {}", "name"),
    "assignment": ("update users set name = {}", "end"),
    "inserted": ("insert into users (name) select {} from users", "end"),
    "with a parameter": ("select id from users where {} = ?", "name"),
    "a name with a quote": ("select {} from users", 'or""der'),
    "in a function": ("select length({}) as n from users", "name"),
    "CHECK": ("create table t (name text check ({} <> ''))", "name"),
    "index": ("create index ix on users ({})", "name"),
    "partial index": ("create index ix on users (id) where {} = 'Ada'", "name"),
    "generated": ("create table t (name text, twice text as ({} || 'x'))", "name"),
    "view": ("create view v as select {} as name from users", "name"),
    "trigger on insert": ("create trigger tr after insert on users begin update users set name = {}; end", "end"),
    "trigger on update": ('create trigger tr after update of "end" on users begin select {} from users; end', "name"),
    "trigger on delete": ("create trigger tr before delete on users begin delete from users where {} = 1; end", "id"),
    "trigger on a view": ("create trigger tr instead of insert on named begin select {} from users; end", "name"),
}


@pytest.fixture
def connection() -> Iterator[Any]:
    opened = library().connect(":memory:", isolation_level=None)
    opened.executescript(SCHEMA)
    yield opened
    opened.close()


@pytest.mark.parametrize(("statement", "column"), TYPOS.values(), ids=TYPOS.keys())
def test_a_name_that_is_no_column_is_found(statement: str, column: str, connection: Any) -> None:
    values = ("Ada",) if "?" in statement else ()
    before = list(connection.execute("select * from sqlite_master"))
    assert taken_for_text(connection, statement.format(f'"{column}"'), values) is None
    found = taken_for_text(connection, statement.format('"naem"'), values)
    assert found is not None
    assert "no such column: naem" in found
    assert list(connection.execute("select * from sqlite_master")) == before


RIGHT = {
    "alias": 'select name as "who is it" from users order by "who is it"',
    "table": 'select "users"."name" from "users"',
    "table alias": 'select "u".name from users as "u"',
    "string with double quotes": "select '\"naem\"' as x from users",
    "comment": 'select name /* "naem" */ from users -- "naem"',
    "new table": 'create table "t" ("naem" text default "naem", unique ("naem"))',
    "CTE": 'with "few" ("one") as (select 1) select "one" from "few"',
    "excluded": 'insert into users (id, name) values (1, 2) on conflict ("id") do update set name = "excluded"."name"',
    "wrong with any quotes": 'select "naem" from nowhere',
    "rename": 'alter table users rename column "end" to "finish"',
    "several": 'drop view "named"',
    "pragma": 'pragma table_info("users")',
    "back-tick in a name": 'create table "a`b" ("c`d" text, check ("c`d" <> \'\'))',
}


@pytest.mark.parametrize("statement", RIGHT.values(), ids=RIGHT.keys())
def test_a_name_is_none(statement: str, connection: Any) -> None:
    assert taken_for_text(connection, statement) is None


def test_a_migration_with_one_fails_the_trial_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "1_a.sql").write_text(
        'create table t (a text);\n\ninsert into t (a) values (\'"x"\');\nupdate t set a = "b";\n'
    )
    with open_store(SQLiteSettings(path=":memory:")) as store:
        tree = MigrationTree.scan(tmp_path, "sqlite")
        with pytest.raises(MigrationFailed, match=r"1_a\.sql:4: no such column: \W?b"):
            apply_all(store, tree)
