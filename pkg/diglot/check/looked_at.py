"""How much a check looked at, so that a green one says what it is green about."""

from __future__ import annotations

from collections.abc import Mapping

from diglot.check.sources import source_files
from diglot.errors import MigrationTreeError
from diglot.migrate.tree import MigrationTree
from diglot.project import Project
from diglot.schema.model import Schema

LookedAt = Mapping[str, int]
"""The number of things, by what they are called: ``{"files": 4, "queries": 31}``."""


def queries(project: Project) -> LookedAt:
    """The query files of both dialects, and the queries in them."""
    files = [file for dialect in project.dialects for file in source_files(project, dialect)]
    return {"files": len(files), "queries": sum(len(file.names) for file in files)}


def migrations(project: Project) -> LookedAt:
    """The files of the migrations of both dialects; a folder that can't be read is a finding, and counts nothing."""
    files = found = 0
    for dialect in project.dialects:
        try:
            tree = MigrationTree.scan(project.migration_folder(dialect), dialect)
        except MigrationTreeError:
            continue
        found += len(tree.migrations)
        files += sum(1 + (migration.rollback_file is not None) for migration in tree.migrations)
    return {"files": files, "migrations": found}


def objects(*schemas: Schema) -> LookedAt:
    """What is compared: tables, columns, keys, indexes, CHECKs, triggers and views."""
    tables = [table for schema in schemas for table in schema.tables]
    inside = sum(
        len(part)
        for table in tables
        for part in (table.columns, table.indexes, table.foreign_keys, table.checks, table.triggers)
    )
    keys = sum(table.primary_key is not None for table in tables)
    views = sum(len(schema.views) for schema in schemas)
    return {"tables": len(tables), "objects": len(tables) + inside + keys + views}


def shown(counts: LookedAt) -> str:
    """``4 files, 31 queries``."""
    return ", ".join(f"{count} {_singular(name) if count == 1 else name}" for name, count in counts.items())


def _singular(name: str) -> str:
    return "query" if name == "queries" else name.removesuffix("s")
