"""An open database of a project: a session that runs the project's queries, transactions, and its migrations.

with diglot.Project.find().open("sqlite:///shop.db") as db:
    queries = db.queries(ShopQueries)
    queries.books.search(db, term="é")
    with db.transaction() as tx:
        queries.orders.place(tx, book="978-3-16-148410-0")
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self, TypeVar, cast

from diglot.errors import ConfigurationError, NotMigrated, SerializationFailure
from diglot.sql.session import Batches, Dialect, Row, Session, Statement, Values
from diglot.stores import open_store
from diglot.stores.store import Health, Store

if TYPE_CHECKING:
    from diglot.migrate.runner import Migrator
    from diglot.migrate.tree import MigrationTree
    from diglot.project import Configuration, Project
    from diglot.sql.loader import QuerySet

P = TypeVar("P")
T = TypeVar("T")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 1.0


class Base:
    """What every open database can do. Thread-safe; close it, or use it with ``with``."""

    def __init__(
        self,
        store: Store,
        *,
        migrations: Callable[[Dialect], MigrationTree] | None,
        migration_timeout: float,
        clock: Callable[[], datetime],
    ) -> None:
        self.store = store
        self._migrations = migrations
        self._migration_timeout = migration_timeout
        self._clock = clock

    def migrate(self) -> list[str]:
        """Apply the migrations that are pending; their ids. Any number of processes may do it at once."""
        return [migration.id for migration in self.migrator().up()]

    def migrator(self) -> Migrator:
        """Runs the project's migrations on this database. ConfigurationError where it has none."""
        from diglot.migrate.runner import Migrator

        if self._migrations is None:
            raise ConfigurationError("this project has no migrations")
        tree = self._migrations(self.store.dialect)
        return Migrator(self.store, tree, timeout=self._migration_timeout, clock=self._clock)

    def bring_up_to_date(self, migrate: bool) -> None:
        """Apply the migrations that are pending; with ``migrate`` false NotMigrated where there are some."""
        if self._migrations is None:
            return
        migrator = self.migrator()
        pending = migrator.pending()
        if pending and migrate:
            migrator.up()
        elif pending:
            more = f" and {len(pending) - 1} more" if len(pending) > 1 else ""
            raise NotMigrated(
                f"{self.store.location} lacks the migration {pending[0].id}{more}: run 'diglot migrate up'"
            )

    def health(self, *, deep: bool = True) -> Health:
        """Whether the database answers and is in order; never raises for one that is down.

        ``deep=False`` leaves out what reads the whole of a SQLite file.
        """
        return self.store.health(deep=deep)

    def close(self) -> None:
        """Close every connection; a second call does nothing."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.store.location}>"


def run_again(
    attempt: Callable[[], T], *, attempts: int, timeout: float | None, clock: Callable[[], float] = time.monotonic
) -> T:
    """``attempt()``, again after each SerializationFailure, ``attempts`` times and ``timeout`` seconds at most.

    The pauses between grow. The last SerializationFailure is raised.
    """
    if attempts < 1:
        raise ValueError("attempts must be 1 or more")
    deadline = None if timeout is None else clock() + timeout
    for number in range(1, attempts + 1):
        try:
            return attempt()
        except SerializationFailure:
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (number - 1)) * random.uniform(0.5, 1.0)  # noqa: S311
            late = deadline is not None and clock() + pause >= deadline
            if number == attempts or late:
                raise
            time.sleep(pause)
    raise AssertionError("unreachable")  # pragma: no cover


class Database(Base):
    """A project's database. It is a Session: each query that is called with it is a transaction of its own."""

    def __init__(
        self,
        store: Store,
        queries: QuerySet | None,
        *,
        migrations: Callable[[Dialect], MigrationTree] | None = None,
        migration_timeout: float = 60.0,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        super().__init__(store, migrations=migrations, migration_timeout=migration_timeout, clock=clock or utc_now)
        self._queries = queries

    def queries(self, protocol: Callable[..., P]) -> P:
        """The project's queries as the protocol that ``diglot generate`` wrote for them: ``Queries``.

        The type of a protocol class is written as a callable: as ``type[P]`` mypy would refuse it.

        ConfigurationError where the project has no query file that the protocol names.
        """
        wanted = [name for name in vars(protocol) if not name.startswith("_")]
        there = self._queries.subjects if self._queries is not None else ()
        missing = [name for name in wanted if name not in there]
        if missing or self._queries is None:
            raise ConfigurationError(
                f"{protocol.__qualname__} has {', '.join(missing) or 'queries'}, "
                "and the project has no such query file: run 'diglot generate'"
            )
        return cast("P", self._queries)

    def run(self, function: Callable[[Session], T], *, attempts: int = 5, timeout: float | None = None) -> T:
        """``function(tx)`` in a transaction, run again when the database asks for it (a deadlock, a serialization
        failure, a busy file), at most ``attempts`` times and within ``timeout`` seconds, with growing pauses.

        Raises the last SerializationFailure. The function must allow for being run more than once.
        """

        def attempt() -> T:
            with self.transaction() as tx:
                return function(tx)

        return run_again(attempt, attempts=attempts, timeout=timeout)

    # --- a session -----------------------------------------------------------------------------------------

    @property
    def dialect(self) -> Dialect:
        return self.store.dialect

    @property
    def in_transaction(self) -> bool:
        return self.store.in_transaction

    def rows(self, statement: Statement, values: Values = ()) -> list[Row]:
        return self.store.rows(statement, values)

    def count(self, statement: Statement, values: Values = ()) -> int:
        return self.store.count(statement, values)

    def many(self, statement: Statement, batch: Sequence[Values]) -> int:
        return self.store.many(statement, batch)

    def script(self, statement: Statement) -> None:
        self.store.script(statement)

    def columns(self, statement: Statement, values: Values = ()) -> tuple[list[str], list[Row]]:
        return self.store.columns(statement, values)

    def together(self, calls: Sequence[tuple[Statement, Values]]) -> list[list[Row]]:
        return self.store.together(calls)

    def stream(self, statement: Statement, values: Values = (), *, size: int = 1000) -> Batches:
        return self.store.stream(statement, values, size=size)

    def transaction(self) -> AbstractContextManager[Session]:
        """A transaction: commits at the end of the block, rolls back on any exception; a failed COMMIT raises."""
        return self.store.transaction()

    def snapshot(self) -> AbstractContextManager[Session]:
        """A read-only transaction in which every query sees the same state."""
        return self.store.snapshot()


def open_project(project: Project, configuration: Configuration, *, migrate: bool | None = None) -> Database:
    """Open this database with the project's queries and migrations; see ``Project.open``."""
    store = open_store(configuration.database)
    try:
        queries = None
        if project.queries is not None:
            queries = project.load(store.dialect, configuration.database.max_document)
        database = Database(
            store,
            queries,
            migrations=project.migration_tree if project.migrations is not None else None,
            migration_timeout=configuration.migration_timeout,
        )
        if migrate is not False:
            database.bring_up_to_date(configuration.auto_migrate if migrate is None else migrate)
    except BaseException:
        store.close()
        raise
    return database


def utc_now() -> datetime:
    return datetime.now(UTC)
