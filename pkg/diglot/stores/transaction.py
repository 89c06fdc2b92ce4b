"""Units of work on one connection: transactions, savepoints in them, and snapshots.

Both stores share this module; what differs between the engines is in their subclasses of ``Unit``. A statement that
fails ends the unit of work: later statements are refused until the savepoint or the transaction is rolled back, and
a block that ends normally all the same raises an error, with nothing stored. A session belongs to its thread
and its process.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from threading import get_ident
from types import TracebackType
from typing import ClassVar, Generic, Protocol, Self, TypeVar

from diglot.errors import TransactionError
from diglot.sql.session import Batches, Dialect, Row, Statement, Values

ENDED = "the transaction has ended"
ENDED_BY_STATEMENT = "a statement ended the transaction: leave COMMIT and ROLLBACK to the block"
FORKED = "belongs to the process that was forked"
ROLLED_BACK_OUTSIDE = "the savepoint was rolled back with its outer block"


class Mark:
    """A savepoint. ``name`` is its name in the database."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class Unit(ABC):
    """What the sessions of one transaction share: its connection, and whether it can go on."""

    __slots__ = ("failed", "lost", "marks", "read_only", "thread")
    dialect: ClassVar[Dialect]

    def __init__(self, *, read_only: bool) -> None:
        self.thread = get_ident()
        """0 after ``forget``: no thread has that number."""
        self.read_only = read_only
        self.marks: list[Mark] = []
        """The savepoints that are open, the outermost first."""
        self.failed: str | None = None
        """Why nothing more can run until a rollback."""
        self.lost = False
        """There is nothing left to roll back: the connection is gone, or the database did it by itself."""

    @property
    def here(self) -> bool:
        """Whether it belongs to this process: False in a child that was forked since it began."""
        return self.thread != 0

    # --- what each engine implements --------------------------------------------------------------

    @abstractmethod
    def begin(self) -> None: ...

    @abstractmethod
    def rows(self, statement: Statement, values: Values) -> list[Row]: ...

    @abstractmethod
    def count(self, statement: Statement, values: Values) -> int: ...

    @abstractmethod
    def columns(self, statement: Statement, values: Values) -> tuple[list[str], list[Row]]: ...

    @abstractmethod
    def many(self, statement: Statement, batch: Sequence[Values]) -> int: ...

    @abstractmethod
    def script(self, statement: Statement) -> None: ...

    @abstractmethod
    def together(self, calls: Sequence[tuple[Statement, Values]]) -> list[list[Row]]: ...

    @abstractmethod
    def stream(self, statement: Statement, values: Values, size: int) -> Batches: ...

    @abstractmethod
    def _commit(self) -> None: ...

    @abstractmethod
    def _set(self, mark: Mark) -> None:
        """Begin the savepoint. It may change the mark's name."""

    @abstractmethod
    def _release(self, mark: Mark) -> None: ...

    @abstractmethod
    def _undo(self, mark: Mark) -> bool:
        """Roll back to the savepoint and release it; False if that failed."""

    # --- its end and its savepoints ------------------------------------------------------------------------

    def commit(self) -> None:
        if self.marks:
            raise TransactionError("a savepoint in the transaction has not ended: end it first; nothing was stored")
        self._commit()

    def end(self) -> None:
        """Its connection is released: sessions that still refer to it can't do anything with it."""
        self.failed = ENDED
        self.lost = True

    def forget(self) -> None:
        """In a fork's child: the connection is the parent's, nothing may happen on it here."""
        self.thread = 0

    def savepoint(self) -> Mark:
        mark = Mark(f"diglot_{len(self.marks) + 1}")
        self._set(mark)
        self.marks.append(mark)
        return mark

    def release(self, mark: Mark) -> None:
        self.marks.remove(mark)
        self.failed = "a savepoint was not released"  # if an interrupt comes
        self._release(mark)
        self.failed = None

    def rollback_to(self, mark: Mark) -> None:
        """Undo what was done since the savepoint. If that fails, ``failed`` is set, and the block outside undoes it."""
        # Savepoints inside it that are still open are undone with it.
        del self.marks[self.marks.index(mark) :]
        if self.lost:
            return
        self.failed = self.failed or "a savepoint was not rolled back"
        if self._undo(mark):
            self.failed = None

    def ended_by(self, query: str | None) -> TransactionError:
        """The error for a statement after which no transaction is open any more."""
        self.failed = ENDED_BY_STATEMENT
        return TransactionError(ENDED_BY_STATEMENT, query=query)


U = TypeVar("U", bound=Unit)


