"""What the sessions of one transaction share: a connection, what has still to be sent on it, whether it can go on."""

from __future__ import annotations

import os
from threading import get_ident
from typing import Any, TypeVar

from diglot.errors import OutcomeUnknown, TransactionError
from diglot.stores.postgres.calls import Calls
from diglot.stores.postgres.connection import Link
from diglot.stores.postgres.errors import is_stale_plan
from diglot.stores.postgres.statements import Run, origin

T = TypeVar("T")


class Unit:
    """A transaction or a snapshot; savepoints are commands in it."""

    __slots__ = ("before", "calls", "depth", "failed", "link", "lost", "pid", "thread", "wrote")

    def __init__(self, link: Link, calls: Calls, begin: str) -> None:
        self.link = link
        self.calls = calls
        self.thread = get_ident()
        self.pid = os.getpid()
        self.before = [begin, *link.local]
        """To be sent with the next statement, in this order."""
        self.depth = 0
        self.failed: str | None = None
        """Why nothing more can run until a rollback."""
        self.lost = False
        """The connection is gone, and with it the transaction."""
        self.wrote = False

    def run(self, query: str | None, run: Run[T], statement: Any, values: Any) -> T:
        link, before = self.link, self.before
        try:
            self.calls.begin(link)
            try:
                if not before:
                    return run(link, statement, values, ())
                self.before = []
                return run(link, statement, values, before)
            finally:
                self.calls.end(link)
        except Exception as error:
            raise self.failure(error, query) from origin(error)
        except BaseException as interruption:
            self.failed = type(interruption).__name__
            raise

    def command(self, text: str) -> str:
        """COMMIT, ROLLBACK and the like, in a round trip of their own."""
        self.calls.begin(self.link)
        try:
            return self.link.command(text)
        finally:
            self.calls.end(self.link)

    def failure(self, error: Exception, query: str | None) -> Exception:
        """The error of ours, after which nothing more can run."""
        failure, lost = self.calls.failure(
            self.link, error, query, "; the transaction is rolled back, nothing of it was stored"
        )
        self.lost = self.lost or lost
        if is_stale_plan(origin(error)):
            self.link.retires = 0.0  # run again on a new connection, the transaction succeeds
        self.failed = str(failure) or type(failure).__name__
        return failure

    def commit(self) -> None:
        if self.before and self.before[0].startswith("begin"):
            return  # nothing was sent
        if self.link.idle:
            raise TransactionError("a statement ended the transaction: leave COMMIT and ROLLBACK to the block")
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

    def savepoint(self) -> str:
        self.depth += 1
        name = f"diglot_{self.depth}"
        self.before.append(f"savepoint {name}")
        return name

    def release(self, name: str) -> None:
        if not self._unsend(name):
            self.before.append(f"release savepoint {name}")

    def rollback_to(self, name: str) -> None:
        if self.lost:
            return
        if not self._unsend(name):
            try:
                self.command(f"rollback to savepoint {name}; release savepoint {name}")
            except Exception as error:
                self.failure(error, None)  # whatever made the block roll back is the error to be seen
                return
        self.failed = None

    def _unsend(self, name: str) -> bool:
        """Where the savepoint was never sent, nothing after it was either: forget it all."""
        self.depth -= 1
        text = f"savepoint {name}"
        if text in self.before:
            del self.before[self.before.index(text) :]
            return True
        return False

    def end(self) -> None:
        """Its connection is given back: whoever still holds a session of it can't do anything with it."""
        self.failed = "the transaction has ended"
        self.lost = True
