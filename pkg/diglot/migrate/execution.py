"""One migration on the locked connection: its statements, its mark, its log line and its checksums, all or nothing.

The exception is a PostgreSQL migration with ``-- transactional: false`` (create index concurrently): each of its
statements is committed separately, and the mark follows right after the last. If the process is killed in between, the
migration runs again from its start.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from diglot.errors import LockTimeout, MigrationFailed
from diglot.migrate.bookkeeping import Books, open_books
from diglot.migrate.status import Applied, Clock
from diglot.migrate.tree import Migration
from diglot.sql.session import Dialect
from diglot.sql.statements import SqlStatement

# A session that waits for a table's lock blocks all later ones. So: wait a little, let them pass, try again.
LONGEST_WAIT_FOR_A_TABLE = 2.0
PAUSE = 0.1

T = TypeVar("T")
_BOOKS = "the tables that record the migrations"
_UNDONE = "the database is as it was before"
_ONE_BY_ONE = "the statements before it are applied: fix it, and the migration runs again from its start"


class Execution:
    """Applies and rolls back on a connection that holds the migration lock."""

    def __init__(
        self, connection: Any, dialect: Dialect, clock: Clock, timeout: float, statement_timeout: float
    ) -> None:
        self._books: Books = open_books(connection, dialect, clock)
        self._timeout = timeout
        self._statement_timeout = statement_timeout
        self._prepared = False

    def applied(self) -> list[Applied]:
        """The applied migrations, now that nobody else can change them."""
        return self._patiently(_BOOKS, self._books.applied)

    def apply(self, migration: Migration) -> None:
        """MigrationFailed when a statement is refused, LockTimeout when somebody holds a table too long."""
        self._run(migration, migration.file, migration.statements(), self._books.record)

    def roll_back(self, migration: Migration) -> None:
        """As ``apply``, for the rollback file."""
        statements = migration.rollback_statements()
        self._run(migration, migration.rollback_file or migration.file, statements, self._books.forget)

    def accept(self, migrations: list[Migration]) -> None:
        """Accept their files as they are now as what was applied."""

        def record() -> None:
            with self._books.atomically():
                for migration in migrations:
                    self._books.record_checksums(migration)

        self._prepare()
        self._patiently(_BOOKS, record)

    def _run(
        self, migration: Migration, file: str, statements: list[SqlStatement], book: Callable[[Migration], None]
    ) -> None:
        def in_one_transaction() -> None:
            with self._books.atomically():
                self._books.limit(min(LONGEST_WAIT_FOR_A_TABLE, self._timeout), self._statement_timeout)
                for number, statement in enumerate(statements, start=1):
                    with self._explained(file, number, statement, _UNDONE, again=True):
                        self._books.run(statement.text)
                self._refuse_orphans(file)
                book(migration)

        def one_by_one() -> None:
            self._books.limit(self._timeout, self._statement_timeout)
            for number, statement in enumerate(statements, start=1):
                with self._explained(file, number, statement, _ONE_BY_ONE, again=False):
                    self._books.run(statement.text)
            with self._books.atomically():
                book(migration)

        if self._books.in_one_transaction and not migration.transactional:
            raise MigrationFailed(
                f"{file}: '-- transactional: false' does not work through a connection pooler: migrate with the "
                f"address of the server itself; {_UNDONE}"
            )
        self._prepare()
        self._patiently(file, in_one_transaction if migration.transactional else one_by_one)

    def _prepare(self) -> None:
        if not self._prepared:
            self._patiently(_BOOKS, self._books.prepare)
            self._prepared = True

    @contextmanager
    def _explained(
        self, file: str, number: int, statement: SqlStatement, consequence: str, again: bool
    ) -> Iterator[None]:
        """Raises the database's error as MigrationFailed; ``again``: not one that a retry may avoid."""
        try:
            yield
        except self._books.errors as error:
            if again and self._books.is_busy(error):
                raise
            message, line = self._books.explain(error, statement)
            raise MigrationFailed(f"{file}:{line}: statement {number}: {message}; {consequence}") from error

    def _refuse_orphans(self, file: str) -> None:
        orphans = self._books.orphans()
        if orphans:
            raise MigrationFailed(
                f"{file}: it would leave rows that refer to missing rows ({', '.join(orphans)}); {_UNDONE}"
            )

    def _patiently(self, what: str, work: Callable[[], T]) -> T:
        """Call it, and retry while another session holds a lock that it needs, until the timeout."""
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                return work()
            except self._books.errors as error:
                if not self._books.is_busy(error):
                    raise MigrationFailed(f"{what}: {self._books.explain(error, None)[0]}") from error
                if time.monotonic() + PAUSE > deadline:
                    raise LockTimeout(
                        f"{what}: another session held a lock that it needs for more than {self._timeout:g} s; "
                        "nothing was changed: end that session, or raise the timeout"
                    ) from error
            time.sleep(PAUSE)
