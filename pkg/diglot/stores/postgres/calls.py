"""Around each call to PostgreSQL: its connection, its deadline, what its failure means, and whether to repeat it.

If the connection is lost, a read, or a write that may be repeated (``idempotent``), is sent again on another until
its deadline; any other write is OutcomeUnknown. A statement that conflicted with others (a deadlock) is sent again.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg

from diglot.errors import (
    DatabaseError,
    DatabaseFull,
    DatabaseIOError,
    DatabaseTimeout,
    DatabaseUnavailable,
    OutcomeUnknown,
    QueryResultError,
    SerializationFailure,
    StoreClosed,
    TransactionError,
)
from diglot.sql.session import Statement
from diglot.stores.postgres import plans
from diglot.stores.postgres.connection import INFINITE, Link, open_link, server_version
from diglot.stores.postgres.errors import is_lost, is_read_only, is_stale_plan, translate
from diglot.stores.postgres.pool import Pool
from diglot.stores.postgres.set_up import set_up
from diglot.stores.postgres.statements import EndsTransaction, FailedTogether, Run, Unreadable, many, origin
from diglot.stores.postgres.watchdog import Watchdog
from diglot.stores.settings import PostgresSettings

T = TypeVar("T")
ATTEMPTS = 5
"""How often a separate statement is sent at most, if connections are lost or others block it."""


class Calls:
    """The pool and the watchdog of a store, and how calls are made with them."""

    def __init__(self, settings: PostgresSettings) -> None:
        self.settings = settings
        self.version = ""
        """The version of the server that was connected to last."""
        self.repeated = 0
        self.trouble: tuple[DatabaseError, float] | None = None
        """The last failure from a full disk or an I/O error, and its time; None once a write is known to work."""
        self.written = 0
        """The number of rows written, approximately: two threads may count as one."""
        self._forking = threading.Lock()
        self._inherited: list[object] = []
        """In a fork's child: the parent's objects, kept so that no finalizer touches them."""
        self._begin_process()

    def _begin_process(self) -> None:
        settings = self.settings
        self.pool = Pool(
            lambda: open_link(settings),
            self._set_up,
            min_size=settings.pool_min,
            max_size=settings.pool_max,
            timeout=settings.pool_timeout,
        )
        self.watchdog = Watchdog(self.pool.links, rest=settings.deadline)
        self.pid = os.getpid()

    def after_fork(self) -> None:
        """Called in a child process: the parent's connections must be neither used nor closed here."""
        with self._forking:
            if self.pid != os.getpid():
                self._inherited += [self.pool, self.watchdog]
                self._begin_process()

    def close(self) -> None:
        self.pool.close()
        self.watchdog.stop()

    def refuse_closed(self, query: str | None) -> None:
        """StoreClosed if the store is closed."""
        if self.pool.closed:
            raise StoreClosed(query=query)

    # --- a separate statement -----------------------------------------------------------------------------

    def run(
        self,
        statement: Statement,
        values: Any,
        run: Run[T],
        deadline: float | None = None,
        attempt: int = 0,
        unsure: bool = False,
    ) -> T:
        """``attempt``: how often it was sent already; ``unsure``: it may have been stored."""
        if deadline is None:
            deadline = time.monotonic() + self.settings.deadline
        while True:
            attempt += 1
            try:
                link = self.acquire(deadline, statement.query, writes=statement.writes)
            except (DatabaseUnavailable, DatabaseTimeout) as error:
                if unsure:
                    raise OutcomeUnknown(query=statement.query) from error
                raise
            try:
                self.begin(link, deadline)
                before = [*link.opening, *self.before(link, statement, values, run)]
                answer = run(link, statement, values, before, link.closing)
            except BaseException as error:
                unsure |= self.after_failure(link, error, statement, deadline, attempt)
                continue
            self.end(link)
            if not link.idle:
                self.refuse_begin(link, statement)
            self.pool.release(link)
            return answer

    def after_failure(
        self, link: Link, error: BaseException, statement: Statement, deadline: float, attempt: int
    ) -> bool:
        """Release or discard the connection; raise, unless the statement is to be sent again.

        True if it may have been stored.
        """
        self.end(link)
        if not isinstance(error, Exception):
            self.pool.discard(link)
            raise error
        failure, lost = self.failure(link, error, statement.query, "")
        driver = origin(error)
        stale = is_stale_plan(driver)
        if stale:
            self.pool.renew()  # the plans of the other connections are just as old
        again = attempt < ATTEMPTS and time.monotonic() < deadline and not link.overdue
        self.put_back(link, broken=lost or stale or is_read_only(driver))
        if lost:
            if again and (statement.idempotent or not statement.writes):
                self.repeated += 1
                return statement.writes
            if statement.writes:
                raise OutcomeUnknown(query=statement.query) from driver
        elif again and (isinstance(failure, SerializationFailure) or stale):
            # Nothing of it was stored, so any statement may be run again.
            self.repeated += 1
            time.sleep(random.uniform(0.0, 0.01) * 2**attempt)  # noqa: S311
            return False
        raise failure from driver

    def refuse_begin(self, link: Link, statement: Statement) -> None:
        """A separate statement has left a transaction open."""
        self.put_back(link)
        raise TransactionError("begin a transaction with transaction(), not with SQL", query=statement.query)

    def acquire(self, deadline: float, query: str | None = None, *, writes: bool) -> Link:
        """A connection from the pool; for writes, none that was opened while the database was read-only."""
        link = self.pool.acquire(deadline, query)
        return self.pool.replace(link, deadline) if writes and link.read_only else link

    # --- any call ------------------------------------------------------------------------------------------

    def before(self, link: Link, statement: Any, values: Any, run: Run[Any]) -> tuple[str, ...]:
        """What to send first: after many writes, the statement that discards the plans (see ``plans``)."""
        if isinstance(statement, Statement) and statement.writes:
            self.written += len(values) if run is many else 1
        if self.written <= link.plans_last_until:
            return ()
        link.plans_last_until = plans.last_until(self.written)
        return (plans.FORGET,)

    def begin(self, link: Link, deadline: float | None = None) -> None:
        """Have the watchdog watch it from here on."""
        link.expires = deadline = deadline or time.monotonic() + self.settings.deadline
        if deadline < self.watchdog.wakes_at:
            self.watchdog.wake()

    def end(self, link: Link) -> None:
        link.expires = INFINITE
        link.used = time.monotonic()

    def failure(self, link: Link, error: Exception, query: str | None, consequence: str) -> tuple[Exception, bool]:
        """Our error, and whether the connection is lost; if so, the message ends with ``consequence``."""
        if isinstance(error, EndsTransaction):
            return TransactionError(str(error), query=query), False
        if isinstance(error, FailedTogether):
            query = error.query
        driver = origin(error)
        if isinstance(error, Unreadable):
            said = f"the driver can't read a value of its answer ({type(driver).__name__})"
            return QueryResultError(f"query {query}: {said}"), link.lost
        if link.overdue:
            said = f"no answer came in time and the connection was cut{consequence}"
            return DatabaseTimeout(said, query=query), True
        if getattr(driver, "sqlstate", None) in ("25P03", "25P04"):
            said = f"the transaction was open for too long and was ended{consequence}"
            return DatabaseTimeout(said, query=query), True
        if link.lost or is_lost(driver) or isinstance(driver, OSError):
            return DatabaseUnavailable(f"the connection to PostgreSQL was lost{consequence}", query=query), True
        failure = translate(driver, query)
        if isinstance(failure, DatabaseFull | DatabaseIOError):
            self.trouble = failure, time.monotonic()
        return failure, False

    def put_back(self, link: Link, *, broken: bool = False) -> None:
        """Roll back what is open on it; a connection that can't even do that is discarded."""
        if not broken and not link.idle:
            self.begin(link)
            try:
                link.command("rollback")
            except psycopg.Error:
                broken = True
            except BaseException:
                self.pool.discard(link)
                raise
            finally:
                self.end(link)
        if broken or not link.idle:
            self.pool.discard(link)
        else:
            self.pool.release(link)

    @contextmanager
    def leased(self, seconds: float) -> Iterator[Link]:
        """A connection for examining the database, for at most this time."""
        if self.pid != os.getpid():
            self.after_fork()
        link = self.acquire(time.monotonic() + min(seconds, 1.0), writes=True)
        lost = True
        try:
            self.begin(link, time.monotonic() + seconds)
            yield link
            lost = False
        except psycopg.Error as error:
            failure, lost = self.failure(link, error, None, "")
            raise failure from error
        finally:
            self.end(link)
            self.put_back(link, broken=lost)

    def _set_up(self, link: Link) -> None:
        """Called by the pool for a connection that it has just opened."""
        self.watchdog.start()
        self.begin(link, time.monotonic() + self.settings.connect_timeout)
        try:
            set_up(link, self.settings, self.settings.statement_timeout)
        except psycopg.Error as error:
            failure, lost = self.failure(link, error, None, " while it was set up")
            raise (DatabaseUnavailable(str(failure)) if lost else failure) from error
        finally:
            self.end(link)
        self.version = server_version(link)
        link.read_only = link.connection.info.parameter_status("default_transaction_read_only") == "on"
        link.plans_last_until = plans.last_until(self.written)
