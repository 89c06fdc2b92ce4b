"""A PostgreSQL database, open: a pool of connections in autocommit.

A separate statement is one round trip and committed when it returns; see calls.py for when it is sent again.
A thread that has a transaction or a snapshot open has one connection and uses that: the store itself refuses its
statements.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from threading import get_ident
from typing import Any, Self, TypeVar

import msgspec
import psycopg

from diglot.errors import TransactionError
from diglot.sql.session import Batches, Dialect, Row, Statement, Values
from diglot.stores.postgres import health, statements
from diglot.stores.postgres.calls import Calls
from diglot.stores.postgres.connection import INFINITE, Link, location
from diglot.stores.postgres.migration import migration_connection
from diglot.stores.postgres.statements import After, Before, Run
from diglot.stores.postgres.unit import SNAPSHOT, PostgresUnit
from diglot.stores.settings import PostgresSettings
from diglot.stores.store import Health
from diglot.stores.transaction import ENDED, Savepoint, Snapshot, Transaction

T = TypeVar("T")


def open_postgres(settings: PostgresSettings) -> PostgresStore:
    """A store on the PostgreSQL database of these settings; it connects with the first statement."""
    return PostgresStore(settings)


class PostgresStore:
    """See ``session.Store`` for what each method promises."""

    def __init__(self, settings: PostgresSettings) -> None:
        self.settings = settings
        self._deadline = settings.deadline
        self._calls = Calls(settings)
        self._open: dict[int, Transaction[PostgresUnit]] = {}
        """The unit of work that each thread has open."""

    # --- separate statements --------------------------------------------------------------------------

    def rows(self, statement: Statement, values: Values = ()) -> list[Row]:
        # The first try of ``Calls.run``, inlined: here every microsecond counts.
        calls = self._calls
        if calls.pid != os.getpid():
            calls.after_fork()
        if self._open or statement.locks:
            self._outside(statement.query, locks=statement.locks)
        pool, watchdog = calls.pool, calls.watchdog
        deadline = time.monotonic() + self._deadline
        link = pool.acquire(deadline, statement.query)
        if link.read_only and statement.writes:
            link = pool.replace(link, deadline)
        if calls.written > link.plans_last_until:
            pool.release(link)
            return calls.run(statement, values, statements.rows, deadline)
        if statement.writes:
            calls.written += 1
        try:
            link.expires = deadline
            if deadline < watchdog.wakes_at:
                watchdog.wake()
            if link.pooled:
                answer = statements.rows(link, statement, values, link.opening, link.closing)
            else:
                cursor = link.cursor
                cursor.execute(statement.text, values)
                answer = statements.fetched(link, cursor)
        except BaseException as error:
            unsure = calls.after_failure(link, error, statement, deadline, 1)
            return calls.run(statement, values, statements.rows, deadline, 1, unsure)
        link.expires = INFINITE
        link.used = deadline - self._deadline
        if link.pgconn.transaction_status:  # 0 is IDLE
            calls.refuse_begin(link, statement)
        pool.release(link)
        return answer

    def count(self, statement: Statement, values: Values = ()) -> int:
        return self._run(statement, values, statements.count)

    def columns(self, statement: Statement, values: Values = ()) -> tuple[list[str], list[Row]]:
        return self._run(statement, values, statements.columns)

    def many(self, statement: Statement, batch: Sequence[Values]) -> int:
        if not batch:
            self._outside(statement.query, locks=statement.locks)
            return 0
        return self._run(_writing(statement), batch, statements.many)

    def script(self, statement: Statement) -> None:
        self._run(_writing(statement), (), statements.script)

    def together(self, calls: Sequence[tuple[Statement, Values]]) -> list[list[Row]]:
        for statement, _ in calls:
            if statement.writes or statement.locks:
                raise TransactionError("it writes or locks rows, and a snapshot only reads", query=statement.query)
        if not calls:
            self._outside(None)
            return []
        if len(calls) == 1:
            return [self.rows(*calls[0])]
        return self._run(calls[0][0], calls, _together)

    def stream(self, statement: Statement, values: Values = (), *, size: int = 1000) -> Batches:
        self._outside(statement.query)
        with Snapshot(self) as unit:
            yield from unit.stream(statement, values, size=size)

    # --- units of work -------------------------------------------------------------------------------------

    def transaction(self) -> Transaction[PostgresUnit] | Savepoint[PostgresUnit]:
        session = self._session()
        return session.transaction() if session is not None else Transaction(self)

    def snapshot(self) -> Snapshot[PostgresUnit]:
        self._outside(None)
        return Snapshot(self)

    def migration_connection(self, timeout: float) -> AbstractContextManager[psycopg.Connection[Any]]:
        """A connection of its own, in autocommit, without a statement timeout, that holds the advisory lock."""
        self._outside(None)
        self._calls.refuse_closed(None)
        return migration_connection(self.settings, timeout)

    # --- description and health --------------------------------------------------------------------------

    @property
    def dialect(self) -> Dialect:
        return "postgres"

    @property
    def in_transaction(self) -> bool:
        return False

    @property
    def location(self) -> str:
        return location(self.settings)

    @property
    def server_version(self) -> str:
        """Connects if there is no connection yet."""
        if not self._calls.version:
            with self._calls.leased(self._deadline):
                pass
        return self._calls.version

    def health(self, *, deep: bool = True) -> Health:
        return health.health(self._calls)

    def statistics(self) -> Mapping[str, float]:
        self._session()
        return self._calls.pool.statistics() | {"database_statements_repeated_total": float(self._calls.repeated)}

    def shrink(self) -> None:
        """None: autovacuum does this."""

    def close(self) -> None:
        """This thread's open transaction is rolled back; those of other threads get StoreClosed and roll back."""
        session = self._session()
        if session is not None:
            session.abandon()
        self._calls.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # --- one thread, one connection ------------------------------------------------------------------------

    def _run(self, statement: Statement, values: Any, run: Run[T]) -> T:
        self._outside(statement.query, locks=statement.locks)
        return self._calls.run(statement, values, run)

    def _outside(self, query: str | None, *, locks: bool = False) -> None:
        if self._session() is not None:
            raise TransactionError(
                "this thread has a transaction or a snapshot open: use that, not the store", query=query
            )
        if locks:
            raise TransactionError("it locks rows, so it runs only in a transaction", query=query)

    def _session(self) -> Transaction[PostgresUnit] | None:
        """What this thread has open; every call except ``rows`` passes through here."""
        if self._calls.pid != os.getpid():
            self._calls.after_fork()
            self._open = {}
        session = self._open.get(get_ident())
        return session if session is not None and session.active else None

    # --- for transactions (Units) --------------------------------------------------------------------------

    def acquire(self, session: Transaction[PostgresUnit]) -> PostgresUnit:
        self._outside(None)
        link = self._calls.acquire(time.monotonic() + self._deadline, writes=not session.read_only)
        unit = PostgresUnit(link, self._calls, read_only=session.read_only)
        self._open[unit.thread] = session
        return unit

    def clear(self, session: Transaction[PostgresUnit], unit: PostgresUnit | None) -> None:
        if unit is not None and unit.failed != ENDED:
            self.give_back(unit)

    def give_back(self, unit: PostgresUnit) -> None:
        self._open.pop(unit.thread, None)
        lost = unit.lost
        unit.end()
        self._calls.put_back(unit.link, broken=lost)


def _writing(statement: Statement) -> Statement:
    return statement if statement.writes else msgspec.structs.replace(statement, writes=True)


def _together(link: Link, _first: Statement, calls: Any, _before: Before = (), _after: After = ()) -> list[list[Row]]:
    return statements.together(link, calls, [SNAPSHOT, *link.local], ["commit"])
