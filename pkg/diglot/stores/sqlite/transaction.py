"""What runs on one connection from its beginning to its end: a transaction, a savepoint in it, a snapshot.

As on PostgreSQL, a statement that fails ends the unit of work: whatever follows is refused until the savepoint or
the transaction is rolled back, and a block that is left normally all the same raises, with nothing stored. A session
belongs to the thread that opened it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import get_ident
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from diglot.errors import DatabaseError, QueryResultError, TransactionError
from diglot.stores.session import Dialect, Row, Statement, Values
from diglot.stores.sqlite import statements
from diglot.stores.sqlite.connection import Link

T = TypeVar("T")


ENDED = "the transaction has ended"
ENDED_BY_STATEMENT = "a statement ended the transaction: leave COMMIT and ROLLBACK to the block"


class Mark:
    """A savepoint. ``name`` is its name in the database."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class Unit:
    """What the sessions of one transaction share: its connection, and whether it can go on."""

    __slots__ = ("drop", "failed", "give", "link", "lost", "marks", "thread")

    def __init__(self, link: Link, thread: int, give: Callable[[], None], drop: Callable[[], None]) -> None:
        self.link = link
        self.thread = thread
        self.give = give
        self.drop = drop
        """Instead of ``give``: close the connection, which is of no use any more."""
        self.marks: list[Mark] = []
        """The savepoints that are open, the outermost first."""
        self.failed: str | None = None
        """Why nothing more can run until a rollback."""
        self.lost = False
        """No rollback is left to do: SQLite did it by itself (disk full, interrupted), or this is a fork's child."""

    def run(self, run: Callable[[Link, Statement, Any], T], statement: Statement, values: Any, *, writing: bool) -> T:
        try:
            answer = run(self.link, statement, values)
        except Exception as error:
            raise self.failure(error, statement.query, writing=writing) from error
        except BaseException as interruption:
            self.failed = type(interruption).__name__
            raise
        if not self.link.connection.in_transaction:
            self.failed, self.lost = ENDED_BY_STATEMENT, True
            raise TransactionError(ENDED_BY_STATEMENT, query=statement.query)
        return answer

    def command(self, text: str) -> None:
        """BEGIN, COMMIT and the like; a failure is one of ours and ends the unit."""
        try:
            self.link.command(text)
        except Exception as error:
            raise self.failure(error, None) from error

    def failure(self, error: Exception, query: str | None, *, writing: bool = True) -> BaseException:
        """The error of ours, after which nothing more can run."""
        begun = self.link.connection.in_transaction
        failure = self.link.failure(error, query, writing=writing and begun)
        if begun and isinstance(failure, QueryResultError):
            return failure  # the statement itself went well
        self.failed = str(failure) or type(failure).__name__
        self.lost = not begun
        return failure

    def end(self) -> None:
        """Its connection is given back: whoever still holds a session of it can't do anything with it."""
        self.failed = ENDED
        self.lost = True

    # --- savepoints ----------------------------------------------------------------------------------------

    def savepoint(self) -> Mark:
        mark = Mark(f"diglot_{len(self.marks) + 1}")
        self.command(f"savepoint {mark.name}")
        self.marks.append(mark)
        return mark

    def release(self, mark: Mark) -> None:
        self.marks.remove(mark)
        self.failed = "a savepoint was not released"  # if an interrupt comes
        self.command(f"release {mark.name}")
        self.failed = None

    def rollback_to(self, mark: Mark) -> None:
        """Undo what was done since the savepoint. If that fails, ``failed`` is set, and the block outside undoes it."""
        # Savepoints inside of it that are still open are undone with it.
        del self.marks[self.marks.index(mark) :]
        if self.lost:
            return
        self.failed = self.failed or "a savepoint was not rolled back"
        try:
            self.command(f"rollback to {mark.name}")
            self.command(f"release {mark.name}")
        except DatabaseError:
            return  # the block's own error is the one to be seen
        self.failed = None


