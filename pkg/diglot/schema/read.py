"""From the address of a database, or an open store, to its schema. Writes nothing and leaves no file."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import msgspec

from diglot.errors import ConfigurationError, DatabaseError, DatabaseUnavailable
from diglot.schema.model import Schema
from diglot.sql.session import Reads
from diglot.stores.settings import PostgresSettings, SQLiteSettings
from diglot.stores.store import Store
from diglot.stores.url import MEMORY, parse_url


def read_schema(source: Store | str, schema: str | None = None) -> Schema:
    """The schema of a store or of a URL: ``postgresql://…?schema=app``, ``sqlite:///app.db`` or the path of a file.

    DatabaseUnavailable if it can't be read, ConfigurationError if the address is not valid.
    """
    if not isinstance(source, str):
        return _of_store(source, schema)
    url, named = _split_schema(source)
    settings = parse_url(url)
    try:
        if isinstance(settings, SQLiteSettings):
            return _of_file(settings, named)
        return _of_server(settings, named or schema)
    except (ConfigurationError, DatabaseUnavailable):
        raise
    except DatabaseError as error:
        raise DatabaseUnavailable(f"the schema can't be read: {error}") from error


def read_within(session: Reads, location: str) -> Schema:
    """The schema as a session's transaction or snapshot sees it: on PostgreSQL the connection's first one."""
    if session.dialect == "sqlite":
        from diglot.schema.sqlite.reader import read_rows

        return read_rows(session.rows, location)
    from diglot.schema.postgres.reader import read_session

    found = read_session(session, location)
    if found is None:
        raise ConfigurationError(f"the connection to {location} has no current schema: name one with ?schema=…")
    return found


def _of_store(store: Store, schema: str | None) -> Schema:
    if store.dialect == "sqlite":
        from diglot.schema.sqlite.reader import read_sqlite

        return read_sqlite(store)
    from diglot.schema.postgres.reader import read_postgres

    return read_postgres(store, schema)


def _of_file(settings: SQLiteSettings, schema: str | None) -> Schema:
    from diglot.schema.sqlite.reader import read_sqlite_file

    if schema is not None:
        raise ConfigurationError("?schema= is for PostgreSQL: a SQLite file has one schema")
    if settings.path == MEMORY:
        raise ConfigurationError("a SQLite database in memory is empty: name a file")
    return read_sqlite_file(Path(settings.path))


def _of_server(settings: PostgresSettings, schema: str | None) -> Schema:
    from diglot.schema.postgres.reader import read_postgres
    from diglot.stores.postgres.store import open_postgres

    with open_postgres(msgspec.structs.replace(settings, application_name="diglot drift", pool_max=1)) as store:
        return read_postgres(store, schema)


def _split_schema(url: str) -> tuple[str, str | None]:
    """Takes ``?schema=``, which is ours, out of the URL; the rest is the driver's."""
    address, mark, query = url.partition("?")
    if not mark or "://" not in address:
        return url, None
    items = query.split("&")
    named = [unquote(item.removeprefix("schema=")) for item in items if item.startswith("schema=")]
    if len(named) > 1 or "" in named:
        raise ConfigurationError("the URL names no schema, or several: write ?schema=name once")
    rest = "&".join(item for item in items if not item.startswith("schema="))
    return (f"{address}?{rest}" if rest else address), (named[0] if named else None)
