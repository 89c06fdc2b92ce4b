"""What a store has beyond a session: it is an open database, with health checks, statistics and a close."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

import msgspec

from diglot.sql.session import Session


class Check(msgspec.Struct, frozen=True):
    """One finding of a health check; ``milliseconds`` is how long it took."""

    name: str
    ok: bool
    detail: str
    milliseconds: float


class Health(msgspec.Struct, frozen=True):
    """The state of a store: ``ok`` if every check is."""

    ok: bool
    checks: list[Check]


@runtime_checkable
class Store(Session, Protocol):
    """An open database. Thread-safe; a child process after fork gets connections of its own."""

    @property
    def location(self) -> str:
        """Where it is, for people: a path, ``:memory:`` or ``postgresql://host:port/dbname``; never a password."""
        ...

    @property
    def server_version(self) -> str:
        """The engine and its version, ``SQLite 3.53.4`` or ``PostgreSQL 18.4``."""
        ...

    def health(self, *, deep: bool = True) -> Health:
        """Whether the database answers and is in order; never raises for a database that is down.

        ``deep=False`` leaves out checks that take longer on a larger database.
        """
        ...

    def statistics(self) -> Mapping[str, float]:
        """Figures by name, as declared in ``stores.statistics``: those that this engine has."""
        ...

    def migration_connection(self, timeout: float) -> AbstractContextManager[Any]:
        """The driver's own connection, holding the migration lock to the end.

        PostgreSQL: a connection outside the pool in autocommit, holding a session advisory lock; behind a connection
        pooler a transaction is open on it, which holds the lock and commits at the end. SQLite: the writer connection
        (isolation_level None, foreign_keys off) inside the gate. LockTimeout after ``timeout`` seconds.
        """
        ...

    def shrink(self) -> int | None:
        """Give free space back to the file system, in small steps; how many bytes.

        None if the engine does so by itself: PostgreSQL's autovacuum keeps it for the next rows. SQLite: 0 for a
        file that was made without auto_vacuum, which only VACUUM shrinks.
        """
        ...

    def close(self) -> None:
        """Close every connection; a second call does nothing. Statements after it raise StoreClosed."""
        ...

    def __enter__(self) -> Store: ...

    def __exit__(self, *exc: object) -> None: ...
