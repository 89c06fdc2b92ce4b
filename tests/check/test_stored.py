"""What SQLite makes of timestamps and documents by itself is found, where a query would lose rows or fail on it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from diglot.check.finding import Finding
from diglot.check.prepare import check_prepare
from diglot.check.scratch import migrate
from diglot.project import Project
from diglot.stores import open_store
from diglot.stores.settings import SQLiteSettings

pytestmark = pytest.mark.sqlite

OURS = "(strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')"
TABLE = "create table events (id integer primary key, at text not null {}, doc text);"
SINCE = "-- name: since(moment)\n-- param: moment timestamp\n-- returns: int\n-- Doc.\nselect id from events where {};"
LATEST = "-- name: latest()\n-- returns: Event\n-- Doc.\nselect id, at from events order by at;"
ADD = "-- name: add(at)!\n-- param: at timestamp\n-- Doc.\ninsert into events (at) values (:at);"


class Event(msgspec.Struct):
    id: int
    at: datetime


def findings(tmp_path: Path, schema: str, *queries: str) -> list[Finding]:
    for kind, name, text in (("m", "1_a.sql", schema), ("q", "events.sql", "\n\n".join(queries))):
        (tmp_path / kind / "sqlite").mkdir(parents=True)
        (tmp_path / kind / "sqlite" / name).write_text(text)
    project = Project(queries=tmp_path / "q", migrations=tmp_path / "m", models={"Event": Event}, dialects=("sqlite",))
    with open_store(SQLiteSettings(path=":memory:")) as store:
        migrate(store, project.migrations)
        return check_prepare(project, None, store).findings


DEFAULTS = {
    "current_timestamp": "default current_timestamp",
    "datetime": "default (datetime('now'))",
    "three digits": "default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))",
    "seconds": "default (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))",
    "six digits, no Z": "default (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000')",
    "with a blank": "default (strftime('%Y-%m-%d %H:%M:%f', 'now') || '000Z')",
    "unix": "default (unixepoch())",
    "unix as text": "default (strftime('%s', 'now'))",
    "a date": "default '2026-01-31'",
    "forever": "default '9999-12-31T23:59:59Z'",
    "infinity": "default 'infinity'",
    "a bare word": "default never",
    "empty": "default ''",
    "a number": "default 0",
}


@pytest.mark.parametrize("query", [SINCE.format("at >= :moment"), LATEST, ADD], ids=["compared", "read", "written"])
@pytest.mark.parametrize("default", DEFAULTS.values(), ids=DEFAULTS.keys())
def test_a_default_of_another_form_is_found(default: str, query: str, tmp_path: Path) -> None:
    (found,) = findings(tmp_path, f"\n{TABLE.format(default)}", query)
    assert (found.path, found.line, found.name) == (str(tmp_path / "m/sqlite/1_a.sql"), 2, "events.at")
    assert found.message.startswith("its default ")
    assert f"write {OURS} for the time now" in found.message


RIGHT = {
    "none": "",
    "ours": f"default {OURS}",
    "a constant": "default '9999-12-31T23:59:59.999999Z'",
    "range": "check (at >= '2020-01-01')",
    "form": "check (length(at) = 27 and at glob '????-??-??T*Z')",
    "with another column": "check (at > doc)",
    "with another column, in double quotes": 'check ("at" > "doc")',
    "whole seconds": "check (at glob '*.000000Z')",
}


@pytest.mark.parametrize("more", RIGHT.values(), ids=RIGHT.keys())
def test_what_is_in_the_form_is_not(more: str, tmp_path: Path) -> None:
    assert findings(tmp_path, TABLE.format(more), SINCE.format("at >= :moment"), LATEST, ADD) == []


CHECKS = {
    "seconds": "check (at glob '????-??-?? ??:??:??')",
    "three digits": "check (at = strftime('%Y-%m-%dT%H:%M:%fZ', at))",
    "length": "check (length(at) = 20)",
    "a number": "check (typeof(at) = 'integer')",
    "double quotes": 'check (length("at") = 20)',
}


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS.keys())
def test_a_check_that_refuses_every_timestamp_is_found(check: str, tmp_path: Path) -> None:
    (found,) = findings(tmp_path, TABLE.format(check), ADD)
    assert (found.name, found.message.partition(" (")[0]) == ("events.at", "its CHECK")
    assert "refuses every timestamp of the form" in found.message


def test_a_column_that_no_query_uses_as_a_timestamp_may_have_any_default(tmp_path: Path) -> None:
    query = "-- name: all_of_them()\n-- returns: text\n-- Doc.\nselect at from events;"
    assert findings(tmp_path, TABLE.format("default current_timestamp"), query) == []


def test_rows_of_a_migration_in_another_form_are_found(tmp_path: Path) -> None:
    schema = TABLE.format("") + "insert into events (at) values ('2026-01-31 00:00:00');"
    (found,) = findings(tmp_path, schema, LATEST)
    assert "a migration writes '2026-01-31 00:00:00' into it" in found.message


STATEMENTS = {
    "inserted": ("!", "insert into events (at) values (current_timestamp)", "CURRENT_TIMESTAMP ("),
    "inserted by select": ("!", "insert into events (at) select datetime('now')", "DATETIME('now') ("),
    "set": ("!", "update events set at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')", "STRFTIME("),
    "on conflict": (
        "!",
        "insert into events (id, at) values (1, :moment) on conflict (id) do update set at = date('now')",
        "DATE('now') (",
    ),
    "literal": ("!", "update events set at = '2026-01-31'", "'2026-01-31'"),
    "compared": ("", "select id from events where at >= datetime('now', '-1 day')", "DATETIME('now', '-1 day') ("),
    "compared the other way round": ("", "select id from events where current_timestamp > at", "CURRENT_TIMESTAMP ("),
    "between": ("", "select id from events where at between datetime(0) and :moment", "DATETIME(0) ("),
}  # fmt: skip


@pytest.mark.parametrize(("suffix", "statement", "text"), STATEMENTS.values(), ids=STATEMENTS.keys())
def test_a_time_of_another_form_in_a_query_is_found_at_its_place(
    suffix: str, statement: str, text: str, tmp_path: Path
) -> None:
    param, needs = ("-- param: moment timestamp\n", "moment") if ":moment" in statement else ("", "")
    returns = "" if suffix else "-- returns: int\n"
    query = f"-- name: it({needs}){suffix}\n{param}{returns}-- Doc.\n{statement};"
    (found,) = findings(tmp_path, TABLE.format(""), LATEST, query)
    assert found.path == str(tmp_path / "q/sqlite/events.sql")
    assert found.message.startswith(text)
    assert found.line == 5 + query.count("\n") + 1


RIGHT_STATEMENTS = [
    "select id from events where at >= date('now')",
    "select id from events where at >= '2026-01-31'",
    "select id from events where at < strftime('%Y-%m-%dT%H:%M:%f', 'now')",
    f"select id from events where at < {OURS}",
    f"select id from events where at < {OURS} and doc = datetime('now')",
]


@pytest.mark.parametrize("statement", RIGHT_STATEMENTS)
def test_a_time_that_sorts_as_it_should_is_not(statement: str, tmp_path: Path) -> None:
    query = f"-- name: it()\n-- returns: int\n-- Doc.\n{statement};"
    assert findings(tmp_path, TABLE.format(""), LATEST, query) == []


def test_a_column_of_the_same_name_in_another_table_is_not(tmp_path: Path) -> None:
    schema = f"{TABLE.format('')}\ncreate table log (at text);"
    query = "-- name: it()!\n-- Doc.\ninsert into log (at) select datetime('now') from events;"
    assert findings(tmp_path, schema, LATEST, query) == []


TRIGGERS = {
    "set": "after update on events begin\n update events set at = current_timestamp where id = new.id; end",
    "inserted": "after delete on events begin insert into events (at) values (datetime('now')); end",
    "with a comment": "after delete on events begin -- why\n /* so */ insert into events (at) values (date()); end",
    "in capitals": "AFTER DELETE ON events BEGIN INSERT INTO events (at) VALUES (datetime('now')); END",
}


@pytest.mark.parametrize("trigger", TRIGGERS.values(), ids=TRIGGERS.keys())
def test_a_trigger_that_writes_another_form_is_found(trigger: str, tmp_path: Path) -> None:
    (found,) = findings(tmp_path, f"{TABLE.format('')}\ncreate trigger tr {trigger};", LATEST)
    assert found.name == "events.at"
    assert "in the trigger tr, " in found.message


def test_a_trigger_that_writes_ours_or_into_another_column_is_not(tmp_path: Path) -> None:
    body = f"update events set at = {OURS}, doc = current_timestamp where id = new.id;"
    trigger = f"create trigger tr after update on events begin {body} end;"
    assert findings(tmp_path, f"{TABLE.format('')}\n{trigger}", LATEST) == []


DOCUMENTS = {
    "json": ("json", True),
    "jsonb": ("jsonb", True),
    "numeric": ("json not null default '{}' check (json_valid(doc))", True),
    "text": ("text check (json_valid(doc))", False),
    "a type in double quotes": ('"my-json-text" check (json_valid(doc))', False),
    "objects alone": ("json check (json_type(doc) = 'object')", False),
    "objects or null": ("json check (doc is null or json_type(doc) in ('object', 'array'))", False),
}


@pytest.mark.parametrize(("declared", "wrong"), DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_a_document_in_a_column_of_numeric_affinity_is_found(declared: str, wrong: bool, tmp_path: Path) -> None:
    query = "-- name: save(doc)!\n-- param: doc json\n-- Doc.\nupdate docs set doc = :doc;"
    found = findings(tmp_path, f"create table docs (id integer primary key, doc {declared});", query)
    assert [each.name for each in found] == (["docs.doc"] if wrong else [])
    assert all("SQLite stores the document 1 as a number" in each.message for each in found)
