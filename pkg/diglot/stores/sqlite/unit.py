"""A transaction or a snapshot on one SQLite connection: how its commands and statements are sent, and how they fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any, TypeVar

from diglot.errors import DatabaseError, QueryResultError
from diglot.sql.session import Batches, Row, Statement, Values
from diglot.stores.sqlite import statements
from diglot.stores.sqlite.connection import Link
from diglot.stores.transaction import Mark, Unit

T = TypeVar("T")


class SQLiteUnit(Unit):
    """``lost``: SQLite rolled back by itself (disk full, interrupted), or the unit has ended."""

    __slots__ = ("drop", "link", "release_link")
    dialect = "sqlite"

    def __init__(self, link: Link, release: Callable[[], None], drop: Callable[[], None], *, read_only: bool) -> None:
        super().__init__(read_only=read_only)
        self.link = link
        self.release_link = release
        self.drop = drop
        """Called instead of ``release_link``: close the connection, which is unusable."""

    def begin(self) -> None:
        """A transaction begins IMMEDIATE, so that nothing it has read can change before it writes."""
        self.command("begin" if self.read_only else "begin immediate")

    # --- statements ----------------------------------------------------------------------------------------

    def rows(self, statement: Statement, values: Values) -> list[Row]:
        return self._run(statements.rows, statement, values)

    def count(self, statement: Statement, values: Values) -> int:
        return self._run(statements.count, statement, values)

    def columns(self, statement: Statement, values: Values) -> tuple[list[str], list[Row]]:
        return self._run(statements.columns, statement, values)

    def many(self, statement: Statement, batch: Sequence[Values]) -> int:
        return self._run(statements.many, statement, batch)

    def script(self, statement: Statement) -> None:
        self._run(statements.script, statement, ())

    def together(self, calls: Sequence[tuple[Statement, Values]]) -> list[list[Row]]:
        return [self._run(statements.rows, statement, values) for statement, values in calls]

    def stream(self, statement: Statement, values: Values, size: int) -> Batches:
        with closing(self._run(statements.cursor, statement, values)) as cursor:
            while batch := self._run(lambda link, _, size: statements.fetch(link, cursor, size), statement, size):
                yield batch

    def command(self, text: str) -> None:
        """BEGIN, COMMIT and the like; a failure raises our error and ends the unit."""
        try:
            self.link.command(text)
        except Exception as error:
            raise self._failure(error, None, writing=True) from error

    def _run(self, run: Callable[[Link, Statement, Any], T], statement: Statement, values: Any) -> T:
        try:
            answer = run(self.link, statement, values)
        except Exception as error:
            raise self._failure(error, statement.query, writing=not self.read_only) from error
        except BaseException as interruption:
            self.failed = type(interruption).__name__
            raise
        if not self.link.connection.in_transaction:
            self.lost = True
            raise self.ended_by(statement.query)
        return answer

    def _failure(self, error: Exception, query: str | None, *, writing: bool) -> BaseException:
        """Our error, after which nothing more can run."""
        begun = self.link.connection.in_transaction
        failure = self.link.failure(error, query, writing=writing and begun)
        if begun and isinstance(failure, QueryResultError):
            return failure  # the statement itself succeeded
        self.failed = str(failure) or type(failure).__name__
        self.lost = not begun
        return failure

    # --- its end and its savepoints ------------------------------------------------------------------------

    def _commit(self) -> None:
        self.command("commit")

    def _set(self, mark: Mark) -> None:
        self.command(f"savepoint {mark.name}")

    def _release(self, mark: Mark) -> None:
        self.command(f"release {mark.name}")

    def _undo(self, mark: Mark) -> bool:
        try:
            self.command(f"rollback to {mark.name}")
            self.command(f"release {mark.name}")
        except DatabaseError:
            return False  # the block's own error is the one to raise
        return True
