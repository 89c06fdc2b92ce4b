"""All checks, in their order, on databases that are created for them and dropped afterwards.

A check that the project has nothing for is skipped; one that can't run because the migrations can't be applied says
so, as does one that found no file to look at. Every check runs to its end, even if earlier ones found something.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import msgspec

from diglot.check import looked_at
from diglot.check.finding import Finding, Outcome
from diglot.check.scratch import migrate, postgres_server, scratch_database, scratch_sqlite
from diglot.errors import ConfigurationError, MigrationError
from diglot.project import Project
from diglot.sql.session import DIALECTS, Dialect
from diglot.stores.settings import PostgresSettings
from diglot.stores.store import Store

CheckName = Literal["headers", "parity", "prepare", "plans", "migrations", "drift"]
CHECKS: tuple[CheckName, ...] = get_args(CheckName)
State = Literal["passed", "failed", "left out", "nothing to check"]

_NEEDS: dict[CheckName, tuple[str, ...]] = {
    "headers": ("queries",),
    "parity": ("queries",),
    "prepare": ("queries", "migrations"),
    "plans": ("queries", "migrations"),
    "migrations": ("migrations",),
    "drift": ("migrations",),
}
_COMPARES = ("parity", "drift")
"""Those that need both dialects."""


class CheckRun(msgspec.Struct, frozen=True):
    """One check; ``detail`` says why it was skipped, ``note`` what it did not look at.

    ``unknowns``: what it could not prove. ``looked_at``: how many things of each kind it looked at.
    """

    name: CheckName
    state: State
    seconds: float
    findings: list[Finding]
    detail: str = ""
    note: str = ""
    unknowns: list[Finding] = []
    looked_at: Mapping[str, int] = {}

    @property
    def ran(self) -> bool:
        return self.state in ("passed", "failed")


class Report(msgspec.Struct, frozen=True):
    """The result of ``diglot check``. It passed if there are no findings."""

    checks: list[CheckRun]

    @property
    def findings(self) -> list[Finding]:
        return [finding for run in self.checks for finding in run.findings]

    @property
    def unknowns(self) -> list[Finding]:
        return [unknown for run in self.checks for unknown in run.unknowns]

    @property
    def is_empty(self) -> bool:
        """Whether no check had anything to look at."""
        return not any(run.ran for run in self.checks)


def run_checks(
    project: Project,
    *,
    only: Sequence[CheckName] = (),
    postgres_url: str | None = None,
    allowed: Path | None = None,
    strict: bool = False,
    today: date,
    progress: Callable[[CheckName], None] = lambda _: None,
) -> Report:
    """Run those of ``only``, or all that the project has something for.

    ``allowed`` is the file of accepted drift, by default ``drift.toml`` of the working directory. With ``strict``,
    what is unknown is a finding. ConfigurationError if a check of ``only`` lacks what it needs, or there is no
    PostgreSQL; DatabaseUnavailable.
    """
    reasons = {name: _left_out(name, project) for name in (only or CHECKS)}
    for name, reason in reasons.items():
        if only and reason:
            raise ConfigurationError(f"the check {name} can't run: {reason}")
    if all(reasons.values()):
        raise ConfigurationError("there is nothing to check: name a folder with --queries or --migrations")
    for dialect in project.dialects:  # report what is missing before a server is started
        if project.queries is not None:
            project.query_files(dialect)
        if project.migrations is not None:
            project.migration_folder(dialect)
    runs = []
    with _Databases(project, postgres_url) as databases:
        for name in CHECKS:
            if name not in reasons:
                continue
            if reasons[name]:
                runs.append(CheckRun(name, "left out", 0.0, [], reasons[name]))
                continue
            progress(name)
            runs.append(_run(name, project, databases, allowed, today, strict=strict))
    return Report(_without_echoes(runs))


def _left_out(name: CheckName, project: Project) -> str:
    """Why the project can't have this check; "" if it can."""
    for what in _NEEDS[name]:
        if getattr(project, what) is None:
            return f"it needs {what}: name their folder with --{what}"
    if name in _COMPARES and len(project.dialects) < len(DIALECTS):
        return "it compares the two dialects"
    return ""


def _run(
    name: CheckName, project: Project, databases: _Databases, allowed: Path | None, today: date, *, strict: bool
) -> CheckRun:
    start = time.monotonic()
    detail = ""
    looked: Mapping[str, int] = {}
    try:
        outcome, looked = _outcome(name, project, databases, allowed, today)
    except MigrationError as error:
        from diglot.check.migrations import finding_of

        outcome, detail = Outcome([finding_of(error, project)]), "the migrations can't be applied"
    findings = sorted({*outcome.findings, *(outcome.unknowns if strict else ())}, key=_by_place)
    unknowns = [] if strict else sorted(set(outcome.unknowns), key=_by_place)
    seconds = round(time.monotonic() - start, 3)
    note = outcome.note or _note(name, project)
    return CheckRun(name, _state(findings, looked), seconds, findings, detail, note, unknowns, looked)


