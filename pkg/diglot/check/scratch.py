"""Scratch databases for checks: new and empty, migrated on request, dropped afterwards.

SQLite is a file in a temporary folder. PostgreSQL is a database with a random name on the server of a URL, or on an
embedded server; the database that the URL names is only connected to.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString

import msgspec

from diglot.check.embedded import embedded_postgres
from diglot.errors import ConfigurationError
from diglot.migrate.tree import MigrationTree
from diglot.migrate.trial import apply_all
from diglot.stores import open_store
from diglot.stores.settings import PostgresSettings, SQLiteSettings
from diglot.stores.store import Store
from diglot.stores.url import parse_url


@contextmanager
def scratch_sqlite(migrations: Path | None) -> Iterator[Store]:
    """A new SQLite database, migrated by ``migrations/sqlite``; None leaves it empty."""
    with tempfile.TemporaryDirectory(prefix="diglot-check-") as folder:
        settings = SQLiteSettings(path=str(Path(folder) / "scratch.db"), synchronous="relaxed")
        with open_store(settings) as store:
            migrate(store, migrations)
            yield store


@contextmanager
def scratch_postgres(migrations: Path | None, postgres_url: str | None) -> Iterator[Store]:
    """A new PostgreSQL database, migrated by ``migrations/postgres``; None leaves it empty.

    Without a URL on an embedded server. ConfigurationError if there is none, or if the URL's user may not
    create databases; DatabaseUnavailable.
    """
    with postgres_server(postgres_url) as server, scratch_database(server) as store:
        migrate(store, migrations)
        yield store


@contextmanager
def postgres_server(postgres_url: str | None) -> Iterator[PostgresSettings]:
    """A server on which scratch databases can be made: that of the URL, or an embedded one."""
    if postgres_url is None:
        with embedded_postgres() as embedded:
            yield embedded
        return
    settings = parse_url(postgres_url)
    if not isinstance(settings, PostgresSettings):
        raise ConfigurationError("--postgres-url is not the address of a PostgreSQL database: use postgresql://…")
    yield settings


@contextmanager
def scratch_database(server: PostgresSettings) -> Iterator[Store]:
    """A new, empty database on this server."""
    name = f"diglot_check_{secrets.token_hex(6)}"
    _command(server, "create database {} template template0", name)
    try:
        with open_store(msgspec.structs.replace(server, dbname=name)) as store:
            yield store
    finally:
        _command(server, "drop database if exists {} with (force)", name)


def migrate(store: Store, migrations: Path | None) -> None:
    """Apply the folder of the store's dialect; MigrationFailed, MigrationTreeError."""
    if migrations is not None:
        apply_all(store, MigrationTree.scan(migrations / store.dialect, store.dialect))


def _command(server: PostgresSettings, text: LiteralString, name: str) -> None:
    import psycopg

    from diglot.stores.postgres.connection import connect
    from diglot.stores.postgres.errors import translate

    try:
        connection: psycopg.Connection[Any] = connect(server)
        try:
            _refuse_pooler(connection, server)
            connection.execute(psycopg.sql.SQL(text).format(psycopg.sql.Identifier(name)))
        finally:
            connection.close()
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigurationError(
            "the user of --postgres-url may not create databases: give it the right (alter role … createdb)"
        ) from error
    except psycopg.Error as error:
        raise translate(error, None) from error


def _refuse_pooler(connection: Any, server: PostgresSettings) -> None:
    (pid,) = connection.execute("select pg_backend_pid()").fetchone()
    if pid != connection.info.backend_pid and server.pooler != "none":
        raise ConfigurationError(
            "--postgres-url leads to a connection pooler, and the check prepares statements in sessions of its own: "
            "give the address of the server itself"
        )
