"""The entry point: an open database, its repositories, and transactions over them.

with statestore.open("sqlite:///data/app.db") as db:
    with db.transaction() as tx:
        task = tx.tasks.get_for_update(task_exec_id)
        tx.tasks.save(task.replace(status="SUCCESS"))
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from diglot import database
from diglot.database import utc_now
from diglot.sql.encoding import MAX_DOCUMENT
from diglot.sql.session import Dialect
from diglot.statestore.ids import new_id
from diglot.statestore.project import TREES
from diglot.statestore.repositories.api_keys import ApiKeyRepository
from diglot.statestore.repositories.base import Clock, Context
from diglot.statestore.repositories.tasks import TaskRepository
from diglot.statestore.repositories.users import UserRepository
from diglot.statestore.repositories.workflows import WorkflowRepository
from diglot.stores.store import Store

if TYPE_CHECKING:
    from diglot.migrate.tree import MigrationTree
    from diglot.sql.loader import QuerySet
    from diglot.statestore.config import Config
    from diglot.statestore.queries import Queries

T = TypeVar("T")


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
        """A transaction with the same repositories; inside a transaction, a savepoint.

        Commits at the end of the block, and rolls back on any exception; a failed COMMIT raises.
        """
        context = self._context
        with context.session.transaction() as session:
            yield Transaction(context.on(session))


class Transaction(_Repositories):
    """The repositories on one connection, inside a transaction."""


class Database(_Repositories, database.Base):
    """An open database. Thread-safe; close it, or use it with ``with``."""

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
        # The types are those that 'diglot generate' has written; 'generate --check' makes sure that they match.
        context = Context(store, cast("Queries", queries), clock, new_id, random, queries.max_document)
        _Repositories.__init__(self, context)
        database.Base.__init__(self, store, migrations=_migrations, migration_timeout=migration_timeout, clock=clock)
        self.queries = queries

    def run(self, function: Callable[[Transaction], T], *, attempts: int = 5, timeout: float | None = None) -> T:
        """Runs ``function(tx)`` in a transaction, and again if the database asks for it (a deadlock, a serialization
        failure, a busy file), at most ``attempts`` times and within ``timeout`` seconds, with growing pauses.

        Raises the last SerializationFailure. The function may run more than once.
        """

        def attempt() -> T:
            with self.transaction() as tx:
                return function(tx)

        return database.run_again(attempt, attempts=attempts, timeout=timeout)


def _migrations(dialect: Dialect) -> MigrationTree:
    return TREES.migration_tree(dialect)


def open(
    url: str | None = None,
    *,
    config_file: str | Path | None = None,
    migrate: bool | None = None,
    clock: Clock | None = None,
    **settings: Any,
) -> Database:
    """Open the database of ``url`` (``sqlite:///data/app.db``, ``postgresql://…``, a path), or of the configuration.

    ``settings`` are configuration keys that override all other sources. Applies pending migrations, or raises
    NotMigrated if ``auto_migrate`` is off; ``migrate=False`` does not check. Raises ConfigurationError,
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
    """Open the database of a loaded configuration; see ``open``. ``around`` wraps its store."""
    from diglot.stores import open_store

    store = open_store(config.database)
    try:
        store = store if around is None else around(store)
        queries = packaged_queries(store.dialect, config.database.max_document)
        opened = Database(store, queries, clock=clock or utc_now, migration_timeout=config.migration_timeout)
        if migrate is not False:
            opened.bring_up_to_date(config.auto_migrate if migrate is None else migrate)
    except BaseException:
        store.close()
        raise
    return opened


@lru_cache(maxsize=4)
def packaged_queries(dialect: Dialect, max_document: int = MAX_DOCUMENT) -> QuerySet:
    """The queries of the state store for a dialect; read once per process."""
    return TREES.load(dialect, max_document)
