"""The report's formats: for people, scripts, GitHub's annotations, and tools that show JUnit's XML."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal, get_args
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import msgspec
from rich.console import Console
from rich.text import Text

from diglot.check import looked_at
from diglot.check.finding import Finding
from diglot.check.run import CheckRun, Report

Form = Literal["table", "json", "github", "junit"]
FORMS: tuple[Form, ...] = get_args(Form)

_STYLES = {"passed": "green", "failed": "bold red", "left out": "yellow", "nothing to check": "yellow"}
# XML 1.0 can't express these at all.
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def show(report: Report, form: Form, console: Console) -> None:
    """Print the report. Only the table is coloured, and only on a terminal."""
    if form == "table":
        _table(report, console)
        return
    text = {"json": as_json, "github": as_github, "junit": as_junit}[form](report)
    console.out(text, end="", highlight=False)


def as_json(report: Report) -> str:
    """``{"checks": [{"name", "state", …}], "findings": [{"check", "path", "line", …}], "unknowns": [the same]}``"""
    checks = [
        {
            "name": run.name,
            "state": run.state,
            "seconds": run.seconds,
            "detail": run.detail,
            "note": run.note,
            "looked_at": run.looked_at,
        }
        for run in report.checks
    ]
    document = msgspec.json.encode({"checks": checks, "findings": report.findings, "unknowns": report.unknowns})
    return msgspec.json.format(document, indent=2).decode() + "\n"


def as_github(report: Report) -> str:
    """Workflow commands: a finding is an error at its line, what is unknown a warning.

    Paths are relative to the repository's root.
    """
    root = _repository()
    lines = [
        f"::{level} file={_property(_from(root, one.path))},line={one.line},col={one.column},"
        f"title={_property(f'{one.check}: {one.name}')}::{_data(one.message)}"
        for level, found in (("error", report.findings), ("warning", report.unknowns))
        for one in found
    ]
    lines += [f"::notice title={_property(run.name)}::{_data(_state(run))}" for run in report.checks if not run.ran]
    lines += [f"::notice title={_property(run.name)}::{_data(run.note)}" for run in report.checks if run.note]
    lines.append(_summary(report))
    return "\n".join(lines) + "\n"


def _repository() -> Path | None:
    """The root of the repository: where GitHub checked it out, else the nearest folder above that git knows."""
    given = os.environ.get("GITHUB_WORKSPACE")
    if given:
        return Path(given)
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), None)


def _from(root: Path | None, path: str) -> str:
    absolute = Path(path).absolute()
    if root is None or not absolute.is_relative_to(root):
        return path
    return absolute.relative_to(root).as_posix()


def as_junit(report: Report) -> str:
    """A test suite for each check: a failed test case for each finding, a skipped one for what is unknown; a check
    without either is one passed case."""
    root = Element("testsuites", name="diglot check")
    for run in report.checks:
        suite = SubElement(root, "testsuite", name=run.name, time=f"{run.seconds:.3f}")
        suite.set("tests", str(max(1, len(run.findings) + len(run.unknowns))))
        suite.set("failures", str(len(run.findings)))
        suite.set("errors", "0")
        suite.set("skipped", str(len(run.unknowns) + int(not run.ran)))
        for finding in run.findings:
            failure = SubElement(_case(suite, finding), "failure", message=_xml(finding.message), type=run.name)
            failure.text = _xml(f"{finding.place}: {finding.message}")
        for unknown in run.unknowns:
            SubElement(_case(suite, unknown), "skipped", message=_xml(unknown.message))
        if not run.findings and not run.unknowns:
            case = SubElement(suite, "testcase", classname=run.name, name=run.name, time=f"{run.seconds:.3f}")
            if not run.ran:
                SubElement(case, "skipped", message=_xml(run.detail or run.state))
        if run.note:
            SubElement(suite, "system-out").text = _xml(run.note)
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _case(suite: Element, finding: Finding) -> Element:
    case = SubElement(suite, "testcase", classname=finding.check, name=_xml(finding.name))
    case.set("file", _xml(finding.path))
    case.set("line", str(finding.line))
    return case


def _table(report: Report, console: Console) -> None:
    for run in report.checks:
        console.print(_line(run), soft_wrap=True)
        if run.note:
            console.print(Text(f"  {_printable(run.note)}", style="yellow"), soft_wrap=True)
        for finding in run.findings:
            console.print(_described(finding), soft_wrap=True)
        for unknown in run.unknowns:
            console.print(_described(unknown, "yellow"), soft_wrap=True)
    style = "bold red" if report.findings else "bold yellow" if report.unknowns or report.is_empty else "bold green"
    console.print(Text(_summary(report), style=style), soft_wrap=True)


def _line(run: CheckRun) -> Text:
    text = Text.assemble((f"{run.name:<11}", "bold"), (run.state, _STYLES[run.state]))
    if run.detail:
        text.append(f": {run.detail}")
    elif run.ran:
        counts = f": {looked_at.shown(run.looked_at)}" if run.looked_at else ""
        text.append(f" in {run.seconds:.1f} s{counts}", style="dim")
    return text


def _state(run: CheckRun) -> str:
    return f"{run.state}: {run.detail}" if run.detail else run.state


def _described(finding: Finding, style: str = "") -> Text:
    message = " ".join(finding.message.split())
    place, name, message = map(_printable, (finding.place, finding.name, message))
    return Text.assemble("  ", (place, "cyan"), ": ", (name, "bold"), ": ", (message, style))


def _summary(report: Report) -> str:
    ran = [run for run in report.checks if run.ran]
    if not ran:
        return "nothing to check"
    count, unknown = len(report.findings), len(report.unknowns)
    found = f"{count or 'no'} finding{'' if count == 1 else 's'}{f', {unknown} unknown' if unknown else ''}"
    checks = f"{len(ran)} check{'' if len(ran) == 1 else 's'} in {sum(run.seconds for run in ran):.1f} s"
    return f"{found}: {checks}"


def _printable(text: str) -> str:
    """Control characters are escaped, since a terminal would obey them."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _xml(text: str) -> str:
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)