def _note(name: CheckName, project: Project) -> str:
    if name not in ("prepare", "plans"):
        return ""
    from diglot.check.variants import not_all_tried

    return not_all_tried(project)


def _state(findings: list[Finding], looked: Mapping[str, int]) -> State:
    if findings:
        return "failed"
    return "nothing to check" if looked and not any(looked.values()) else "passed"


def _outcome(
    name: CheckName, project: Project, databases: _Databases, allowed: Path | None, today: date
) -> tuple[Outcome, Mapping[str, int]]:
    """Each check is imported when it runs: a project with migrations alone needs nothing of the others."""
    if name == "headers":
        from diglot.check.headers import check_headers

        return Outcome(check_headers(project)), looked_at.queries(project)
    if name == "parity":
        from diglot.check.parity import check_parity

        return Outcome(check_parity(project)), looked_at.queries(project)
    if name == "prepare":
        from diglot.check.prepare import check_prepare

        return check_prepare(project, databases.postgres, databases.sqlite), looked_at.queries(project)
    if name == "plans":
        from diglot.check.plans import check_plans

        return Outcome(check_plans(project, databases.postgres, databases.sqlite)), looked_at.queries(project)
    if name == "migrations":
        from diglot.check.migrations import check_migrations

        with databases.empty() as empty:
            findings = check_migrations(project, empty.get("postgres"), empty.get("sqlite"))
        return Outcome(findings), looked_at.migrations(project)
    return _drift(project, databases, allowed, today)


def _drift(
    project: Project, databases: _Databases, allowed: Path | None, today: date
) -> tuple[Outcome, Mapping[str, int]]:
    from diglot.check.places import place_of_name
    from diglot.drift import drift, load_allowed
    from diglot.schema.read import read_schema

    assert databases.postgres is not None  # noqa: S101 - the check runs with both dialects
    assert databases.sqlite is not None  # noqa: S101
    left, right = read_schema(databases.postgres), read_schema(databases.sqlite)
    findings = []
    result = drift(left, right, load_allowed(allowed), today)
    for each in result.differences:
        path, line = place_of_name(project, each.table, each.name)
        name = f"{each.table}.{each.name}" if each.name not in ("", each.table) else each.table
        message = f"{each.kind}: {each.message}".replace("on the left", "on PostgreSQL").replace(
            "on the right", "on SQLite"
        )
        findings.append(Finding("drift", path, line, 1, name, message))
    unknowns = []
    for note in result.notes:
        if note.kind == "unknown":
            table, _, column = note.places[0].partition(".")
            unknowns.append(Finding("drift", *place_of_name(project, table, column), 1, note.places[0], note.line))
    not_enforced = "; ".join(note.line for note in result.notes if note.kind == "not enforced")
    return Outcome(findings, unknowns, not_enforced), looked_at.objects(left, right)


def _by_place(finding: Finding) -> tuple[str, int, int, str, str]:
    return finding.path, finding.line, finding.column, finding.name, finding.message


def _without_echoes(runs: list[CheckRun]) -> list[CheckRun]:
    """A query that can't be prepared can't be planned either, and a migration that fails, fails once."""
    unprepared = {f.name for run in runs if run.name == "prepare" for f in run.findings}
    failed = {(f.path, f.line) for run in runs if run.name == "migrations" for f in run.findings}
    kept = []
    for run in runs:
        findings = run.findings
        if run.name == "plans":
            findings = [f for f in findings if not (" can't plan it" in f.message and f.name in unprepared)]
        if run.detail and failed and all((f.path, f.line) in failed for f in findings):
            kept.append(CheckRun(run.name, "left out", run.seconds, [], run.detail))
        else:
            state = _state(findings, run.looked_at)
            kept.append(msgspec.structs.replace(run, findings=findings, state=state) if not run.detail else run)
    return kept


class _Databases(ExitStack):
    """Scratch databases, created on first use; None for a dialect that is not checked."""

    def __init__(self, project: Project, postgres_url: str | None) -> None:
        super().__init__()
        self._project = project
        self._postgres_url = postgres_url

    @cached_property
    def postgres(self) -> Store | None:
        """Migrated."""
        return self._migrated("postgres")

    @cached_property
    def sqlite(self) -> Store | None:
        """Migrated."""
        return self._migrated("sqlite")

    @contextmanager
    def empty(self) -> Iterator[dict[Dialect, Store]]:
        """A new one of each dialect, for as long as the ``with`` lasts."""
        with ExitStack() as stack:
            yield {dialect: self._scratch(stack, dialect) for dialect in self._project.dialects}

    def _migrated(self, dialect: Dialect) -> Store | None:
        if dialect not in self._project.dialects:
            return None
        self._project.migration_folder(dialect)
        store = self._scratch(self, dialect)
        migrate(store, self._project.migrations)
        return store

    def _scratch(self, stack: ExitStack, dialect: Dialect) -> Store:
        if dialect == "sqlite":
            return stack.enter_context(scratch_sqlite(None))
        return stack.enter_context(scratch_database(self._server))

    @cached_property
    def _server(self) -> PostgresSettings:
        return self.enter_context(postgres_server(self._postgres_url))
