"""Settings for long operations: no statement fails because of its duration."""

from __future__ import annotations

import msgspec

from diglot.sql.session import Dialect
from diglot.stores.settings import PostgresSettings, SQLiteSettings

A_DAY = 24 * 3600.0
"""Seconds: longer than any of these operations."""


def patient(settings: SQLiteSettings | PostgresSettings, *, create: bool = False) -> SQLiteSettings | PostgresSettings:
    """The settings without time limits, except for locks. ``create``: a SQLite file may be created."""
    if isinstance(settings, SQLiteSettings):
        return msgspec.structs.replace(settings, statement_timeout=A_DAY, create=create)
    return msgspec.structs.replace(
        settings, statement_timeout=A_DAY, idle_in_transaction_timeout=A_DAY, deadline=A_DAY + 60
    )


def for_reading(settings: SQLiteSettings | PostgresSettings) -> SQLiteSettings | PostgresSettings:
    """Like ``patient``, but a SQLite file is opened read-only, and nothing is created next to it."""
    found = patient(settings)
    return msgspec.structs.replace(found, read_only=True) if isinstance(found, SQLiteSettings) else found


def dialect_of(settings: SQLiteSettings | PostgresSettings) -> Dialect:
    """The engine that the settings are for."""
    return "sqlite" if isinstance(settings, SQLiteSettings) else "postgres"
