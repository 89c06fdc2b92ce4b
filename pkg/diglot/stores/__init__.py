"""Stores: open databases. Both drivers share one protocol (session.py), and only the chosen one is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diglot.stores.settings import PostgresSettings, SQLiteSettings

if TYPE_CHECKING:
    from diglot.stores.store import Store


def open_store(settings: SQLiteSettings | PostgresSettings) -> Store:
    """Open the database of these settings. PostgreSQL is connected to with the first statement."""
    if isinstance(settings, SQLiteSettings):
        from diglot.stores.sqlite.store import open_sqlite

        return open_sqlite(settings)
    from diglot.stores.postgres.store import open_postgres

    return open_postgres(settings)
