"""A statement that the engines take does not end the check, however deep it is nested, and whatever a library says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from diglot.check import nesting, query_text
from diglot.check.plans import check_plans
from diglot.check.prepare import check_prepare
from diglot.project import Project
from diglot.stores.store import Store
from tests.check.test_many_blocks import sqlite

__all__ = ["sqlite"]


def project(folder: Path, calls: int) -> Project:
    sql = "n"
    for _ in range(calls):
        sql = f"abs({sql})"
    query = f"-- name: deep()\n-- returns: int\n-- plan: scan because small\n-- Deep.\nselect {sql} as x from u;\n"
    (folder / "queries" / "sqlite").mkdir(parents=True, exist_ok=True)
    (folder / "queries" / "sqlite" / "q.sql").write_text(query)
    (folder / "queries" / "sqlite" / "r.sql").write_text(query.replace("select", "selekt"))
    return Project(queries=folder / "queries", dialects=("sqlite",))


def found(project: Project, store: Store) -> list[str]:
    prepared = check_prepare(project, None, store)
    findings = [*prepared.findings, *prepared.unknowns, *check_plans(project, None, store)]
    return [f"{each.path}: {each.message}" for each in findings if each.name == "q.deep"]


@pytest.mark.parametrize("calls", [60, 300])
def test_hundreds_of_nested_calls_are_examined(calls: int, tmp_path: Path, sqlite: Store) -> None:
    before = sys.getrecursionlimit()
    assert found(project(tmp_path, calls), sqlite) == []
    assert sys.getrecursionlimit() == before


def test_what_is_deeper_is_a_finding_and_the_check_goes_on(
    tmp_path: Path, sqlite: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nesting, "CALLS", 0)
    tree = project(tmp_path, 90)
    assert [message.partition("sql: ")[2] for message in found(tree, sqlite)] == [
        "whether column 'x' is int is unknown: the statement is not understood",
        "whether column 'x' may be null is unknown: the statement is not understood",
        "SQLite can't plan it: it is nested too deeply to be read",
    ]
    assert {each.name for each in check_prepare(tree, None, sqlite).findings} == {"r.deep"}


def test_an_error_of_a_library_is_a_finding_at_its_query(
    tmp_path: Path, sqlite: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise AttributeError("'NoneType' object has\nno attribute 'this'")

    monkeypatch.setattr("sqlglot.parse_one", fails)
    monkeypatch.setattr("diglot.check.lineage.parsed", fails)
    monkeypatch.setattr(query_text, "parse_one", fails)
    said = "an unexpected AttributeError while it was read: 'NoneType' object has no attribute 'this'"
    assert [message.partition("sql: ")[2] for message in found(project(tmp_path, 3), sqlite)] == [
        f"its columns can't be derived: {said}",
        f"SQLite can't plan it: {said}",
    ]
