"""The formats of a report: what other programs read is valid, whatever stands in a message."""

from __future__ import annotations

import json
import re
from io import StringIO
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from diglot.check.finding import Finding
from diglot.check.formats import as_github, as_json, as_junit, show
from diglot.check.run import CheckRun, Report

ODD = Finding("plans", "a,b:c%.sql", 3, 7, "x.y", "100% of\r\nit: <b>'\"&]]></b>\x1b[31m\x00")
REPORT = Report(
    [
        CheckRun("headers", "passed", 0.25, []),
        CheckRun("parity", "left out", 0.0, [], "it compares the two dialects"),
        CheckRun("plans", "failed", 1.5, [ODD, Finding("plans", "q.sql", 1, 1, "x.z", "no index")]),
    ]
)
UNSURE = Finding("prepare", "q.sql", 4, 2, "x.y", "whether column 'n' may be null is unknown: f() may return null")
UNKNOWN = Report(
    [
        CheckRun("prepare", "passed", 0.5, [], unknowns=[UNSURE], looked_at={"files": 1, "queries": 2}),
        CheckRun("plans", "nothing to check", 0.0, [], looked_at={"files": 0, "queries": 0}),
    ]
)


def table(report: Report, *, terminal: bool = False) -> str:
    out = StringIO()
    show(report, "table", Console(file=out, force_terminal=terminal, width=40, markup=False, highlight=False))
    return out.getvalue()


def test_json_has_every_check_and_every_finding() -> None:
    found = json.loads(as_json(REPORT))
    assert [(check["name"], check["state"]) for check in found["checks"]] == [
        ("headers", "passed"),
        ("parity", "left out"),
        ("plans", "failed"),
    ]
    assert found["findings"][1] == {
        "check": "plans",
        "path": "q.sql",
        "line": 1,
        "column": 1,
        "name": "x.z",
        "message": "no index",
    }
    assert found["findings"][0]["message"] == ODD.message


def test_github_gets_one_command_a_line_with_its_place() -> None:
    lines = as_github(REPORT).splitlines()
    assert lines[1] == "::error file=q.sql,line=1,col=1,title=plans%3A x.z::no index"
    assert lines[0].startswith("::error file=a%2Cb%3Ac%25.sql,line=3,col=7,title=plans%3A x.y::100%25 of%0D%0Ait: <b>")
    assert lines[2] == "::notice title=parity::left out: it compares the two dialects"
    assert lines[3] == "2 findings: 2 checks in 1.8 s"


def test_every_format_has_the_note() -> None:
    noted = Report([CheckRun("plans", "passed", 1.5, [], note="not all: q.find")])
    assert json.loads(as_json(noted))["checks"][0]["note"] == "not all: q.find"
    assert "::notice title=plans::not all: q.find" in as_github(noted).splitlines()
    assert ElementTree.fromstring(as_junit(noted)).findtext("testsuite/system-out") == "not all: q.find"  # noqa: S314 - our own text
    assert table(noted).splitlines()[:2] == ["plans      passed in 1.5 s", "  not all: q.find"]


def test_junit_is_xml_with_a_suite_a_check() -> None:
    root = ElementTree.fromstring(as_junit(REPORT))  # noqa: S314 - our own text
    suites = {suite.get("name"): suite for suite in root}
    assert {name: (s.get("tests"), s.get("failures"), s.get("skipped")) for name, s in suites.items()} == {
        "headers": ("1", "0", "0"),
        "parity": ("1", "0", "1"),
        "plans": ("2", "2", "0"),
    }
    first = suites["plans"][0]
    assert (first.get("file"), first.get("line"), first.get("name")) == ("a,b:c%.sql", "3", "x.y")
    assert "<b>'\"&]]></b>\ufffd[31m\ufffd" in (first[0].get("message") or "")
    assert suites["parity"][0][0].tag == "skipped"


@given(st.text(max_size=60), st.text(max_size=20))
def test_no_text_breaks_a_format(message: str, name: str) -> None:
    report = Report([CheckRun("drift", "failed", 0.1, [Finding("drift", f"{name}.sql", 1, 1, name, message)])])
    ElementTree.fromstring(as_junit(report).encode("utf-8", "replace"))  # noqa: S314
    assert len(re.split(r"\r\n|\r|\n", as_github(report).strip("\r\n"))) == 2
    if message.isprintable() and name.isprintable():
        assert json.loads(as_json(report))["findings"][0]["message"] == message


def test_the_table_keeps_a_finding_on_one_line_for_grep() -> None:
    lines = table(REPORT).splitlines()
    assert lines[0] == "headers    passed in 0.2 s"
    assert lines[1] == "parity     left out: it compares the two dialects"
    assert lines[4] == "  q.sql:1:1: x.z: no index"
    assert lines[-1] == "2 findings: 2 checks in 1.8 s"
    assert "\x1b" not in table(REPORT)


def test_the_table_is_coloured_on_a_terminal() -> None:
    assert "\x1b[" in table(REPORT, terminal=True)


def test_nothing_found_is_said() -> None:
    assert table(Report([CheckRun("headers", "passed", 0.1, [])])).endswith("no findings: 1 check in 0.1 s\n")


def test_the_unknown_is_in_every_format_and_in_the_summary() -> None:
    lines = table(UNKNOWN).splitlines()
    assert lines == [
        "prepare    passed in 0.5 s: 1 file, 2 queries",
        f"  q.sql:4:2: x.y: {UNSURE.message}",
        "plans      nothing to check",
        "no findings, 1 unknown: 1 check in 0.5 s",
    ]
    document = json.loads(as_json(UNKNOWN))
    assert (document["findings"], [one["message"] for one in document["unknowns"]]) == ([], [UNSURE.message])
    assert document["checks"][0]["looked_at"] == {"files": 1, "queries": 2}
    github = as_github(UNKNOWN).splitlines()
    assert github[0] == f"::warning file=q.sql,line=4,col=2,title=prepare%3A x.y::{UNSURE.message}"
    assert github[1] == "::notice title=plans::nothing to check"
    suites = list(ElementTree.fromstring(as_junit(UNKNOWN)))  # noqa: S314 - our own text
    assert [(suite.get("tests"), suite.get("failures"), suite.get("skipped")) for suite in suites] == [
        ("1", "0", "1"),
        ("1", "0", "1"),
    ]
    assert suites[0][0][0].get("message") == UNSURE.message


def test_a_report_of_nothing_does_not_say_no_findings() -> None:
    assert table(Report([CheckRun("headers", "nothing to check", 0.0, [])])).splitlines()[-1] == "nothing to check"
