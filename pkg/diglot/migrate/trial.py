"""Runs migrations on a temporary database: no lock, no marks, no checksums, and files with their own transactions, as
other tools run them.

Databases with data are migrated by ``runner``. Statements, transactions and the database's errors are
those of ``bookkeeping`` in both.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from diglot.errors import MigrationFailed
from diglot.migrate.bookkeeping import Books, open_books
from diglot.migrate.tree import Migration, MigrationTree
from diglot.sql.statements import SqlStatement
from diglot.stores.sqlite.double_quotes import taken_for_text
from diglot.stores.store import Store

LOCK_WAIT = 30.0
_NO_EXTENSION = "0A000"
"""The embedded server has no extensions but plpgsql and vector."""


def apply_all(store: Store, tree: MigrationTree) -> None:
    """Apply all of them in their order; MigrationFailed with the place of the first statement that is refused.

    MigrationTreeError if the tree has a file that nothing would run.
    """
    tree.refuse_strays()
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
    books = open_books(connection, migration.dialect, lambda: datetime.now(UTC))
    own = any(statement.transaction_control for statement in statements)
    with books.atomically() if migration.transactional and not own else _nothing_left_open(books):
        for statement in statements:
            misnamed = taken_for_text(connection, statement.text) if migration.dialect == "sqlite" else None
            if misnamed is not None:
                raise MigrationFailed(f"{file}:{statement.line}: {misnamed}")
            try:
                books.run(statement.text)
            except books.errors as error:
                message, line = books.explain(error, statement)
                if getattr(error, "sqlstate", None) == _NO_EXTENSION and "extension" in message:
                    message += "; name a server that has it with --postgres-url"
                raise MigrationFailed(f"{file}:{line}: {message}") from error


@contextmanager
def _nothing_left_open(books: Books) -> Iterator[None]:
    """The file begins and commits itself: what it began when it failed is rolled back."""
    try:
        yield
    except BaseException:
        with suppress(*books.errors):
            books.rollback()
        raise
