"""Checks a database without changing anything: what is wrong with it, and the command that fixes it.

Each check is ``ok``, ``warning`` (it works, but somebody should know), ``wrong``, or ``unknown`` with the reason: a
check that could not be made never counts as good.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from diglot.errors import DatabaseDamaged, DiglotError
from diglot.ops.settings import dialect_of, for_reading
from diglot.ops.still import look_until_still
from diglot.stores import open_store
from diglot.stores.settings import PostgresSettings, SQLiteSettings
from diglot.stores.sqlite.path import MEMORY
from diglot.stores.store import Store

if TYPE_CHECKING:
    from diglot.project import Project

State = Literal["ok", "warning", "wrong", "unknown"]


class Finding(msgspec.Struct, frozen=True):
    """``fix``: a command, or what to do; empty if there is nothing to do."""

    check: str
    state: State
    detail: str
    fix: str = ""


class Diagnosis(msgspec.Struct, frozen=True):
    """``ok``: nothing is wrong; there may be warnings and unknown checks."""

    database: str
    findings: list[Finding]

    @property
    def ok(self) -> bool:
        return all(finding.state != "wrong" for finding in self.findings)


class Limits(msgspec.Struct, frozen=True):
    """Seconds after which a transaction counts as open too long, and a session as idle too long in a transaction."""

    open: float = 3600.0
    idle: float = 300.0


class Look(NamedTuple):
    """What a check looks at, and how thoroughly."""

    store: Store
    deep: bool
    limits: Limits


Checks = Mapping[str, Callable[[Look], Finding]]
"""By name, in the order that is shown. The first says whether the database can be read at all."""


def doctor(
    project: Project | None,
    settings: SQLiteSettings | PostgresSettings,
    *,
    deep: bool = False,
    postgres_url: str | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> Diagnosis:
    """Runs every check. ``deep``: also those that read the whole database. ``postgres_url``: a server for the scratch
    database that the schema of a PostgreSQL database is compared with; by default the embedded one.

    A database that is down, damaged or missing raises no error: that is a finding.
    """
    looking = for_reading(settings)
    checks: Checks = import_module(f"diglot.ops.{dialect_of(settings)}.doctor").checks(deep)
    if project is not None and project.migrations is not None:
        checks = {
            **checks,
            "migrations": lambda look: _migrations(project, look.store),
            "drift": lambda look: _drift(project, look.store, postgres_url),
        }
    try:
        findings = look_until_still(looking, lambda: _look(checks, looking, deep, limits))
    except DiglotError as error:
        findings = _unreadable_at_all(checks, error)
    if isinstance(settings, SQLiteSettings) and settings.path != MEMORY:
        from diglot.ops.sqlite.around import CHECKS

        path = Path(settings.path)
        findings += [_run(name, partial(check, path)) for name, check in CHECKS.items()]
    if project is None or project.migrations is None:
        findings.append(Finding("migrations", "unknown", "this project has no migrations"))
    return Diagnosis(_location(settings), findings)


def _location(settings: SQLiteSettings | PostgresSettings) -> str:
    if isinstance(settings, SQLiteSettings):
        return settings.path
    from diglot.stores.postgres.connection import location

    return location(settings)


def _look(checks: Checks, settings: SQLiteSettings | PostgresSettings, deep: bool, limits: Limits) -> list[Finding]:
    try:
        with open_store(settings) as store:
            look = Look(store, deep, limits)
            findings = []
            for name, check in checks.items():
                findings.append(_run(name, partial(check, look)))
                if findings[0].state == "wrong":
                    break
    except DiglotError as error:
        return _unreadable_at_all(checks, error)
    return findings + [Finding(name, "unknown", NOT_READ) for name in list(checks)[len(findings) :]]


NOT_READ = "the database can't be read"


def _unreadable_at_all(checks: Checks, error: DiglotError) -> list[Finding]:
    first, *others = checks
    return [_unreadable(first, error), *(Finding(name, "unknown", NOT_READ) for name in others)]


def _unreadable(name: str, error: DiglotError) -> Finding:
    fix = RESTORE if isinstance(error, DatabaseDamaged) else ""
    return Finding(name, "wrong", str(error), fix)


RESTORE = "diglot restore BACKUP --replace"


def _run(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except DatabaseDamaged as error:
        return _unreadable(name, error)
    except DiglotError as error:
        return _unreadable(name, error) if name == "reachable" else Finding(name, "unknown", str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return Finding(name, "unknown", f"{where}{error.strerror or error}")


def _migrations(project: Project, store: Store) -> Finding:
    from diglot.database import utc_now
    from diglot.migrate.runner import Migrator

    found = Migrator(store, project.migration_tree(store.dialect), timeout=0.0, clock=utc_now).status()
    for state, fix in (
        ("unknown", "use the version of the project that applied it"),
        ("edited", "restore the file, or 'diglot migrate bless'"),
        ("pending", "diglot migrate up"),
    ):
        ids = [one.id for one in found if one.state == state]
        if ids:
            return Finding("migrations", "wrong", f"{state}: {', '.join(ids)}", fix)
    return Finding("migrations", "ok", f"{len(found)} applied")


def _drift(project: Project, store: Store, postgres_url: str | None) -> Finding:
    from diglot.database import utc_now

    if _migrations(project, store).state != "ok":
        return Finding("drift", "unknown", "some migrations are pending, edited or unknown")
    try:
        from diglot.check.scratch import migrate, scratch_postgres
        from diglot.drift import drift, load_allowed
        from diglot.schema.read import read_schema
    except ImportError as error:
        return Finding("drift", "unknown", f"it needs {error.name}: pip install 'diglot[check]'")
    live = read_schema(store)
    if store.dialect == "sqlite":
        with open_store(SQLiteSettings(path=MEMORY)) as scratch:  # creates no file and needs no folder
            migrate(scratch, project.migrations)
            made = read_schema(scratch)
    else:
        with scratch_postgres(project.migrations, postgres_url) as scratch:
            made = read_schema(scratch)
    allowed = load_allowed(project.allowed) if project.allowed is not None else load_allowed()
    result = drift(made, live, allowed, utc_now().date())
    if result.differences:
        first = result.differences[0]
        more = f" and {len(result.differences) - 1} more" if len(result.differences) > 1 else ""
        detail = f"not as the migrations create it: {first.kind} {first.name} of {first.table}: {first.message}{more}"
        return Finding("drift", "wrong", detail, "write a migration, or undo what was done by hand")
    return Finding("drift", "ok", f"{len(live.tables)} tables as the migrations create them")
