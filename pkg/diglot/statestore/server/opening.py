"""Opens the database for the service: the store, then the migrations, then a log line that names the database."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog

from diglot.errors import MigrationEdited, MigrationOutOfOrder, MigrationUnknown
from diglot.statestore.config import Config
from diglot.statestore.database import Database, open_config
from diglot.stores.settings import SQLiteSettings
from diglot.stores.store import Store

log = structlog.get_logger("diglot.server")


def open_database(config: Config, around: Callable[[Store], Store] | None = None) -> Database:
    """The configured database, with the schema of this version.

    Applies pending migrations, or raises NotMigrated if ``auto_migrate`` is off. Raises MigrationUnknown if the
    database is ahead of this version. Both errors say what to do.
    """
    started = time.perf_counter()
    try:
        database = open_config(config, around=around)
    except (MigrationUnknown, MigrationEdited, MigrationOutOfOrder) as error:
        raise type(error)(f"{error}; 'diglot migrate status' shows where they differ") from error
    log.info(
        "database initialized",
        driver=config.driver,
        **_place(config, database.store.location),
        version=database.store.server_version,
        duration_ms=round((time.perf_counter() - started) * 1000, 1),
    )
    return database


def _place(config: Config, location: str) -> dict[str, Any]:
    database = config.database
    if isinstance(database, SQLiteSettings):
        return {"path": location, "mode": "memory" if database.path == ":memory:" else "file"}
    return {"host": f"{database.host}:{database.port}", "dbname": database.dbname, "mode": "server"}
