"""Where the migrations of a dialect mention a column."""

from __future__ import annotations

from diglot.errors import MigrationError
from diglot.migrate.tree import MigrationTree
from diglot.project import Project
from diglot.sql.session import Dialect


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
