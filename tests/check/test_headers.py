"""Check 1: every problem of a file is told, each at its place, whatever stands before it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from diglot.check.headers import check_headers
from diglot.check.parity import check_parity
from diglot.project import Project
from diglot.sql.header import inspect_queries
from diglot.sql.session import DIALECTS

MANY = """\
select 1;

-- name: Wrong()!
delete from t;

-- name: many(a, b)^
-- param: a integer
-- param: b int
-- param: b int
-- retruns: int
-- returns: int
-- returns: int
-- Several at once.
select :a, :b;

-- name: body(a)!
-- param: a int
-- Parameters.
update t set a = :b, c = :c /* if :a */ where 1 = 1;
/* end */

-- name: right()!
-- Nothing wrong here.
delete from t;

-- name: broken()!
-- It takes what follows with it.
update t set a = 'unended;

-- name: after()!
-- This one is whole again.
delete from t;

-- name: right()!
-- Twice.
delete from t;
"""
PROBLEMS = [
    (1, 1, "SQL outside a query"),
    (3, 1, "the name line must read"),
    (7, 1, "parameter 'a' has the unknown type 'integer'"),
    (9, 1, "parameter 'b' is declared twice"),
    (10, 1, "unknown header key 'retruns'"),
    (12, 1, "'returns' appears twice"),
    (19, 18, "parameter ':b' is not declared"),
    (19, 26, "parameter ':c' is not declared"),
    (19, 29, "parameter 'a' is never null"),
    (28, 18, "this string does not end"),
    (34, 1, "a query named 'right' is already at line 22"),
]


def project(folder: Path, **files: str) -> Project:
    for dialect in DIALECTS:
        (folder / dialect).mkdir(exist_ok=True)
        for name, text in files.items():
            (folder / dialect / f"{name}.sql").write_text(text, "utf-8")
    return Project(queries=folder, models={})


def test_every_problem_of_a_file_is_told_in_its_order() -> None:
    queries, problems = inspect_queries(MANY, "things", "things.sql", "postgres")
    found = [(problem.line, problem.column, problem.problem) for problem in problems]
    assert [(line, column) for line, column, _ in found] == [(line, column) for line, column, _ in PROBLEMS], found
    for (_, _, message), (_, _, wanted) in zip(found, PROBLEMS, strict=True):
        assert message.startswith(wanted)
    assert [query.name for query in queries] == ["right", "after"]


def test_findings_name_the_query_and_the_path_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = [f for f in check_headers(project(tmp_path, things=MANY)) if f.path.startswith("postgres")]
    assert [(f.line, f.column) for f in found] == [(line, column) for line, column, _ in PROBLEMS]
    assert {f.path for f in found} == {"postgres/things.sql"}
    assert [f.name for f in found] == [
        "things",
        *["things.Wrong"],
        *["things.many"] * 4,
        *["things.body"] * 3,
        "things.broken",
        "things.right",
    ]
    assert all(f.check == "headers" for f in found)


def test_what_can_t_be_read_is_not_taken_for_missing(tmp_path: Path) -> None:
    made = project(tmp_path, things="-- name: a()!\n-- A.\ndelete from t;\n\n-- name: b()!\n-- B.\ndelete from t;\n")
    file = tmp_path / "sqlite" / "things.sql"
    file.write_text(file.read_text().replace("-- A.", "-- unknown: key"))
    assert [f.message for f in check_headers(made)] == [
        "unknown header key 'unknown': use one of param, returns, asserts, differs, plan, only, idempotent"
    ]
    assert check_parity(made) == []


NAMES = [
    ("a file", "Things", "-- name: a()!\n-- A.\ndelete from t;\n", 1, "a query file is named in lower case"),
    ("a query of aiosql", "t", "\n-- name: add_query()!\n-- A.\ndelete from t;\n", 2, "aiosql uses this name itself"),
    ("a query of Python", "t", "-- name: import()!\n-- A.\ndelete from t;\n", 1, "it is a keyword of Python"),
    (
        "a parameter of Python",
        "t",
        "-- name: a(from)!\n-- param: from int\n-- A.\ndelete from t where a = :from;\n",
        2,
        "a parameter can't be named 'from'",
    ),
    ("a row that is null", "t", "-- name: a()^\n-- returns: M?\n-- A.\nselect 1;\n", 2, "a row is never null"),
]


@pytest.mark.parametrize(("file", "text", "line", "message"), [n[1:] for n in NAMES], ids=[n[0] for n in NAMES])
def test_names_that_can_t_be_used(tmp_path: Path, file: str, text: str, line: int, message: str) -> None:
    made = project(tmp_path, **{file: text})
    found = [f for f in check_headers(Project(queries=made.queries)) if f"{os.sep}sqlite{os.sep}" in f.path]
    assert [f.line for f in found] == [line]
    assert message in found[0].message


def test_a_file_that_is_not_utf_8_is_a_finding(tmp_path: Path) -> None:
    made = project(tmp_path, a="-- name: a()!\n-- A.\ndelete from t;\n")
    (tmp_path / "postgres" / "a.sql").write_bytes(b"-- name: a()!\n-- \xff\n")
    found = check_headers(made)
    assert [(f.line, f.column, f.message) for f in found] == [(2, 4, "the file is not UTF-8")]


def test_a_file_that_one_tree_lacks_is_one_finding(tmp_path: Path) -> None:
    made = project(tmp_path, a="-- name: a()!\n-- A.\ndelete from t;\n")
    (tmp_path / "postgres" / "b.sql").write_text(
        "-- name: b()!\n-- B.\ndelete from t;\n\n-- name: c()!\n-- C.\nselect 1;"
    )
    assert [(f.line, f.message) for f in check_parity(made)] == [(1, "the sqlite tree has no file b.sql")]
    only = "-- name: b()!\n-- only: postgres because it must\n-- B.\ndelete from t;\n"
    (tmp_path / "postgres" / "b.sql").write_text(only)
    assert check_parity(made) == []


def test_lists_are_written_differently_without_a_reason(tmp_path: Path) -> None:
    text = "-- name: a(ids)!\n-- param: ids int[]\n-- differs: no longer\n-- A.\ndelete from t where id {};\n"
    made = project(tmp_path, a=text.format("= any(:ids)"))
    sqlite = tmp_path / "sqlite" / "a.sql"
    sqlite.write_text(text.format("in (select wanted.value from json_each(:ids) as wanted)"))
    assert ["'differs:' no longer explains anything" in f.message for f in check_headers(made)] == [True, True]
    sqlite.write_text(text.format("in (select wanted.value + 1 from json_each(:ids) as wanted)"))
    assert check_headers(made) == []


def test_a_limit_that_may_be_null_is_found(tmp_path: Path) -> None:
    head = (
        "-- name: q{}(n, m)\n-- param: n int?\n-- param: m int\n-- returns: int\n-- Doc.\nselect id from t order by id "
    )
    tails = [
        "limit :n offset :m",
        "limit :m offset :n",
        "/* if :n */ limit :n /* end */ offset :m",
        "limit coalesce(:n, :m)",
    ]
    for dialect in DIALECTS:
        (tmp_path / "queries" / dialect).mkdir(parents=True)
        text = "\n\n".join(head.format(number) + tail + ";" for number, tail in enumerate(tails))
        (tmp_path / "queries" / dialect / "q.sql").write_text(text)
    project = Project(queries=tmp_path / "queries")
    found = [(one.name, one.message) for one in check_headers(project)]
    assert found == [
        (f"q.{name}", f"'{word} :n' with null is all rows on PostgreSQL and an error on SQLite: declare it 'int', or "
         "write /* if :n */ … /* end */ around it")
        for name, word in [("q0", "limit"), ("q1", "offset")] * 2
    ]  # fmt: skip
