"""Whether the columns keep the values that queries write, and give back what queries read."""

from __future__ import annotations

from diglot.check.catalog import Catalog, read_catalog
from diglot.check.finding import Finding
from diglot.check.narrow_integers import check_narrow_integers
from diglot.check.postgres_defaults import check_postgres_defaults
from diglot.check.stored import check_stored
from diglot.project import Project
from diglot.stores.store import Store


def check_values(project: Project, postgres: Store | None, sqlite: Store | None, catalog: Catalog) -> list[Finding]:
    """``catalog`` is PostgreSQL's; empty without it."""
    findings: list[Finding] = []
    if "postgres" not in project.dialects:
        postgres = None
    if "sqlite" not in project.dialects:
        sqlite = None
    if postgres is not None:
        findings += check_postgres_defaults(project, postgres, catalog)
    if sqlite is not None:
        findings += check_stored(project, sqlite, read_catalog(sqlite, catalog))
    if postgres is not None and sqlite is not None:
        findings += check_narrow_integers(project, postgres, sqlite)
    return findings
