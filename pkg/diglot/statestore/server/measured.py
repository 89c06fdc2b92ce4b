"""Wraps a store and each of its sessions, to measure every statement."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Self, TypeVar

from diglot.errors import DatabaseError
from diglot.sql.session import Batches, Dialect, Row, Session, Statement, Values
from diglot.statestore.server.metrics import Metrics
from diglot.stores.store import Health, Store

T = TypeVar("T")


class MeasuredSession:
    """See ``session.Session`` for what each method promises."""

    def __init__(self, session: Session, metrics: Metrics) -> None:
        self._session = session
        self._metrics = metrics

    @property
    def dialect(self) -> Dialect:
        return self._session.dialect

    @property
    def in_transaction(self) -> bool:
        return self._session.in_transaction

    def rows(self, statement: Statement, values: Values = ()) -> list[Row]:
        return self._measured(statement, lambda: self._session.rows(statement, values))

    def count(self, statement: Statement, values: Values = ()) -> int:
        return self._measured(statement, lambda: self._session.count(statement, values))

    def many(self, statement: Statement, batch: Sequence[Values]) -> int:
        return self._measured(statement, lambda: self._session.many(statement, batch))

    def script(self, statement: Statement) -> None:
        self._measured(statement, lambda: self._session.script(statement))

    def columns(self, statement: Statement, values: Values = ()) -> tuple[list[str], list[Row]]:
        return self._measured(statement, lambda: self._session.columns(statement, values))

    def together(self, calls: Sequence[tuple[Statement, Values]]) -> list[list[Row]]:
        """One round trip, counted as the first of its queries."""
        if not calls:
            return self._session.together(calls)
        return self._measured(calls[0][0], lambda: self._session.together(calls))

    def stream(self, statement: Statement, values: Values = (), *, size: int = 1000) -> Batches:
        """Each batch of rows counts as a query."""
        batches = self._session.stream(statement, values, size=size)
        while batch := self._measured(statement, lambda: next(batches, None)):
            yield batch

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        outermost = not self._session.in_transaction
        started = time.perf_counter()
        try:
            with self._session.transaction() as session:
                if outermost and self.dialect == "sqlite":
                    self._metrics.lock_wait(time.perf_counter() - started)
                yield MeasuredSession(session, self._metrics)
        except DatabaseError as error:
            if outermost and error.query is None:  # not from a statement, but from the begin or the commit
                self._metrics.error(error)
            raise

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        with self._session.snapshot() as session:
            yield MeasuredSession(session, self._metrics)

    def _measured(self, statement: Statement, run: Callable[[], T]) -> T:
        started = time.perf_counter()
        error: BaseException | None = None
        try:
            return run()
        except BaseException as raised:
            error = raised
            raise
        finally:
            seconds = time.perf_counter() - started
            operation = "write" if statement.writes else "lock" if statement.locks else "read"
            self._metrics.query(statement.query, operation, seconds, error)
            if statement.locks and self.dialect == "postgres":
                self._metrics.lock_wait(seconds)


class MeasuredStore(MeasuredSession):
    """See ``session.Store`` for what each method promises."""

    def __init__(self, store: Store, metrics: Metrics) -> None:
        super().__init__(store, metrics)
        self._store = store

    @property
    def location(self) -> str:
        return self._store.location

    @property
    def server_version(self) -> str:
        return self._store.server_version

    def health(self, *, deep: bool = True) -> Health:
        return self._store.health(deep=deep)

    def statistics(self) -> Mapping[str, float]:
        return self._store.statistics()

    def migration_connection(self, timeout: float) -> AbstractContextManager[Any]:
        return self._store.migration_connection(timeout)

    def shrink(self) -> int | None:
        return self._store.shrink()

    def close(self) -> None:
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
