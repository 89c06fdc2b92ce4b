"""A transaction or a snapshot on one PostgreSQL connection: what is still to be sent on it, and how it fails.

BEGIN and SAVEPOINT are sent with the first statement after them; a transaction without statements sends nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from diglot.errors import DatabaseReadOnly, OutcomeUnknown, TransactionError
from diglot.sql.session import Batches, Row, Statement, Values
from diglot.stores.postgres import statements
from diglot.stores.postgres.calls import Calls
from diglot.stores.postgres.connection import Link
from diglot.stores.postgres.errors import is_read_only, is_stale_plan
from diglot.stores.postgres.statements import After, Before, Run, Unreadable, origin
from diglot.stores.transaction import FORKED, Mark, Unit

T = TypeVar("T")
# Not "read write": a database that its operator made read-only stays so. Each statement sees what was committed before.
TRANSACTION = "begin isolation level read committed"
SNAPSHOT = "begin isolation level repeatable read read only"


class PostgresUnit(Unit):
    """``lost``: the connection is gone, and with it the transaction."""

    __slots__ = ("before", "calls", "link", "pid", "stale", "streams", "wrote")
    dialect = "postgres"

    def __init__(self, link: Link, calls: Calls, *, read_only: bool) -> None:
        super().__init__(read_only=read_only)
        self.pid = os.getpid()
        self.link = link
        self.calls = calls
        self.before = [SNAPSHOT if read_only else TRANSACTION, *link.local]
        """To be sent with the next statement, in this order."""
        self.stale = False
        """A prepared statement no longer fits the schema."""
        self.wrote = False
        self.streams = 0

    @property
    def here(self) -> bool:
        return self.pid == os.getpid()

    def begin(self) -> None:
        """Sends nothing yet: BEGIN is sent with the first statement."""

    # --- statements ----------------------------------------------------------------------------------------

    def rows(self, statement: Statement, values: Values) -> list[Row]:
        return self._run(statement.query, statements.rows, statement, values, writes=statement.writes)

    def count(self, statement: Statement, values: Values) -> int:
        return self._run(statement.query, statements.count, statement, values, writes=statement.writes)

    def columns(self, statement: Statement, values: Values) -> tuple[list[str], list[Row]]:
        return self._run(statement.query, statements.columns, statement, values, writes=statement.writes)

    def many(self, statement: Statement, batch: Sequence[Values]) -> int:
        return self._run(statement.query, statements.many, statement, batch, writes=statement.writes)

    def script(self, statement: Statement) -> None:
        self._run(statement.query, statements.script, statement, (), writes=True)

    def together(self, calls: Sequence[tuple[Statement, Values]]) -> list[list[Row]]:
        writes = any(statement.writes for statement, _ in calls)
        return self._run(calls[0][0].query, _together, calls, (), writes=writes)

    def stream(self, statement: Statement, values: Values, size: int) -> Batches:
        self.streams += 1
        name = f"diglot_stream_{self.streams}"
        declare = msgspec.structs.replace(
            statement, text=f"declare {name} no scroll cursor without hold for {statement.text}"
        )
        fetch = msgspec.structs.replace(statement, text=f"fetch forward {size} from {name}")
        self.count(declare, values)
        try:
            while batch := self.rows(fetch, ()):
                yield batch
                if len(batch) < size:
                    break
        finally:
            if self.failed is None and not self.lost:
                self.count(msgspec.structs.replace(statement, text=f"close {name}"), ())

    def _run(self, query: str | None, run: Run[T], statement: Any, values: Any, *, writes: bool) -> T:
        self._refuse_fork_and_close(query)
        self.wrote = self.wrote or writes
        self.before += self.calls.before(self.link, statement, values, run)
        before = self.before[:]
        try:
            try:
                answer = self._call(run, statement, values)
            except Exception as error:
                if not (is_stale_plan(origin(error)) and self._begin_again(before)):
                    raise
                answer = self._call(run, statement, values)
        except Exception as error:
            raise self._failure(error, query) from origin(error)
        except BaseException as interruption:
            self.failed = type(interruption).__name__
            raise
        if self.link.idle:
            raise self.ended_by(query)
        return answer

    def _refuse_fork_and_close(self, query: str | None) -> None:
        if not self.here:
            raise TransactionError(f"this transaction {FORKED}", query=query)
        self.calls.refuse_closed(query)

    def command(self, text: str) -> str:
        """COMMIT, ROLLBACK and the like, in a round trip of their own."""
        self.calls.begin(self.link)
        try:
            return self.link.command(text)
        finally:
            self.calls.end(self.link)

    def _failure(self, error: Exception, query: str | None) -> Exception:
        """Our error, after which nothing more can run, unless the statement itself succeeded."""
        failure, lost = self.calls.failure(
            self.link, error, query, "; the transaction is rolled back, nothing of it was stored"
        )
        if isinstance(error, Unreadable) and not lost:
            return failure
        driver = origin(error)
        if is_read_only(driver) and self.read_only:
            failure = DatabaseReadOnly("the database can't be written in a snapshot, which only reads", query=query)
        elif is_read_only(driver):
            self.link.retire()
        elif is_stale_plan(driver):
            self.calls.pool.renew()  # the plans of the other connections are just as old
            self.stale = True
        self.lost = self.lost or lost
        self.failed = str(failure) or type(failure).__name__
        return failure

    @property
    def _nothing_was_sent(self) -> bool:
        return bool(self.before) and self.before[0].startswith("begin")

    def _call(self, run: Run[T], statement: Any, values: Any) -> T:
        self.calls.begin(self.link)
        try:
            return run(self.link, statement, values, self.before)
        finally:
            self.calls.end(self.link)

    def _begin_again(self, before: list[str]) -> bool:
        """Make new plans, if nothing was done since the transaction or the innermost savepoint began: False if it was.

        ``before``: what was sent before the statement that failed.
        """
        begun = next((i for i, text in enumerate(before) if text.startswith(("begin", "savepoint"))), None)
        if begun is None or self.before:
            return False
        self.calls.pool.renew()  # the plans of the other connections are just as old
        if before[begun].startswith("begin"):
            self.command("rollback")
            self.before[:] = before
        else:
            self.command(f"rollback to {before[begun]}")
            self.before[:] = before[begun + 1 :]
        self._call(_forget_plans, None, None)
        return True

    # --- its end and its savepoints ------------------------------------------------------------------------

    def _commit(self) -> None:
        self.calls.refuse_closed(None)
        if self._nothing_was_sent:
            return
        try:
            answer = self.command("commit")
        except Exception as error:
            failure, self.lost = self.calls.failure(
                self.link, error, None, " during COMMIT: the transaction may or may not have been stored"
            )
            if self.lost and self.wrote:
                raise OutcomeUnknown(str(failure)) from error
            raise failure from error
        if answer != "COMMIT":
            raise TransactionError("PostgreSQL rolled the transaction back at COMMIT: nothing of it was stored")

    def _set(self, mark: Mark) -> None:
        self._refuse_fork_and_close(None)
        if f"release savepoint {mark.name}" in self.before:
            # If that release fails, rolling back to this name would undo the block before, which has succeeded.
            mark.name += "_next"
        self.before.append(f"savepoint {mark.name}")

    def _release(self, mark: Mark) -> None:
        if not self._unsend(mark):
            self.before.append(f"release savepoint {mark.name}")

    def _undo(self, mark: Mark) -> bool:
        if self._unsend(mark):
            return True
        self.before.clear()  # all of it was to be sent inside of the savepoint
        try:
            self.command(f"rollback to savepoint {mark.name}; release savepoint {mark.name}")
            if self.stale:
                self._call(_forget_plans, None, None)
        except Exception as error:
            self._failure(error, None)  # the block's own error is the one to raise
            return False
        return True

    def _unsend(self, mark: Mark) -> bool:
        """If the savepoint was not sent yet, nothing after it was either: forget all of it."""
        text = f"savepoint {mark.name}"
        if text in self.before:
            del self.before[self.before.index(text) :]
            return True
        return False


def _forget_plans(link: Link, _statement: Any, _values: Any, _before: Before = (), _after: After = ()) -> None:
    link.forget_plans()


def _together(link: Link, calls: Any, _values: Any, before: Before = (), after: After = ()) -> list[list[Row]]:
    return statements.together(link, calls, before, after)
