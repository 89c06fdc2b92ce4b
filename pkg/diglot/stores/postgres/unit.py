"""What the sessions of one transaction share: a connection, what has still to be sent on it, whether it can go on."""

from __future__ import annotations

import os
from threading import get_ident
from typing import Any, TypeVar

from diglot.errors import DatabaseReadOnly, OutcomeUnknown, TransactionError
from diglot.stores.postgres.calls import Calls
from diglot.stores.postgres.connection import Link
from diglot.stores.postgres.errors import is_read_only, is_stale_plan
from diglot.stores.postgres.statements import After, Before, Run, Unreadable, origin

T = TypeVar("T")
ENDED = "the transaction has ended"
ENDED_BY_STATEMENT = "a statement ended the transaction: leave COMMIT and ROLLBACK to the block"


class Mark:
    """A savepoint. ``name`` is its name on the server."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class Unit:
    """A transaction or a snapshot; savepoints are commands in it."""

    __slots__ = ("before", "calls", "failed", "link", "lost", "marks", "pid", "read_only", "stale", "thread", "wrote")

    def __init__(self, link: Link, calls: Calls, begin: str, *, read_only: bool) -> None:
        self.link = link
        self.calls = calls
        self.thread = get_ident()
        self.pid = os.getpid()
        self.read_only = read_only
        self.before = [begin, *link.local]
        """To be sent with the next statement, in this order."""
        self.marks: list[Mark] = []
        """The savepoints that are open, the outermost first."""
        self.failed: str | None = None
        """Why nothing more can run until a rollback."""
        self.lost = False
        """The connection is gone, and with it the transaction."""
        self.stale = False
        """A prepared statement no longer fits the schema."""
        self.wrote = False

    # --- statements ----------------------------------------------------------------------------------------

    def run(self, query: str | None, run: Run[T], statement: Any, values: Any) -> T:
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
            raise self.failure(error, query) from origin(error)
        except BaseException as interruption:
            self.failed = type(interruption).__name__
            raise
        if self.link.idle:
            self.failed = ENDED_BY_STATEMENT
            raise TransactionError(ENDED_BY_STATEMENT, query=query)
        return answer

    def command(self, text: str) -> str:
        """COMMIT, ROLLBACK and the like, in a round trip of their own."""
        self.calls.begin(self.link)
        try:
            return self.link.command(text)
        finally:
            self.calls.end(self.link)

    def failure(self, error: Exception, query: str | None) -> Exception:
        """The error of ours, after which nothing more can run, unless the statement itself went well."""
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
            self.calls.pool.renew()  # the plans of the other connections are as old
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
        self.calls.pool.renew()  # the plans of the other connections are as old
        if before[begun].startswith("begin"):
            self.command("rollback")
            self.before[:] = before
        else:
            self.command(f"rollback to {before[begun]}")
            self.before[:] = before[begun + 1 :]
        self._call(_forget_plans, None, None)
        return True

    # --- its end -------------------------------------------------------------------------------------------

    def commit(self) -> None:
        if self.marks:
            raise TransactionError("a savepoint in the transaction has not ended: end it first; nothing was stored")
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

    def end(self) -> None:
        """Its connection is given back: whoever still holds a session of it can't do anything with it."""
        self.failed = ENDED
        self.lost = True

    # --- savepoints ----------------------------------------------------------------------------------------

    def savepoint(self) -> Mark:
        name = f"diglot_{len(self.marks) + 1}"
        if f"release savepoint {name}" in self.before:
            # If that release fails, rolling back to this name would undo the block before, which has ended well.
            name += "_next"
        mark = Mark(name)
        self.marks.append(mark)
        self.before.append(f"savepoint {name}")
        return mark

    def release(self, mark: Mark) -> None:
        self.marks.remove(mark)
        if not self._unsend(mark):
            self.before.append(f"release savepoint {mark.name}")

    def rollback_to(self, mark: Mark) -> None:
        """Undo what was done since the savepoint. If that fails, ``failed`` is set, and the block outside undoes it."""
        # Savepoints inside of it that are still open are undone with it.
        del self.marks[self.marks.index(mark) :]
        if self.lost:
            return
        if not self._unsend(mark):
            self.failed = self.failed or "it was not rolled back"
            self.before.clear()  # all of it was to be sent inside of the savepoint
            try:
                self.command(f"rollback to savepoint {mark.name}; release savepoint {mark.name}")
                if self.stale:
                    self._call(_forget_plans, None, None)
            except Exception as error:
                self.failure(error, None)  # the block's own error is the one to be seen
                return
        self.failed = None

    def _unsend(self, mark: Mark) -> bool:
        """If the savepoint was not sent yet, nothing after it was either: forget all of it."""
        text = f"savepoint {mark.name}"
        if text in self.before:
            del self.before[self.before.index(text) :]
            return True
        return False


def _forget_plans(link: Link, _statement: Any, _values: Any, _before: Before = (), _after: After = ()) -> None:
    link.forget_plans()
