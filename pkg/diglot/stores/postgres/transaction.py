"""What runs on one connection from its beginning to its end: a transaction, a savepoint in it, a snapshot.

BEGIN and SAVEPOINT are sent with the first statement after them; a transaction without one sends nothing. A statement
that fails ends the unit of work: whatever follows is refused until the savepoint or the transaction is rolled back,
and a block that is left normally all the same raises, with nothing stored. A session belongs to its thread.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from threading import get_ident
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from diglot.errors import TransactionError
from diglot.stores.postgres import statements
from diglot.stores.postgres.connection import Link
from diglot.stores.postgres.statements import After, Before, Run
from diglot.stores.postgres.unit import ENDED, Mark, Unit
from diglot.stores.session import Dialect, Row, Statement, Values

T = TypeVar("T")


SNAPSHOT = "begin isolation level repeatable read read only"


class _UnitSession:
    """The statements of a session on one connection; how it begins and ends is its subclass's."""

    _kind = "transaction"
    read_only = False
    _unit: Unit | None = None

    @property
    def dialect(self) -> Dialect:
        return "postgres"

    @property
    def in_transaction(self) -> bool:
        return True

    @property
    def active(self) -> bool:
        """Begun in this process and not ended."""
        return self._unit is not None and self._unit.pid == os.getpid()

    def rows(self, statement: Statement, values: Values = ()) -> list[Row]:
        return self._run(statement, statements.rows, values)

    def count(self, statement: Statement, values: Values = ()) -> int:
        return self._run(statement, statements.count, values)

    def columns(self, statement: Statement, values: Values = ()) -> tuple[list[str], list[Row]]:
        return self._run(statement, statements.columns, values)

    def many(self, statement: Statement, batch: Sequence[Values]) -> int:
        if not batch:
            self._ready(statement)
            return 0
        return self._run(statement, statements.many, batch)

    def script(self, statement: Statement) -> None:
        if self.read_only:
            raise TransactionError(f"a {self._kind} only reads", query=statement.query)
        self._usable(statement.query).wrote = True
        self._run(statement, statements.script, ())

    def together(self, calls: Sequence[tuple[Statement, Values]]) -> list[list[Row]]:
        """In one round trip. In a transaction each statement sees what was committed before it, as all of them do;
        one state for all is what a snapshot has."""
        if not calls:
            return []
        for statement, _ in calls:
            unit = self._ready(statement)
        return unit.run(calls[0][0].query, _together, calls, ())

    def transaction(self) -> Savepoint:
        unit = self._usable(None)
        if self.read_only:
            raise TransactionError(f"a {self._kind} only reads: open a transaction instead of it")
        return Savepoint(unit)

    def _run(self, statement: Statement, run: Run[T], values: Any) -> T:
        return self._ready(statement).run(statement.query, run, statement, values)

    def _ready(self, statement: Statement) -> Unit:
        if self.read_only and (statement.writes or statement.locks):
            raise TransactionError(f"a {self._kind} only reads", query=statement.query)
        unit = self._usable(statement.query)
        if statement.writes:
            unit.wrote = True
        return unit

    def _usable(self, query: str | None) -> Unit:
        unit = self._mine(query)
        if unit.failed == ENDED:
            raise TransactionError(ENDED, query=query)
        if unit.failed is not None:
            raise TransactionError(f"roll back first: an earlier statement failed ({unit.failed})", query=query)
        unit.calls.refuse_closed(query)
        return unit

    def _mine(self, query: str | None = None) -> Unit:
        unit = self._unit
        if unit is None:
            raise TransactionError(f"this {self._kind} has ended, or has not begun", query=query)
        if unit.thread != get_ident():
            raise TransactionError(f"this {self._kind} belongs to another thread", query=query)
        if unit.pid != os.getpid():
            raise TransactionError(f"this {self._kind} belongs to the process that was forked", query=query)
        return unit


class Savepoint(_UnitSession):
    """A transaction inside a transaction."""

    _kind = "savepoint"

    def __init__(self, within: Unit) -> None:
        self._within = within
        self._mark: Mark | None = None

    def __enter__(self) -> Self:
        if self._unit is not None:
            raise TransactionError("this savepoint has begun already")
        self._unit = self._within
        try:
            self._mark = super()._usable(None).savepoint()
        except BaseException:
            self._unit = None
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        unit, mark = self._mine(), self._mark
        self._unit = None
        if mark is None or mark not in unit.marks:
            if kind is None:
                raise TransactionError("the savepoint was rolled back with the block outside of it")
            return
        if unit.marks[-1:] != [mark] and unit.failed is None:
            unit.failed = "savepoints were ended in another order than they began"
        failed = unit.failed
        if kind is None and failed is None:
            unit.release(mark)
            return
        unit.rollback_to(mark)
        if kind is None:
            raise TransactionError(f"the savepoint was rolled back: a statement in it failed ({failed})")

    def _usable(self, query: str | None) -> Unit:
        unit = super()._usable(query)
        if self._mark not in unit.marks:
            raise TransactionError("the savepoint was rolled back with the block outside of it", query=query)
        return unit


class Transaction(_UnitSession):
    """READ COMMITTED: each statement sees what was committed before it."""

    # Not "read write": a database that its operator made read-only stays so.
    _begin = "begin isolation level read committed"

    def __init__(self, units: Units) -> None:
        self._units = units

    def __enter__(self) -> Self:
        self._unit = self._units.take(self, self._begin, read_only=self.read_only)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if kind is not None and not self.active:
            return  # it was abandoned; or this is a child that was forked in the block, whose parent ends it
        try:
            unit = self._mine()
        except TransactionError:
            raise
        except BaseException:  # an interrupt: the connection must not stay with a transaction open
            if self._unit is not None:
                self._units.give_back(self._unit)
            raise
        try:
            self._unit = None
            failed = unit.failed
            if kind is None and failed is None:
                unit.calls.refuse_closed(None)
                unit.commit()
        finally:
            self._units.give_back(unit)
        if kind is None and failed is not None:
            raise TransactionError(f"the {self._kind} was rolled back: a statement in it failed ({failed})")

    def abandon(self) -> None:
        """Roll back from outside: the store is closed while this thread's transaction is open."""
        self.__exit__(TransactionError, None, None)


class Snapshot(Transaction):
    """Reads only, and always the same state."""

    _kind = "snapshot"
    read_only = True
    _begin = SNAPSHOT


def _together(link: Link, calls: Any, _values: Any, before: Before = (), after: After = ()) -> list[list[Row]]:
    return statements.together(link, calls, before, after)


class Units(Protocol):
    """Where a transaction gets its connection, and gives it back."""

    def take(self, session: Transaction, begin: str, *, read_only: bool) -> Unit:
        """A connection for this thread alone; TransactionError when it has one already."""
        ...

    def give_back(self, unit: Unit) -> None:
        """Roll back whatever is still open on it; a connection that can't even do that is given up."""
        ...
