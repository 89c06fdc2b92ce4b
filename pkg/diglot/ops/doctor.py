"""Looks a database over without changing anything: what is wrong with it, and the command that puts it right.

Each check is ``ok``, ``warning`` (it works, and somebody should know), ``wrong``, or ``unknown`` with the reason: what
could not be looked at is never counted as good.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Literal

import msgspec

from diglot.errors import DatabaseDamaged, DiglotError
from diglot.ops.settings import patient
from diglot.stores import open_store
from diglot.stores.session import Store
from diglot.stores.settings import PostgresSettings, SQLiteSettings

if TYPE_CHECKING:
    from diglot.project import Project

State = Literal["ok", "warning", "wrong", "unknown"]


class Finding(msgspec.Struct, frozen=True):
    """``fix``: a command, or what to do; empty where there is nothing to do."""

    check: str
    state: State
    detail: str
    fix: str = ""


class Diagnosis(msgspec.Struct, frozen=True):
    """``ok``: nothing is wrong. Warnings and what is unknown leave it so."""

    database: str
    findings: list[Finding]

    @property
    def ok(self) -> bool:
        return all(finding.state != "wrong" for finding in self.findings)


class Limits(msgspec.Struct, frozen=True):
    """Seconds from which on a transaction is open for long, and idle for long in one."""

    open: float = 3600.0
    idle: float = 300.0


Check = tuple[str, Callable[[], Finding]]


def doctor(
    project: Project | None,
    settings: SQLiteSettings | PostgresSettings,
    *,
    deep: bool = False,
    postgres_url: str | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> Diagnosis:
    """Every check. ``deep``: also those that read all of the database. ``postgres_url``: a server for the scratch
    database that the schema of a PostgreSQL database is compared with; by default the embedded one.

    No error is raised for a database that is down, damaged or not there: that is a finding.
    """
    looking = patient(settings)
    if isinstance(looking, SQLiteSettings):
        looking = msgspec.structs.replace(looking, read_only=True)
    location = settings.path if isinstance(settings, SQLiteSettings) else ""
    findings: list[Finding] = []
    try:
        with open_store(looking) as store:
            location = store.location
            for name, check in _checks(project, store, deep, postgres_url, limits):
                findings.append(_run(name, check))
                if name == "reachable" and findings[-1].state == "wrong":
                    break
    except DiglotError as error:
        findings.append(Finding("reachable", "wrong", str(error)))
    return Diagnosis(location, findings)


def _checks(
    project: Project | None, store: Store, deep: bool, postgres_url: str | None, limits: Limits
) -> Iterator[Check]:
    yield from import_module(f"diglot.ops.{store.dialect}.doctor").checks(store, deep, limits)
    if project is not None and project.migrations is not None:
        yield "migrations", lambda: _migrations(project, store)
        yield "drift", lambda: _drift(project, store, postgres_url)
    else:
        yield "migrations", lambda: Finding("migrations", "unknown", "this project has no migrations")


def _run(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except DatabaseDamaged as error:
        return Finding(name, "wrong", str(error), "diglot restore BACKUP --replace")
    except DiglotError as error:
        return Finding(name, "wrong" if name == "reachable" else "unknown", str(error))
    except OSError as error:
        return Finding(name, "unknown", f"{error.filename}: {error.strerror}")


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
        return Finding("drift", "unknown", "the migrations are not all applied, or not as they are")
    try:
        from diglot.check.scratch import scratch_postgres, scratch_sqlite
        from diglot.drift import drift, load_allowed
        from diglot.schema.read import read_schema
    except ImportError as error:
        return Finding("drift", "unknown", f"it needs {error.name}: pip install 'diglot[check]'")
    live = read_schema(store)
    if store.dialect == "sqlite":
        with scratch_sqlite(project.migrations) as scratch:
            made = read_schema(scratch)
    else:
        with scratch_postgres(project.migrations, postgres_url) as scratch:
            made = read_schema(scratch)
    allowed = load_allowed(project.allowed) if project.allowed is not None else load_allowed()
    result = drift(made, live, allowed, utc_now().date())
    if result.differences:
        first = result.differences[0]
        more = f" and {len(result.differences) - 1} more" if len(result.differences) > 1 else ""
        detail = f"not as the migrations make it: {first.kind} {first.name} of {first.table}: {first.message}{more}"
        return Finding("drift", "wrong", detail, "write a migration, or undo what was done by hand")
    return Finding("drift", "ok", f"{len(live.tables)} tables as the migrations make them")
