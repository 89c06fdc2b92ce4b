"""The front door: a database that is open, its repositories, and transactions over them.

with statestore.open("sqlite:///data/app.db") as db:
    with db.transaction() as tx:
        task = tx.tasks.get_for_update(task_exec_id)
        tx.tasks.save(task.replace(status="SUCCESS"))
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from diglot.errors import NotMigrated, SerializationFailure
from diglot.sql.encoding import MAX_DOCUMENT
from diglot.statestore.ids import new_id
from diglot.statestore.repositories.api_keys import ApiKeyRepository
from diglot.statestore.repositories.base import Clock, Context
from diglot.statestore.repositories.row_models import ROW_MODELS
from diglot.statestore.repositories.tasks import TaskRepository
from diglot.statestore.repositories.users import UserRepository
from diglot.statestore.repositories.workflows import WorkflowRepository
from diglot.stores.session import Dialect, Health, Store

if TYPE_CHECKING:
    from diglot.migrate import Migrator
    from diglot.sql.loader import QuerySet
    from diglot.statestore.config import Config
    from diglot.statestore.queries import Queries

T = TypeVar("T")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 1.0


class _Repositories:
    """The four repositories on one session."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.users = UserRepository(context)
        self.api_keys = ApiKeyRepository(context)
        self.workflows = WorkflowRepository(context)
        self.tasks = TaskRepository(context)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A transaction with the same repositories, or inside of one a savepoint.

        Commits at the end of the block, rolls back on any exception; a COMMIT that fails raises.
        """
        context = self._context
        with context.session.transaction() as session:
            yield Transaction(context.on(session))


class Transaction(_Repositories):
    """The repositories on one connection, inside a transaction."""


class Database(_Repositories):
    """An open database. Safe for threads; close it, or use it with ``with``."""

    def __init__(
        self,
        store: Store,
        queries: QuerySet,
        *,
        clock: Clock,
        new_id: Callable[[], str] = new_id,
        random: Callable[[int], bytes] = secrets.token_bytes,
        migration_timeout: float = 60.0,
    ) -> None:
        # The queries as 'diglot generate' has written them down; 'generate --check' keeps the two the same.
        super().__init__(Context(store, cast("Queries", queries), clock, new_id, random, queries.max_document))
        self.store = store
        self.queries = queries
        self._migration_timeout = migration_timeout

    def migrate(self) -> list[str]:
        """Apply the migrations that are pending; their ids. Any number of processes may do it at once."""
        return [migration.id for migration in self.migrator().up()]

    def migrator(self) -> Migrator:
        """What runs this version's migrations on this database."""
        from diglot.migrate import MigrationTree, Migrator

        tree = MigrationTree.packaged(self.store.dialect)
        return Migrator(self.store, tree, timeout=self._migration_timeout, clock=self._context.clock)

    def run(self, function: Callable[[Transaction], T], *, attempts: int = 5, timeout: float | None = None) -> T:
        """``function(tx)`` in a transaction, run again when the database asks for it (a deadlock, a serialization
        failure, a busy file), at most ``attempts`` times and within ``timeout`` seconds, with growing pauses.

        What it raises then is the last SerializationFailure. The function must bear being run more than once.
        """
        if attempts < 1:
            raise ValueError("attempts must be 1 or more")
        deadline = None if timeout is None else time.monotonic() + timeout
        for attempt in range(1, attempts + 1):
            try:
                with self.transaction() as tx:
                    return function(tx)
            except SerializationFailure:
                pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (attempt - 1)) * random.uniform(0.5, 1.0)  # noqa: S311
                late = deadline is not None and time.monotonic() + pause >= deadline
                if attempt == attempts or late:
                    raise
                time.sleep(pause)
        raise AssertionError("unreachable")  # pragma: no cover

    def health(self, *, deep: bool = True) -> Health:
        """Whether the database answers and is as it should be; never raises for one that is down.

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
        return f"<Database {self.store.location}>"


def open(
    url: str | None = None,
    *,
    config_file: str | Path | None = None,
    migrate: bool | None = None,
    clock: Clock | None = None,
    **settings: Any,
) -> Database:
    """Open the database of ``url`` (``sqlite:///data/app.db``, ``postgresql://…``, a path), or of the configuration.

    ``settings`` are configuration keys that beat all others. Pending migrations are applied, or with
    ``auto_migrate`` off are a NotMigrated error; ``migrate=False`` does not look. ConfigurationError,
    DatabaseUnavailable.
    """
    from diglot.statestore import config

    flags: Mapping[str, Any] = settings | ({"database_url": url} if url is not None else {})
    loaded = config.load(config_file=None if config_file is None else Path(config_file), flags=flags)
    return open_config(loaded, migrate=migrate, clock=clock)


def open_config(
    config: Config,
    *,
    migrate: bool | None = None,
    clock: Clock | None = None,
    around: Callable[[Store], Store] | None = None,
) -> Database:
    """Open the database of a loaded configuration; see ``open``. ``around`` puts something around its store."""
    from diglot.stores import open_store

    store = open_store(config.database)
    try:
        store = store if around is None else around(store)
        queries = packaged_queries(store.dialect, config.database.max_document)
        database = Database(store, queries, clock=clock or utc_now, migration_timeout=config.migration_timeout)
        if migrate is not False:
            _bring_up_to_date(database, config.auto_migrate if migrate is None else migrate)
    except BaseException:
        store.close()
        raise
    return database


def _bring_up_to_date(database: Database, migrate: bool) -> None:
    pending = database.migrator().pending()
    if pending and migrate:
        database.migrate()
    elif pending:
        more = f" and {len(pending) - 1} more" if len(pending) > 1 else ""
        raise NotMigrated(
            f"{database.store.location} lacks the migration {pending[0].id}{more}: run 'diglot migrate up'"
        )


@lru_cache(maxsize=4)
def packaged_queries(dialect: Dialect, max_document: int = MAX_DOCUMENT) -> QuerySet:
    """The queries of the state store for a dialect; read once a process."""
    from diglot.sql.loader import load_queries

    tree = resources.files("diglot.statestore.sql")
    return load_queries(tree / dialect, dialect, ROW_MODELS, max_document=max_document)


def utc_now() -> datetime:
    return datetime.now(UTC)
