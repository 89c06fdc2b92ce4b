"""A query with many conditional blocks: what only two of them do together is found, and the report names the query."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from diglot.check.plans import check_plans
from diglot.check.prepare import check_prepare
from diglot.check.run import run_checks
from diglot.check.variants import not_all_tried
from diglot.project import Project
from diglot.sql.session import Statement
from diglot.stores import open_store
from diglot.stores.settings import SQLiteSettings
from diglot.stores.store import Store

SCHEMA = "create table u (id integer primary key, n integer not null) strict"


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Store]:
    with open_store(SQLiteSettings(path=str(tmp_path / "u.db"))) as store:
        store.count(Statement("t.schema", SCHEMA, writes=True))
        yield store


def project(folder: Path, blocks: int, *, last: str = "and n <> :{}") -> Project:
    names = [f"p{number}" for number in range(blocks)]
    text = f"-- name: find({', '.join(names)})\n" + "".join(f"-- param: {name} int?\n" for name in names)
    text += "-- returns: int\n-- Finds.\nselect id from u where id > 0\n"
    text += "".join(f"/* if :{name} */ and n <> :{name} /* end */\n" for name in names[:-2])
    text += "".join(f"/* if :{name} */ {last.format(name)} /* end */\n" for name in names[-2:])
    (folder / "queries" / "sqlite").mkdir(parents=True)
    (folder / "queries" / "sqlite" / "q.sql").write_text(f"{text};\n")
    (folder / "migrations" / "sqlite").mkdir(parents=True)
    (folder / "migrations" / "sqlite" / "0001_u.sql").write_text(f"{SCHEMA};\n")
    return Project(queries=folder / "queries", migrations=folder / "migrations", dialects=("sqlite",))


def test_what_two_of_fifteen_blocks_break_together_is_found(tmp_path: Path, sqlite: Store) -> None:
    (found,) = check_prepare(project(tmp_path, 15, last="limit :{}"), None, sqlite).findings
    assert found.message == 'SQLite refuses it: near "limit": syntax error (with the block of p13, p14)'
    (planned,) = check_plans(project(tmp_path / "again", 15, last="limit :{}"), None, sqlite)
    assert planned.message.startswith("SQLite can't plan it with :p13 and :p14 and in ")


def test_the_report_says_which_queries_were_not_tried_in_every_combination(tmp_path: Path) -> None:
    report = run_checks(project(tmp_path, 15), only=("prepare", "plans"), today=date(2026, 1, 31))
    expected = "more than 8 conditional blocks, so every two were combined, not all: q.find (137 of 32,768)"
    assert [(run.state, run.note) for run in report.checks] == [("passed", expected)] * 2


def test_nothing_is_said_where_every_combination_is_tried(tmp_path: Path) -> None:
    assert not_all_tried(project(tmp_path, 8)) == ""
