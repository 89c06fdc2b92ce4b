"""Where the migrations mention a table or a column."""

from __future__ import annotations

from pathlib import Path

from diglot.errors import MigrationError
from diglot.migrate.tree import MigrationTree
from diglot.project import Project
from diglot.sql.session import DIALECTS, Dialect
from diglot.text_file import shown


def place_of_column(project: Project, dialect: Dialect, table: str, column: str) -> tuple[str, int] | None:
    """The file and the line of the last statement that names both; None without one, or without migrations."""
    if project.migrations is None:
        return None
    found: tuple[str, int] | None = None
    try:
        for migration in MigrationTree.scan(project.migration_folder(dialect), dialect):
            for statement in migration.written():
                words = [word.lower() for word in statement.words]
                if table.lower() in words and column.lower() in words:
                    found = migration.file, statement.line
    except MigrationError:  # the check of the migrations reports it
        return found
    return found


def place_of_name(project: Project, table: str, name: str) -> tuple[str, int]:
    """The first statement that has this name of the table, else the table; PostgreSQL's side first."""
    fallback: tuple[str, int] | None = None
    for dialect in DIALECTS:
        for migration in MigrationTree.scan(project.migration_folder(dialect), dialect):
            for statement in migration.written():
                words = [word.lower() for word in statement.words]
                if table.lower() not in words:
                    continue
                fallback = fallback or (migration.file, statement.line)
                if name.lower() in words:
                    return migration.file, statement.line
    return fallback or (shown(project.migrations or Path()), 1)
