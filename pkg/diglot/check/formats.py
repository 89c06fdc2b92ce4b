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

from diglot.check.finding import Finding
from diglot.check.run import CheckRun, Report

Form = Literal["table", "json", "github", "junit"]
FORMS: tuple[Form, ...] = get_args(Form)

_STYLES = {"passed": "green", "failed": "bold red", "left out": "yellow"}
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
    """``{"checks": [{"name", "state", "seconds", "detail", "note"}], "findings": [{"check", "path", "line", …}]}``"""
    checks = [
        {"name": run.name, "state": run.state, "seconds": run.seconds, "detail": run.detail, "note": run.note}
        for run in report.checks
    ]
    document = msgspec.json.encode({"checks": checks, "findings": report.findings})
    return msgspec.json.format(document, indent=2).decode() + "\n"


def as_github(report: Report) -> str:
    """Workflow commands: each finding is an annotation of its line. Paths are relative to the repository's root."""
    root = _repository()
    lines = [
        f"::error file={_property(_from(root, one.path))},line={one.line},col={one.column},"
        f"title={_property(f'{one.check}: {one.name}')}::{_data(one.message)}"
        for one in report.findings
    ]
    lines += [
        f"::notice title={_property(run.name)}::{_data(f'left out: {run.detail}')}"
        for run in report.checks
        if run.state == "left out"
    ]
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
    """A test suite for each check, a failed test case for each finding; a check without findings is one passed case."""
    root = Element("testsuites", name="diglot check")
    for run in report.checks:
        suite = SubElement(root, "testsuite", name=run.name, time=f"{run.seconds:.3f}")
        suite.set("tests", str(max(1, len(run.findings))))
        suite.set("failures", str(len(run.findings)))
        suite.set("errors", "0")
        suite.set("skipped", str(int(run.state == "left out")))
        for finding in run.findings:
            case = SubElement(suite, "testcase", classname=run.name, name=_xml(finding.name))
            case.set("file", _xml(finding.path))
            case.set("line", str(finding.line))
            failure = SubElement(case, "failure", message=_xml(finding.message), type=run.name)
            failure.text = _xml(f"{finding.place}: {finding.message}")
        if not run.findings:
            case = SubElement(suite, "testcase", classname=run.name, name=run.name, time=f"{run.seconds:.3f}")
            if run.state == "left out":
                SubElement(case, "skipped", message=_xml(run.detail))
        if run.note:
            SubElement(suite, "system-out").text = _xml(run.note)
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _table(report: Report, console: Console) -> None:
    for run in report.checks:
        console.print(_line(run), soft_wrap=True)
        if run.note:
            console.print(Text(f"  {_printable(run.note)}", style="yellow"), soft_wrap=True)
        for finding in run.findings:
            console.print(_described(finding), soft_wrap=True)
    console.print(Text(_summary(report), style="bold red" if report.findings else "bold green"), soft_wrap=True)


def _line(run: CheckRun) -> Text:
    text = Text.assemble((f"{run.name:<11}", "bold"), (run.state, _STYLES[run.state]))
    if run.detail:
        text.append(f": {run.detail}")
    elif run.state != "left out":
        text.append(f" in {run.seconds:.1f} s", style="dim")
    return text


def _described(finding: Finding) -> Text:
    message = " ".join(finding.message.split())
    place, name, message = map(_printable, (finding.place, finding.name, message))
    return Text.assemble("  ", (place, "cyan"), ": ", (name, "bold"), ": ", message)


def _summary(report: Report) -> str:
    count = len(report.findings)
    ran = [run for run in report.checks if run.state != "left out"]
    checks = f"{len(ran)} check{'' if len(ran) == 1 else 's'} in {sum(run.seconds for run in ran):.1f} s"
    return f"{count or 'no'} finding{'' if count == 1 else 's'}: {checks}"


def _printable(text: str) -> str:
    """Control characters are escaped, since a terminal would obey them."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _xml(text: str) -> str:
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)
