"""A PostgreSQL database, open: a pool of connections in autocommit, and the rules for what may be sent again.

A statement by itself is one round trip and committed when it returns. When its connection is lost, a read, or a write
that may be repeated (``idempotent``), is sent again on another until its deadline; any other write is OutcomeUnknown.
A thread that has a transaction or a snapshot open has one connection and uses that: the store refuses its statements.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from threading import get_ident
from typing import Any, Self, TypeVar

import msgspec
import psycopg

from diglot.errors import (
    DatabaseTimeout,
    DatabaseUnavailable,
    DiglotError,
    OutcomeUnknown,
    SerializationFailure,
    StoreClosed,
    TransactionError,
)
from diglot.stores import postgres_health, postgres_statements
from diglot.stores.postgres_connection import INFINITE, Link, connect, location, set_up
from diglot.stores.postgres_errors import is_lost, is_stale_plan, translate
from diglot.stores.postgres_migration import migration_connection
from diglot.stores.postgres_pool import Pool
from diglot.stores.postgres_statements import EndsTransaction, FailedTogether, Run, origin
from diglot.stores.postgres_transaction import Savepoint, Snapshot, Transaction, Unit
from diglot.stores.postgres_watchdog import Watchdog
from diglot.stores.session import Dialect, Health, Row, Statement, Values
from diglot.stores.settings import PostgresSettings

T = TypeVar("T")
ATTEMPTS = 5
"""How often a statement by itself is sent at most, when connections are lost or others are in its way (a deadlock)."""
_SNAPSHOT = "begin isolation level repeatable read read only"


def open_postgres(settings: PostgresSettings) -> PostgresStore:
    """A store on the PostgreSQL database of these settings; nothing is connected to before the first statement."""
    return PostgresStore(settings)


class PostgresStore:
    """See ``session.Store`` for what each method promises."""

    def __init__(self, settings: PostgresSettings) -> None:
        self.settings = settings
        self._deadline = settings.deadline
        self._forking = threading.Lock()
        self._inherited: list[object] = []
        """In a fork's child: what is the parent's, kept so that no finalizer touches it."""
        self._begin_process()

    def _begin_process(self) -> None:
        settings = self.settings
        self._open: dict[int, Transaction] = {}
        """What each thread has open."""
        self._pool = Pool(
            lambda: Link(connect(settings)),
            self._set_up,
            least=settings.pool_min,
            most=settings.pool_max,
            timeout=settings.pool_timeout,
        )
        self._watchdog = Watchdog(self._pool.links, rest=settings.deadline)
        self._version = ""
        self._repeated = 0
        self._pid = os.getpid()

    # --- statements by themselves --------------------------------------------------------------------------

    def rows(self, statement: Statement, values: Values = ()) -> list[Row]:
        # The first try of ``_run``, written out: here every microsecond counts.
        if self._pid != os.getpid():
            self._fork()
        if self._open or statement.locks:
            self._outside(statement.query, locks=statement.locks)
        pool, watchdog = self._pool, self._watchdog
        deadline = time.monotonic() + self._deadline
        link = pool.take(deadline, statement.query)
        try:
            link.expires = deadline
            if deadline < watchdog.wakes_at:
                watchdog.wake()
            cursor = link.cursor
            cursor.execute(statement.text, values)
            answer = postgres_statements.fetched(link, cursor)
        except BaseException as error:
            unsure = self._after_failure(link, error, statement, deadline, 1)
            return self._again(statement, values, postgres_statements.rows, deadline, 1, unsure)
        link.expires = INFINITE
        link.used = deadline - self._deadline
        if link.pgconn.transaction_status:  # 0 is IDLE
            self._refuse_begin(link, statement)
        pool.give(link)
        return answer

    def count(self, statement: Statement, values: Values = ()) -> int:
        return self._run(statement, values, postgres_statements.count)

    def columns(self, statement: Statement, values: Values = ()) -> tuple[list[str], list[Row]]:
        return self._run(statement, values, postgres_statements.columns)

    def many(self, statement: Statement, batch: Sequence[Values]) -> int:
        if not batch:
            self._outside(statement.query, locks=statement.locks)
            return 0
        return self._run(_writing(statement), batch, postgres_statements.many_by_itself)

    def script(self, statement: Statement) -> None:
        self._run(_writing(statement), (), postgres_statements.script)

    def together(self, calls: Sequence[tuple[Statement, Values]]) -> list[list[Row]]:
        if len(calls) == 1:
            return [self.rows(*calls[0])]
        for statement, _ in calls:
            if statement.writes or statement.locks:
                raise TransactionError("it writes or locks rows, and a snapshot only reads", query=statement.query)
        if not calls:
            self._outside(None)
            return []
        return self._run(calls[0][0], calls, _together)

    # --- units of work -------------------------------------------------------------------------------------

    def transaction(self) -> Transaction | Savepoint:
        session = self._session()
        return session.transaction() if session is not None else Transaction(self)

    def snapshot(self) -> Snapshot:
        self._outside(None)
        return Snapshot(self)

    def migration_connection(self, timeout: float) -> AbstractContextManager[psycopg.Connection[Any]]:
        """A connection of its own, in autocommit, without a statement timeout, that holds the advisory lock."""
        self._outside(None)
        self.refuse_closed(None)
        return migration_connection(self.settings, timeout)

    # --- what it is and how it is --------------------------------------------------------------------------

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
        if not self._version:
            with self._leased(self._deadline) as link:
                self._version = postgres_health.server_version(link)
        return self._version

    def health(self) -> Health:
        return postgres_health.health(self._leased)

    def statistics(self) -> Mapping[str, float]:
        if self._pid != os.getpid():
            self._fork()
        return self._pool.statistics() | {"postgres_statements_repeated_total": float(self._repeated)}

    def close(self) -> None:
        """This thread's open transaction is rolled back; those of other threads get StoreClosed and roll back."""
        if self._pid != os.getpid():
            self._fork()
        self._pool.close()
        session = self._session()
        if session is not None:
            session.abandon()
        self._watchdog.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # --- how a statement gets its connection, and what happens when it fails --------------------------------

    def _run(self, statement: Statement, values: Any, run: Run[T]) -> T:
        self._outside(statement.query, locks=statement.locks)
        return self._again(statement, values, run, time.monotonic() + self._deadline, 0)

    def _again(
        self, statement: Statement, values: Any, run: Run[T], deadline: float, attempt: int, unsure: bool = False
    ) -> T:
        """``unsure``: it was sent before, and may have been stored."""
        while True:
            attempt += 1
            try:
                link = self._pool.take(deadline, statement.query)
            except (DatabaseUnavailable, DatabaseTimeout) as error:
                if unsure:
                    raise OutcomeUnknown(query=statement.query) from error
                raise
            try:
                self._watch(link, deadline)
                answer = run(link, statement, values, ())
            except BaseException as error:
                unsure |= self._after_failure(link, error, statement, deadline, attempt)
                continue
            self.end(link)
            if not link.idle:
                self._refuse_begin(link, statement)
            self._pool.give(link)
            return answer

    def _after_failure(
        self, link: Link, error: BaseException, statement: Statement, deadline: float, attempt: int
    ) -> bool:
        """Give the connection back, or up; raise, unless the statement is to be sent again.

        True when it may have been stored.
        """
        self.end(link)
        if not isinstance(error, Exception):
            self._pool.discard(link)
            raise error
        failure, lost = self.failure(link, error, statement.query, "")
        stale = is_stale_plan(origin(error))
        again = attempt < ATTEMPTS and time.monotonic() < deadline and not link.overdue
        self._put_back(link, broken=lost or stale)
        if lost:
            if again and (statement.idempotent or not statement.writes):
                self._repeated += 1
                return statement.writes
            if statement.writes:
                raise OutcomeUnknown(query=statement.query) from origin(error)
        elif again and (isinstance(failure, SerializationFailure) or (stale and attempt == 1)):
            # Nothing of it was stored, so any statement may be run again.
            self._repeated += 1
            time.sleep(random.uniform(0.0, 0.01) * 2**attempt)  # noqa: S311
            return False
        raise failure from origin(error)

    def _put_back(self, link: Link, *, broken: bool = False) -> None:
        """Roll back what is open on it; a connection that can't even do that is given up."""
        if not broken and not link.idle:
            try:
                self.begin(link)
                link.command("rollback")
            except psycopg.Error:
                broken = True
            finally:
                self.end(link)
        if broken or not link.idle:
            self._pool.discard(link)
        else:
            self._pool.give(link)

    def _refuse_begin(self, link: Link, statement: Statement) -> None:
        self._put_back(link)
        raise TransactionError("begin a transaction with transaction(), not with SQL", query=statement.query)

    def _outside(self, query: str | None, *, locks: bool = False) -> None:
        if self._session() is not None:
            raise TransactionError(
                "this thread has a transaction or a snapshot open: use that, not the store", query=query
            )
        if locks:
            raise TransactionError("it locks rows, so it runs only in a transaction", query=query)

    def _session(self) -> Transaction | None:
        if self._pid != os.getpid():
            self._fork()
        session = self._open.get(get_ident())
        return session if session is not None and session.active else None

    @contextmanager
    def _leased(self, seconds: float) -> Iterator[Link]:
        """A connection to look at the database with, for at most so long."""
        if self._pid != os.getpid():
            self._fork()
        link = self._pool.take(time.monotonic() + min(seconds, 1.0))
        lost = True
        try:
            self._watch(link, time.monotonic() + seconds)
            yield link
            lost = False
        except psycopg.Error as error:
            failure, lost = self.failure(link, error, None, "")
            raise failure from error
        finally:
            self.end(link)
            self._put_back(link, broken=lost)

    def _set_up(self, link: Link) -> None:
        """By the pool, for a connection that it has just opened."""
        self._watchdog.start()
        self._watch(link, time.monotonic() + self.settings.connect_timeout)
        try:
            set_up(link, self.settings, self.settings.statement_timeout)
        except psycopg.Error as error:
            failure, lost = self.failure(link, error, None, " while it was set up")
            raise (DatabaseUnavailable(str(failure)) if lost else failure) from error
        finally:
            self.end(link)
        self._version = postgres_health.server_version(link)

    def _fork(self) -> None:
        """This is a child: the parent's connections are not ours to use, nor to close."""
        with self._forking:
            if self._pid != os.getpid():
                self._inherited += [self._pool, self._watchdog, self._open]
                self._begin_process()

    # --- for transactions (Calls and Units) ----------------------------------------------------------------

    def begin(self, link: Link) -> None:
        self._watch(link, time.monotonic() + self._deadline)

    def end(self, link: Link) -> None:
        link.expires = INFINITE
        link.used = time.monotonic()

    def failure(self, link: Link, error: Exception, query: str | None, consequence: str) -> tuple[Exception, bool]:
        if isinstance(error, EndsTransaction):
            return TransactionError(f"a script is one transaction: leave {error} out of it", query=query), False
        if isinstance(error, DiglotError):
            return error, False
        if isinstance(error, FailedTogether):
            query = error.query
        driver = origin(error)
        if link.overdue:
            return DatabaseTimeout(f"no answer came in time and the connection was cut{consequence}", query=query), True
        if link.lost or is_lost(driver):
            if getattr(driver, "sqlstate", None) in ("25P03", "25P04"):
                return DatabaseTimeout(
                    f"the transaction was open for too long and was ended{consequence}", query=query
                ), True
            return DatabaseUnavailable(f"the connection to PostgreSQL was lost{consequence}", query=query), True
        return translate(driver, query), False

    def refuse_closed(self, query: str | None) -> None:
        if self._pool.closed:
            raise StoreClosed(query=query)

    def take(self, session: Transaction, begin: str) -> Unit:
        self._outside(None)
        unit = Unit(self._pool.take(time.monotonic() + self._deadline), self, begin)
        self._open[unit.thread] = session
        return unit

    def give_back(self, unit: Unit) -> None:
        self._open.pop(unit.thread, None)
        unit.failed, lost, unit.lost = "the transaction has ended", unit.lost, True
        self._put_back(unit.link, broken=lost)

    def _watch(self, link: Link, deadline: float) -> None:
        link.expires = deadline
        if deadline < self._watchdog.wakes_at:
            self._watchdog.wake()


def _writing(statement: Statement) -> Statement:
    return statement if statement.writes else msgspec.structs.replace(statement, writes=True)


def _together(link: Link, _first: Statement, calls: Any, _before: Sequence[str]) -> list[list[Row]]:
    return postgres_statements.together(link, calls, [_SNAPSHOT], ["commit"])