class UnitSession(ABC, Generic[U]):
    """The statements of a session on one connection; subclasses define how it begins and ends."""

    _kind = "transaction"
    read_only = False
    _unit: U | None = None

    @property
    @abstractmethod
    def dialect(self) -> Dialect: ...

    @property
    def in_transaction(self) -> bool:
        return True

    @property
    def active(self) -> bool:
        """Begun in this process and not ended."""
        return self._unit is not None and self._unit.here

    @property
    def unit(self) -> U:
        return self._mine()

    def rows(self, statement: Statement, values: Values = ()) -> list[Row]:
        return self._ready(statement).rows(statement, values)

    def count(self, statement: Statement, values: Values = ()) -> int:
        return self._ready(statement).count(statement, values)

    def columns(self, statement: Statement, values: Values = ()) -> tuple[list[str], list[Row]]:
        return self._ready(statement).columns(statement, values)

    def many(self, statement: Statement, batch: Sequence[Values]) -> int:
        unit = self._ready(statement)
        return unit.many(statement, batch) if batch else 0

    def script(self, statement: Statement) -> None:
        unit = self._ready(statement)
        if self.read_only:
            raise TransactionError(f"a {self._kind} only reads", query=statement.query)
        unit.script(statement)

    def together(self, calls: Sequence[tuple[Statement, Values]]) -> list[list[Row]]:
        """In one round trip on PostgreSQL. In a transaction each statement sees what was committed before it, as all
        of them do there; only a snapshot has one state for all."""
        if not calls:
            return []
        for statement, _ in calls:
            unit = self._ready(statement)
        return unit.together(calls)

    def stream(self, statement: Statement, values: Values = (), *, size: int = 1000) -> Batches:
        if statement.writes:
            raise TransactionError("it writes, and only the rows of a read can be streamed", query=statement.query)
        with closing(self._ready(statement).stream(statement, values, size)) as batches:
            for batch in batches:
                yield batch
                self._ready(statement)

    def transaction(self) -> Savepoint[U]:
        unit = self._usable(None)
        if not unit.here:
            raise self._not_mine(None)
        if self.read_only:
            raise TransactionError(f"a {self._kind} only reads: open a transaction instead")
        return Savepoint(unit)

    def snapshot(self) -> AbstractContextManager[Self]:
        self._usable(None)
        return nullcontext(self)

    def _ready(self, statement: Statement) -> U:
        if self.read_only and (statement.writes or statement.locks):
            raise TransactionError(f"a {self._kind} only reads", query=statement.query)
        return self._usable(statement.query)

    def _usable(self, query: str | None) -> U:
        # Not ``here``: os.getpid() takes longer than all of this, so a unit that needs it asks when it runs something.
        unit = self._unit
        if unit is None or unit.thread != get_ident():
            raise self._not_mine(query)
        if unit.failed is not None:
            if unit.failed == ENDED:
                raise TransactionError(ENDED, query=query)
            raise TransactionError(f"roll back first: an earlier statement failed ({unit.failed})", query=query)
        return unit

    def _mine(self) -> U:
        unit = self._unit
        if unit is None or unit.thread != get_ident() or not unit.here:
            raise self._not_mine(None)
        return unit

    def _not_mine(self, query: str | None) -> TransactionError:
        if self._unit is None:
            return TransactionError(f"this {self._kind} has ended, or has not begun", query=query)
        if not self._unit.here:
            return TransactionError(f"this {self._kind} {FORKED}", query=query)
        return TransactionError(f"this {self._kind} belongs to another thread", query=query)


class Savepoint(UnitSession[U]):
    """A transaction inside a transaction."""

    _kind = "savepoint"

    def __init__(self, within: U) -> None:
        self._within = within
        self._mark: Mark | None = None

    @property
    def dialect(self) -> Dialect:
        return self._within.dialect

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
        if kind is not None and self._unit is not None and not self.active:
            return  # this is a child that was forked in the block, whose parent ends it
        unit, mark = self._mine(), self._mark
        self._unit = None
        if mark is None or mark not in unit.marks:
            if kind is None:
                raise TransactionError(ROLLED_BACK_OUTSIDE)
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

    def _usable(self, query: str | None) -> U:
        unit = super()._usable(query)
        if self._mark not in unit.marks:
            raise TransactionError(ROLLED_BACK_OUTSIDE, query=query)
        return unit


class Transaction(UnitSession[U]):
    """Commits at the end of its block. Whether a statement sees later commits of others depends on the engine."""

    def __init__(self, units: Units[U]) -> None:
        self._units = units

    @property
    def dialect(self) -> Dialect:
        return self._units.dialect

    def __enter__(self) -> Self:
        if self._unit is not None:
            raise TransactionError(f"this {self._kind} has begun already")
        try:
            unit = self._units.acquire(self)
            try:
                unit.begin()
            except BaseException:
                self._units.give_back(unit)
                raise
        except BaseException:
            self._units.clear(self, self._unit)
            raise
        self._unit = unit
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
            self._units.clear(self, self._unit)
            self._unit = None
            raise
        try:
            failed = unit.failed
            if kind is None and failed is None:
                unit.commit()
        finally:
            try:
                self._units.give_back(unit)
            except BaseException:
                self._units.clear(self, self._unit)
                raise
            finally:
                self._unit = None
        if kind is None and failed is not None:
            raise TransactionError(f"the {self._kind} was rolled back: a statement in it failed ({failed})")

    def forget(self) -> None:
        """Called in a fork's child, if the store is notified."""
        if self._unit is not None:
            self._unit.forget()

    def abandon(self) -> None:
        """Roll back from outside: the store is closed while this thread's transaction is open."""
        self.__exit__(TransactionError, None, None)


class Snapshot(Transaction[U]):
    """Only reads, and always sees the same state."""

    _kind = "snapshot"
    read_only = True


class Units(Protocol[U]):
    """Where a transaction acquires and releases its connection."""

    @property
    def dialect(self) -> Dialect: ...

    def acquire(self, session: Transaction[U]) -> U:
        """A connection for this thread alone; TransactionError if it has one already."""
        ...

    def clear(self, session: Transaction[U], unit: U | None) -> None:
        """After an interrupt: release what this session still holds. ``unit`` is None if it has not begun."""
        ...

    def give_back(self, unit: U) -> None:
        """Roll back whatever is still open on it; a connection that can't even do that is discarded."""
        ...
