"""Runs migrations on a database that is thrown away: no lock, no marks, no checksums, and files as other tools run
them, with transactions of their own.

What has rows that somebody needs is migrated by ``runner``.
"""

from __future__ import annotations

from typing import Any

from diglot.errors import MigrationFailed
from diglot.migrate.statements import SqlStatement
from diglot.migrate.tree import Migration, MigrationTree
from diglot.stores.session import Dialect, Store

LOCK_WAIT = 30.0


def apply_all(store: Store, tree: MigrationTree) -> None:
    """Apply all of them in their order; MigrationFailed with the place of the first statement that is refused."""
    with store.migration_connection(LOCK_WAIT) as connection:
        for migration in tree:
            apply(connection, migration)


def apply(connection: Any, migration: Migration) -> None:
    """Run its file on the driver's own connection, in autocommit: all or nothing where it is transactional."""
    _run(connection, migration, migration.file, migration.written())


def roll_back(connection: Any, migration: Migration) -> None:
    """As ``apply``, for its rollback file."""
    _run(connection, migration, migration.rollback_file or "", migration.rollback_written())


def _run(connection: Any, migration: Migration, file: str, statements: list[SqlStatement]) -> None:
    own = any(statement.transaction_control for statement in statements)
    transactional = migration.transactional and not own
    if transactional:
        _execute(connection, migration.dialect, "begin")
    try:
        for statement in statements:
            _statement(connection, migration.dialect, statement, file)
    except BaseException:
        _undo(connection, migration.dialect)
        raise
    if transactional:
        _execute(connection, migration.dialect, "commit")


def _statement(connection: Any, dialect: Dialect, statement: SqlStatement, file: str) -> None:
    try:
        _execute(connection, dialect, statement.text)
    except Exception as error:
        message, line = _explained(error, dialect, statement)
        raise MigrationFailed(f"{file}:{line}: {message}") from error


def _execute(connection: Any, dialect: Dialect, sql: str) -> None:
    if dialect == "sqlite":
        connection.execute(sql).close()
        return
    import psycopg

    # As bytes and with the plain cursor: nothing in it is a placeholder.
    with psycopg.Cursor(connection) as cursor:
        cursor.execute(sql.encode(), prepare=False)


def _undo(connection: Any, dialect: Dialect) -> None:
    if dialect == "sqlite":
        if connection.in_transaction:
            connection.execute("rollback").close()
    elif not connection.closed:
        connection.execute("rollback")


def _explained(error: Exception, dialect: Dialect, statement: SqlStatement) -> tuple[str, int]:
    """What the database says, and the line that it speaks of."""
    if dialect == "sqlite":
        return str(error), statement.line
    diagnosis = getattr(error, "diag", None)
    message = getattr(diagnosis, "message_primary", None) or str(error)
    position = getattr(diagnosis, "statement_position", None)
    return message, statement.line_at(int(position) - 1) if position else statement.line
