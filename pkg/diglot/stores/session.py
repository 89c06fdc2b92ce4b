"""What a store and a transaction have in common: a session, the one thing that statements run on.

A ``Store`` runs each statement by itself (one statement, one round trip, committed when it returns); a
``Transaction`` runs all of them on one connection and commits at its end. Repositories know only this protocol,
so they can't tell which database they speak to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, LiteralString, Protocol, runtime_checkable

import msgspec

Dialect = Literal["postgres", "sqlite"]
DIALECTS: tuple[Dialect, Dialect] = ("postgres", "sqlite")
Row = tuple[Any, ...]
Values = Sequence[Any]


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


class Session(Protocol):
    """Runs statements. Values are positional, in the order of the placeholders, already encoded for the driver."""

    @property
    def dialect(self) -> Dialect: ...

    @property
    def in_transaction(self) -> bool:
        """True in a transaction or a snapshot, False where each statement stands by itself."""
        ...

    def rows(self, statement: Statement, values: Values = ()) -> list[Row]:
        """All rows of the answer; [] where the statement gives none."""
        ...

    def count(self, statement: Statement, values: Values = ()) -> int:
        """The number of rows changed."""
        ...

    def many(self, statement: Statement, batch: Sequence[Values]) -> int:
        """Run it once for each set of values, all or nothing, in one round trip a batch; rows changed in all."""
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

    def transaction(self) -> AbstractContextManager[Session]:
        """A transaction; inside a transaction, a savepoint. Commits at the end, rolls back on any exception."""
        ...

    def snapshot(self) -> AbstractContextManager[Session]:
        """A read-only transaction in which every statement sees the same state. Inside a transaction or a snapshot,
        that session itself."""
        ...


class Check(msgspec.Struct, frozen=True):
    """One finding of a health check; ``milliseconds`` is how long it took."""

    name: str
    ok: bool
    detail: str
    milliseconds: float


class Health(msgspec.Struct, frozen=True):
    """The state of a store: ``ok`` when every check is."""

    ok: bool
    checks: list[Check]


@runtime_checkable
class Store(Session, Protocol):
    """A database, open. Safe for threads; a child process after fork gets connections of its own."""

    @property
    def location(self) -> str:
        """Where it is, for people: a path, ``:memory:`` or ``postgresql://host:port/dbname``; never a password."""
        ...

    @property
    def server_version(self) -> str:
        """The engine and its version, ``SQLite 3.53.4`` or ``PostgreSQL 18.4``."""
        ...

    def health(self, *, deep: bool = True) -> Health:
        """Whether the database answers and is as it should be; never raises for a database that is down.

        ``deep=False`` leaves out what takes longer the more the database holds.
        """
        ...

    def statistics(self) -> Mapping[str, float]:
        """Figures by name, as declared in ``stores.statistics``: those that this engine has."""
        ...

    def migration_connection(self, timeout: float) -> AbstractContextManager[Any]:
        """The driver's own connection, alone with the migration lock (held by nobody else until the end).

        PostgreSQL: a connection outside the pool in autocommit, holding a session advisory lock; behind a connection
        pooler a transaction is open on it, which holds the lock and commits at the end. SQLite: the writer connection
        (isolation_level None, foreign_keys off) inside the gate. LockTimeout after ``timeout`` seconds.
        """
        ...

    def close(self) -> None:
        """Close every connection; a second call does nothing. Statements after it raise StoreClosed."""
        ...

    def __enter__(self) -> Store: ...

    def __exit__(self, *exc: object) -> None: ...
