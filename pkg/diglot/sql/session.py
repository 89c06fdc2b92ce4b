"""Sessions, which run statements. Queries know only this protocol, so they do not depend on the database.

A store runs each statement separately (one statement, one round trip, committed when it returns); a transaction runs
all of them on one connection and commits at its end. Both are sessions.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, LiteralString, Protocol

import msgspec

Dialect = Literal["postgres", "sqlite"]
DIALECTS: tuple[Dialect, Dialect] = ("postgres", "sqlite")
Row = tuple[Any, ...]
Values = Sequence[Any]
Batches = Generator[list[Row], None, None]
"""The rows of a stream, in lists."""


class Statement(msgspec.Struct, frozen=True):
    """One static SQL text, ready for its driver: ``$1`` placeholders on PostgreSQL, ``?`` on SQLite.

    ``query`` names it in errors and statistics (``tasks.get_task``). ``writes``: it changes data, so SQLite runs it
    on the writer connection. ``locks``: it takes row locks, so it needs a transaction. ``idempotent``: it may be
    sent again when the connection was lost before the answer (every read may).
    """

    query: str
    text: LiteralString
    writes: bool = False
    locks: bool = False
    idempotent: bool = False


class Reads(Protocol):
    """The part of a session that only reads."""

    @property
    def dialect(self) -> Dialect: ...

    def rows(self, statement: Statement, values: Values = ()) -> list[Row]: ...

    def stream(self, statement: Statement, values: Values = (), *, size: int = 1000) -> Batches: ...


class Session(Protocol):
    """Runs statements. Values are positional, in the order of the placeholders, already encoded for the driver."""

    @property
    def dialect(self) -> Dialect: ...

    @property
    def in_transaction(self) -> bool:
        """True in a transaction or a snapshot, False if each statement is committed separately."""
        ...

    def rows(self, statement: Statement, values: Values = ()) -> list[Row]:
        """All rows of the result; [] for a statement without rows."""
        ...

    def count(self, statement: Statement, values: Values = ()) -> int:
        """The number of rows changed."""
        ...

    def many(self, statement: Statement, batch: Sequence[Values]) -> int:
        """Run it once for each set of values, all or nothing, one round trip per batch; the total of rows changed."""
        ...

    def script(self, statement: Statement) -> None:
        """Run a text of several statements without values, all or nothing."""
        ...

    def columns(self, statement: Statement, values: Values = ()) -> tuple[list[str], list[Row]]:
        """As ``rows``, with the names of the columns first."""
        ...

    def together(self, calls: Sequence[tuple[Statement, Values]]) -> list[list[Row]]:
        """Several reads in one consistent snapshot (and one round trip on PostgreSQL); the rows of each."""
        ...

    def stream(self, statement: Statement, values: Values = (), *, size: int = 1000) -> Batches:
        """The rows of a read in lists of ``size`` rows at most, of one consistent state; the memory that it needs does
        not grow with the result. Read it to its end, or close the iterator: until then it holds a connection."""
        ...

    def transaction(self) -> AbstractContextManager[Session]:
        """A transaction; inside a transaction, a savepoint. Commits at the end, rolls back on any exception."""
        ...

    def snapshot(self) -> AbstractContextManager[Session]:
        """A read-only transaction in which every statement sees the same state. Inside a transaction or a snapshot,
        that session itself."""
        ...