class _UnitSession:
    """The statements of a session on one connection; how it begins and ends is its subclass's."""

    _kind = "transaction"
    read_only = False
    _unit: Unit | None = None

    @property
    def dialect(self) -> Dialect:
        return "sqlite"

    @property
    def in_transaction(self) -> bool:
        return True

    @property
    def active(self) -> bool:
        """Begun and not ended."""
        return self._unit is not None

    def rows(self, statement: Statement, values: Values = ()) -> list[Row]:
        return self._run(statement, statements.rows, values)

    def count(self, statement: Statement, values: Values = ()) -> int:
        return self._run(statement, statements.count, values)

    def many(self, statement: Statement, batch: Sequence[Values]) -> int:
        return self._run(statement, statements.many, batch)

    def script(self, statement: Statement) -> None:
        self._run(statement, statements.script, ())

    def columns(self, statement: Statement, values: Values = ()) -> tuple[list[str], list[Row]]:
        return self._run(statement, statements.columns, values)

    def together(self, calls: Sequence[tuple[Statement, Values]]) -> list[list[Row]]:
        return [self.rows(statement, values) for statement, values in calls]

    def transaction(self) -> Savepoint:
        unit = self._usable(None)
        if self.read_only:
            raise TransactionError(f"a {self._kind} only reads: open a transaction instead of it")
        return Savepoint(unit)

    def _run(self, statement: Statement, run: Callable[[Link, Statement, Any], T], values: Any) -> T:
        return self._ready(statement).run(run, statement, values, writing=not self.read_only)

    def _ready(self, statement: Statement) -> Unit:
        if self.read_only and (statement.writes or statement.locks):
            raise TransactionError(f"a {self._kind} only reads", query=statement.query)
        return self._usable(statement.query)

    def _usable(self, query: str | None) -> Unit:
        unit = self._mine(query)
        if unit.failed == ENDED:
            raise TransactionError(ENDED, query=query)
        if unit.failed is not None:
            raise TransactionError(f"roll back first: an earlier statement failed ({unit.failed})", query=query)
        return unit

    def _mine(self, query: str | None = None) -> Unit:
        unit = self._unit
        if unit is None:
            raise TransactionError(f"this {self._kind} has ended, or has not begun", query=query)
        if unit.thread != get_ident():
            raise TransactionError(f"this {self._kind} belongs to another thread", query=query)
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
    """Begins IMMEDIATE, so that nothing that it has read can have changed when it writes."""

    _begin = "begin immediate"

    def __init__(self, units: Units) -> None:
        self._units = units

    def __enter__(self) -> Self:
        try:
            unit = self._units.take(self, get_ident())
            try:
                unit.command(self._begin)
            except BaseException:
                self._units.give_back(unit)
                raise
        except BaseException:
            self._units.clear(self, get_ident())
            raise
        self._unit = unit
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        try:
            unit = self._mine()
        except TransactionError:
            raise
        except BaseException:
            self._unit = None
            self._units.clear(self, get_ident())
            raise
        try:
            failed = unit.failed
            if kind is None and failed is None:
                if unit.marks:
                    raise TransactionError(
                        "a savepoint in the transaction has not ended: end it first; nothing was stored"
                    )
                unit.command("commit")
                return
        finally:
            try:
                self._units.give_back(unit)
            except BaseException:
                self._units.clear(self, unit.thread)
                raise
            finally:
                self._unit = None
        if kind is None:
            raise TransactionError(f"the {self._kind} was rolled back: a statement in it failed ({failed})")

    @property
    def link(self) -> Link:
        return self._mine().link

    def abandon(self) -> None:
        """Roll back from outside: the store is closed while this thread's transaction is open."""
        self.__exit__(TransactionError, None, None)

    def forget(self) -> None:
        """In a fork's child: the connection is the parent's, nothing may happen on it here."""
        if self._unit is not None:
            self._unit.failed = "the process was forked"
            self._unit.lost = True


class Snapshot(Transaction):
    """Reads only, and always the same state."""

    _kind = "snapshot"
    read_only = True
    _begin = "begin"


class Units(Protocol):
    """Where a transaction gets its connection, and gives it back."""

    def take(self, session: Transaction, thread: int) -> Unit:
        """A connection for this thread alone; TransactionError when it has one already."""
        ...

    def clear(self, session: Transaction, thread: int) -> None:
        """After an interrupt: give back what of the connection and the turn is still this session's."""
        ...

    def give_back(self, unit: Unit) -> None:
        """Roll back whatever is still open on it; a connection that can't even do that is given up."""
        ...
