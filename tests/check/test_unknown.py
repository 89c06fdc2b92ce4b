"""Three answers: what is proven, what is wrong, and what is unknown, with the reason; and what an author asserts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import msgspec
import pytest

from diglot.check.finding import Outcome
from diglot.check.headers import check_headers
from diglot.check.prepare import check_prepare
from diglot.check.run import run_checks
from diglot.project import Project
from diglot.sql.header import inspect_queries
from diglot.sql.session import DIALECTS, Dialect, Statement
from diglot.stores import open_store
from diglot.stores.store import Store
from diglot.stores.url import parse_url

TODAY = date(2026, 11, 28)
SCHEMA = {
    "postgres": """
create table t (id text primary key, n bigint, at timestamptz not null, flag boolean not null, doc jsonb not null);
create function own(text) returns text language sql strict as 'select $1';
""",
    "sqlite": """
create table t (
    id text primary key not null, n integer, at text not null, flag integer not null, known integer not null
    check (known in (0, 1)), doc text not null check (json_valid(doc)), loose numeric not null
);
""",
}


class Row(msgspec.Struct):
    id: str
    n: int


@pytest.fixture(scope="module")
def stores(postgres_url_of_module: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Dialect, Store]]:
    path = tmp_path_factory.mktemp("unknown") / "unknown.db"
    with (
        open_store(parse_url(postgres_url_of_module)) as postgres,
        open_store(parse_url(f"sqlite:///{path}")) as sqlite,
    ):
        for store in (postgres, sqlite):
            store.script(Statement("schema", SCHEMA[store.dialect], writes=True))
        yield {"postgres": postgres, "sqlite": sqlite}
        postgres.script(Statement("schema", "drop table t; drop function own(text)", writes=True))


def checked(folder: Path, stores: dict[Dialect, Store], dialect: Dialect, header: str, sql: str) -> Outcome:
    (folder / dialect).mkdir(parents=True)
    query = f"-- name: q\n{header}\n-- Doc.\n{sql};\n"
    (folder / dialect / "things.sql").write_text(query, "utf-8")
    project = Project(queries=folder, models={"Row": Row}, dialects=(dialect,))
    assert check_headers(project) == []
    if dialect == "postgres":
        return check_prepare(project, stores["postgres"], None)
    return check_prepare(project, None, stores["sqlite"])


UNKNOWN: list[tuple[Dialect, str, str, str]] = [
    ("postgres", "text", "select own(id) as x from t", "'x' may be null is unknown: own() may return null"),
    ("postgres", "text", "select substring(id from 'a') as x from t", "is a pattern without a match"),
    ("postgres", "int", "select cast(doc as int) as x from t", "a JSON null becomes null"),
    ("postgres", "bool", "select id = any(string_to_array(id, ',')) as x from t", "an item of"),
    ("postgres", "text", "select relname::text as x from pg_class", "pg_class is not in the catalog"),
    ("sqlite", "text", "select doc ->> '$.a' as x from t where doc ->> '$.a' is not null", "the value in the document"),
    ("sqlite", "timestamp", "select at as x from t", "t.at is TEXT, and no CHECK says whether"),
    ("sqlite", "bool", "select flag as x from t", "t.flag is INTEGER, and no CHECK says whether"),
    ("sqlite", "float", "select loose as x from t", "t.loose is declared"),
    ("sqlite", "text", "select date(at) as x from t", "date() is null if at is not a time"),
    ("sqlite", "int", "select 5 / n as x from t where n > 0", "SQLite divides by zero to null, and n may be zero"),
    ("sqlite", "text", "replace into t (id) values ('1') returning id as x", "the statement is not understood"),
    ("sqlite", "int", "select case when n > 1 then 'x' else 1 end as x from t", "it is text or bool/int, depending on"),
]


@pytest.mark.parametrize(("dialect", "returns", "sql", "said"), UNKNOWN, ids=[u[2] for u in UNKNOWN])
def test_what_is_not_derived_is_said_with_its_reason(
    dialect: Dialect, returns: str, sql: str, said: str, tmp_path: Path, stores: dict[Dialect, Store]
) -> None:
    found = checked(tmp_path, stores, dialect, f"-- returns: {returns}", sql)
    assert [f for f in found.findings if "may be null, but" not in f.message] == []
    assert any(said in unknown.message for unknown in found.unknowns), found
    assert all(" unknown: " in unknown.message for unknown in found.unknowns)
    assert {unknown.path for unknown in found.unknowns} == {str(tmp_path / dialect / "things.sql")}


PROVEN: list[tuple[Dialect, str, str]] = [
    ("sqlite", "bool", "select known as x from t"),
    ("sqlite", "int", "select known as x from t"),
    ("sqlite", "int", "select flag as x from t"),
    ("sqlite", "text", "select at as x from t"),
    ("sqlite", "json", "select doc as x from t"),
    ("sqlite", "json", "select coalesce(doc, '[]') as x from t"),
    ("sqlite", "json?", "select null as x"),
    ("sqlite", "int", "select sum(n) as x from t where n is not null group by id"),
    ("postgres", "text", "select lower(id) as x from t"),
    ("postgres", "text?", "select own(id) as x from t"),
]


@pytest.mark.parametrize(("dialect", "returns", "sql"), PROVEN, ids=[f"{p[1]}: {p[2]}" for p in PROVEN])
def test_what_is_proven_is_not_called_unknown(
    dialect: Dialect, returns: str, sql: str, tmp_path: Path, stores: dict[Dialect, Store]
) -> None:
    assert checked(tmp_path, stores, dialect, f"-- returns: {returns}", sql).unknowns == []


def test_a_row_of_a_model_that_is_not_known_is_unknown(tmp_path: Path, stores: dict[Dialect, Store]) -> None:
    (tmp_path / "sqlite").mkdir()
    (tmp_path / "sqlite" / "t.sql").write_text("-- name: q\n-- returns: Row\n-- Doc.\nselect id, n from t;\n", "utf-8")
    found = check_prepare(Project(queries=tmp_path, dialects=("sqlite",)), None, stores["sqlite"])
    assert [unknown.message for unknown in found.unknowns] == [
        "whether the result fits Row is unknown: name the models with --models"
    ]


# --- what is asserted --------------------------------------------------------------------------------------

SETTLED: list[tuple[Dialect, str, str, str]] = [
    ("postgres", "text", "x not null because own() returns its argument", "select own(id) as x from t"),
    ("postgres", "int", "x not null because there is a row", "select max(n) as x from t"),
    ("sqlite", "timestamp", "x timestamp because only the application writes it", "select at as x from t"),
    ("sqlite", "Row", "n not null because of the view", "select id, n from t"),
    ("sqlite", "float", "x float not null because it is a ratio", "select loose / n as x from t"),
]


@pytest.mark.parametrize(("dialect", "returns", "asserted", "sql"), SETTLED, ids=[s[3] for s in SETTLED])
def test_an_assertion_settles_what_the_check_can_t_see(
    dialect: Dialect, returns: str, asserted: str, sql: str, tmp_path: Path, stores: dict[Dialect, Store]
) -> None:
    header = f"-- returns: {returns}\n-- asserts: {asserted}"
    assert checked(tmp_path, stores, dialect, header, sql) == Outcome([])


STALE: list[tuple[Dialect, str, str, str, str]] = [
    ("postgres", "text", "x not null because …", "select id as x from t", "'asserts: x not null' is not needed"),
    ("postgres", "text", "x text because …", "select id as x from t", "the type of 'x' is known"),
    ("sqlite", "text", "y text because …", "select id as x from t", "which the result does not have"),
    ("sqlite", "int?", "x not null because …", "select n as x from t", "'asserts: x not null' is not needed"),
    ("sqlite", "bool", "x bool not null because …", "select flag as x from t", "'asserts: x not null' is not needed"),
    ("sqlite", "timestamp", "x json because …", "select at as x from t", "says that 'x' is json, but the result is"),
    ("sqlite", "int", "x int because …", "select id as x from t", "column 'x' is json or text or timestamp, but"),
]


@pytest.mark.parametrize(
    ("dialect", "returns", "asserted", "sql", "said"), STALE, ids=[f"{s[2]}: {s[3]}" for s in STALE]
)
def test_an_assertion_that_settles_nothing_is_a_finding(
    dialect: Dialect, returns: str, asserted: str, sql: str, said: str, tmp_path: Path, stores: dict[Dialect, Store]
) -> None:
    found = checked(tmp_path, stores, dialect, f"-- returns: {returns}\n-- asserts: {asserted}", sql)
    assert any(said in finding.message for finding in found.findings), found
    assert any(finding.line == 3 for finding in found.findings if "asserts: x not null" in finding.message) == (
        "asserts: x not null" in said
    )


MALFORMED = [
    ("x because I say so", "reads '-- asserts: column type not null because …'"),
    ("x not null", "reads '-- asserts: column type not null because …'"),
    ("x not null because", "reads '-- asserts: column type not null because …'"),
    ("x number because …", "unknown type 'number'"),
]


@pytest.mark.parametrize(("asserted", "said"), MALFORMED)
def test_an_assertion_needs_its_form_and_a_reason(asserted: str, said: str) -> None:
    source = f"-- name: q\n-- returns: int\n-- asserts: {asserted}\nselect 1 as x;\n"
    queries, problems = inspect_queries(source, "t", "t.sql", "sqlite")
    assert (queries, [said in str(problem) for problem in problems]) == ([], [True])


def test_an_assertion_is_about_a_result_and_made_once() -> None:
    twice = "-- asserts: x int because …\n-- asserts: x not null because …"
    _, problems = inspect_queries(f"-- name: q\n-- returns: int\n{twice}\nselect 1 as x;\n", "t", "t.sql", "sqlite")
    assert ["two 'asserts:' lines" in str(problem) for problem in problems] == [True]
    _, problems = inspect_queries("-- name: q!\n-- asserts: x int because …\ndelete from t;\n", "t", "t.sql", "sqlite")
    assert ["returns no columns" in str(problem) for problem in problems] == [True]


# --- the report --------------------------------------------------------------------------------------------


def project_with(folder: Path, sql: str) -> Project:
    (folder / "queries" / "sqlite").mkdir(parents=True)
    (folder / "migrations" / "sqlite").mkdir(parents=True)
    (folder / "migrations" / "sqlite" / "0001_t.sql").write_text(SCHEMA["sqlite"], "utf-8")
    (folder / "queries" / "sqlite" / "things.sql").write_text(sql, "utf-8")
    return Project(queries=folder / "queries", migrations=folder / "migrations", models={}, dialects=("sqlite",))


def test_strict_makes_the_unknown_a_finding(tmp_path: Path) -> None:
    project = project_with(tmp_path, "-- name: q\n-- returns: bool\n-- Doc.\nselect flag as x from t;\n")
    lenient = run_checks(project, only=["prepare"], today=TODAY)
    strict = run_checks(project, only=["prepare"], strict=True, today=TODAY)
    assert ([run.state for run in lenient.checks], len(lenient.unknowns), lenient.findings) == (["passed"], 1, [])
    assert [run.state for run in strict.checks] == ["failed"]
    assert (strict.findings, strict.unknowns) == (lenient.unknowns, [])


def test_a_check_says_what_it_looked_at(tmp_path: Path) -> None:
    project = project_with(tmp_path, "-- name: q\n-- returns: int\n-- Doc.\nselect flag as x from t;\n")
    report = run_checks(project, only=["headers", "prepare", "plans", "migrations"], today=TODAY)
    assert [dict(run.looked_at) for run in report.checks] == [
        *[{"files": 1, "queries": 1}] * 3,
        {"files": 1, "migrations": 1},
    ]


def test_a_check_that_looked_at_nothing_has_not_passed(tmp_path: Path) -> None:
    project = project_with(tmp_path, "")
    (tmp_path / "queries" / "sqlite" / "things.sql").unlink()
    report = run_checks(project, only=["headers", "prepare", "plans"], today=TODAY)
    assert [run.state for run in report.checks] == ["nothing to check"] * 3
    assert report.is_empty


def test_both_dialects_are_covered_here() -> None:
    assert {dialect for dialect, *_ in UNKNOWN} == set(DIALECTS)


def test_what_drift_does_not_know_is_unknown_and_what_sqlite_does_not_enforce_is_noted(
    tmp_path: Path, postgres_url: str
) -> None:
    texts = {
        "postgres": "create table t (a varchar(8) not null);\ncreate view v as select a from t;\n",
        "sqlite": "create table t (a text not null check (a <> 'b')) strict;\ncreate view v as select a from t;\n",
    }
    for dialect, text in texts.items():
        (tmp_path / dialect).mkdir()
        (tmp_path / dialect / "0001_t.sql").write_text(text)
    project = Project(migrations=tmp_path)
    (run,) = run_checks(project, only=["drift"], postgres_url=postgres_url, today=date(2026, 1, 31)).checks
    assert [(each.name, each.line) for each in run.unknowns] == [("v", 2)]
    assert "the query of a view" in run.unknowns[0].message
    assert run.note == "not enforced: the length of a text: SQLite takes more characters (1: t.a)"
    (strict,) = run_checks(
        project, only=["drift"], postgres_url=postgres_url, today=date(2026, 1, 31), strict=True
    ).checks
    assert run.unknowns[0] in strict.findings
