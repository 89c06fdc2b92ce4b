"""An open SQLite database: one connection that writes, a few that only read, and the order in which all take turns.

A read takes a free read connection and gives it back. A write waits for its turn among the threads of this process
and at the gate between processes, runs on the writer, and is committed when it returns. A thread that has a
transaction or a snapshot open has one connection and uses that: the store itself refuses its statements.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from queue import Empty
from threading import get_ident
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from diglot.errors import DatabaseError, TransactionError
from diglot.sql.session import Batches, Dialect, Row, Statement, Values
from diglot.stores.settings import SQLiteSettings
from diglot.stores.sqlite import fork, health, statements
from diglot.stores.sqlite.connection import Link
from diglot.stores.sqlite.file import FileConnections
from diglot.stores.sqlite.library import library, server_version, wal_reset_safe
from diglot.stores.sqlite.maintenance import Checkpoint, Migrating, checkpoint, migrating, optimize, shrink
from diglot.stores.sqlite.memory import MemoryConnections
from diglot.stores.sqlite.path import MEMORY, Identity
from diglot.stores.sqlite.unit import SQLiteUnit
from diglot.stores.store import Health
from diglot.stores.transaction import Savepoint, Snapshot, Transaction

if TYPE_CHECKING:
    import sqlite3

advice = logging.getLogger("diglot.advice")
"""Logs the warnings of a long-running service, which short commands omit."""
T = TypeVar("T")
Run = Callable[[Link, Statement, Any], T]


def open_sqlite(settings: SQLiteSettings) -> SQLiteStore:
    """Open a SQLite database; it is created if it is missing and ``settings.create`` is true.

    ConfigurationError for a path that is refused, DatabaseDamaged for a file that is not a database, DatabaseReadOnly
    if it can't be written, DatabaseUnavailable if it is missing.
    """
    store = SQLiteStore(settings)
    if store.identity is not None and not settings.read_only and not wal_reset_safe(library().sqlite_version_info):
        advice.warning(
            "%s can damage a file when two programs checkpoint it at once (fixed in 3.51.3): "
            "Diglot lets only one do so at a time; let no other program write %r",
            store.server_version,
            store.location,
        )
    return store


class SQLiteStore:
    """See ``session.Store`` for what each method promises."""

    def __init__(self, settings: SQLiteSettings) -> None:
        self.settings = settings
        self.connections: FileConnections | MemoryConnections = (
            MemoryConnections(settings) if settings.path == MEMORY else FileConnections(settings)
        )
        self._open: dict[int, Transaction[SQLiteUnit] | Migrating] = {}
        """The unit of work that each thread has open."""
        fork.watch(self)

    # --- separate statements --------------------------------------------------------------------------

    def rows(self, statement: Statement, values: Values = ()) -> list[Row]:
        if statement.writes:
            return self._write(statement, values, statements.rows)
        # From here on every microsecond counts: a point read takes six.
        if self._open or statement.locks:
            self._outside(statement.query, locks=statement.locks)
        connections = self.connections
        idle = connections.idle
        try:
            link = idle.get_nowait()
        except Empty:
            link, release = connections.lease()
        else:
            release = idle.put
            if link is None:
                release(None)
                link, release = connections.lease()
        try:
            link.watch.deadline = 0.0
            return link.connection.execute(statement.text, values).fetchall()
        except Exception as error:
            raise link.failure(error, statement.query) from error
        finally:
            release(link)

    def count(self, statement: Statement, values: Values = ()) -> int:
        return self._run(statement, values, statements.count)

    def columns(self, statement: Statement, values: Values = ()) -> tuple[list[str], list[Row]]:
        return self._run(statement, values, statements.columns)

    def many(self, statement: Statement, batch: Sequence[Values]) -> int:
        self._outside(statement.query)
        with Transaction(self) as unit:
            return unit.many(statement, batch)

    def script(self, statement: Statement) -> None:
        self._outside(statement.query)
        with Transaction(self) as unit:
            unit.script(statement)

    def together(self, calls: Sequence[tuple[Statement, Values]]) -> list[list[Row]]:
        self._outside(calls[0][0].query if calls else None)
        with Snapshot(self) as unit:
            return unit.together(calls)

    def stream(self, statement: Statement, values: Values = (), *, size: int = 1000) -> Batches:
        self._outside(statement.query)
        with Snapshot(self) as unit:
            yield from unit.stream(statement, values, size=size)

    # --- units of work -------------------------------------------------------------------------------------

    def transaction(self) -> Transaction[SQLiteUnit] | Savepoint[SQLiteUnit]:
        session = self._session(get_ident())
        return session.transaction() if session is not None else Transaction(self)

    def snapshot(self) -> Snapshot[SQLiteUnit]:
        self._outside(None)
        return Snapshot(self)

    @contextmanager
    def migration_connection(self, timeout: float) -> Iterator[sqlite3.Connection]:
        """The writer itself, with foreign_keys and the statement timeout off; nobody else can write meanwhile."""
        self._outside(None)
        me = get_ident()
        try:
            with migrating(self.connections, me, timeout) as link:
                self._open[me] = Migrating(link)
                yield link.connection
        finally:
            self._open.pop(me, None)

    def checkpoint(self, mode: Literal["TRUNCATE", "PASSIVE"] = "TRUNCATE") -> Checkpoint:
        """Move the log into the database file and empty it (TRUNCATE), as far as no reader needs it."""
        self._outside(None)
        return checkpoint(self.connections, get_ident(), mode)

    def shrink(self) -> int:
        """Others may write between the steps."""
        self._outside(None)
        return shrink(self.connections, get_ident())

    # --- description and health --------------------------------------------------------------------------

    @property
    def dialect(self) -> Dialect:
        return "sqlite"

    @property
    def in_transaction(self) -> bool:
        return False

    @property
    def location(self) -> str:
        return self.connections.location

    @property
    def server_version(self) -> str:
        return server_version()

    def health(self, *, deep: bool = True) -> Health:
        me = get_ident()
        writer = None if self.settings.read_only or self._session(me) is not None else me
        return health.health(self.connections, self._reading, deep, writer)

    def statistics(self) -> Mapping[str, float]:
        return health.statistics(self.connections, self._reading)

    def close(self) -> None:
        """This thread's open transaction is rolled back; LockTimeout if one of another thread does not end."""
        me = get_ident()
        session = self._session(me)
        if session is not None:
            session.abandon()
        self.connections.close(me, optimize)
        fork.forget(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # --- how a statement gets its connection ---------------------------------------------------------------

    def _run(self, statement: Statement, values: Values, run: Run[T]) -> T:
        if statement.writes:
            return self._write(statement, values, run)
        self._outside(statement.query, locks=statement.locks)
        link, release = self.connections.lease()
        try:
            return run(link, statement, values)
        except Exception as error:
            raise link.failure(error, statement.query) from error
        finally:
            release(link)

    def _write(self, statement: Statement, values: Values, run: Run[T]) -> T:
        if self._open or statement.locks:
            self._outside(statement.query, locks=statement.locks)
        me = get_ident()
        connections = self.connections
        try:
            link = connections.acquire(me, self.settings.lock_timeout, statement.query)
            try:
                answer = run(link, statement, values)
            except Exception as error:
                raise link.failure(error, statement.query) from error
            if link.connection.in_transaction:
                link.run("rollback")
                raise TransactionError("begin a transaction with transaction(), not with SQL", query=statement.query)
            return answer
        finally:
            connections.release(me)

    @contextmanager
    def _reading(self) -> Iterator[Link]:
        """A connection for examining the database: this thread's own if it has something open."""
        session = self._session(get_ident())
        if session is not None:
            yield session.link if isinstance(session, Migrating) else session.unit.link
            return
        link, release = self.connections.lease()
        try:
            yield link
        finally:
            release(link)

    def _outside(self, query: str | None, *, locks: bool = False) -> None:
        if self._session(get_ident()) is not None:
            raise TransactionError(
                "this thread has a transaction, a snapshot or a migration open: use that, not the store", query=query
            )
        if locks:
            raise TransactionError("it locks rows, so it runs only in a transaction", query=query)

    def _session(self, thread: int) -> Transaction[SQLiteUnit] | Migrating | None:
        session = self._open.get(thread)
        return session if session is not None and session.active else None

    # --- for transactions (Units) --------------------------------------------------------------------------

    def acquire(self, session: Transaction[SQLiteUnit]) -> SQLiteUnit:
        self._outside(None)
        connections = self.connections
        thread = get_ident()
        self._open[thread] = session
        try:
            if session.read_only:
                link, release = connections.lease()
                return SQLiteUnit(link, lambda: release(link), lambda: connections.drop(link, thread), read_only=True)
            link = connections.acquire(thread, self.settings.lock_timeout)
            return SQLiteUnit(
                link, lambda: connections.release(thread), lambda: connections.drop(link, thread), read_only=False
            )
        except BaseException:
            self._open.pop(thread, None)
            connections.release(thread)
            raise

    def clear(self, session: Transaction[SQLiteUnit], unit: SQLiteUnit | None) -> None:
        thread = get_ident()
        if self._open.get(thread) in (session, None):
            self._open.pop(thread, None)
            self.connections.release(thread)

    def give_back(self, unit: SQLiteUnit) -> None:
        release = unit.release_link
        try:
            if not unit.lost and unit.link.connection.in_transaction:
                unit.command("rollback")
        except DatabaseError:
            release = unit.drop  # the error that made the transaction roll back is the one to raise
        finally:
            unit.end()
            self._open.pop(unit.thread, None)
            release()

    # --- forks (fork says why) ----------------------------------------------------------------------

    @property
    def identity(self) -> Identity | None:
        return self.connections.identity

    def before_fork(self) -> None:
        self.connections.before_fork(busy=self._session(get_ident()) is not None)

    def after_fork_in_parent(self) -> None:
        self.connections.after_fork_in_parent()

    def has_inherited(self) -> bool:
        return self.connections.has_inherited()

    def after_fork_in_child(self, inherited: bool) -> None:
        for session in self._open.values():
            session.forget()
        self._open.clear()
        self.connections.after_fork_in_child(inherited)
