"""Tables that do not belong to the application: what migration tools and SQLite itself keep their books in."""

from __future__ import annotations

import re

_TOOLS = (
    r"_yoyo_\w+",
    "yoyo_lock",
    "diglot_migration_checksum",
    "alembic_version",
    "goose_db_version",
    "schema_migrations",  # golang-migrate, dbmate, Rails
    "schema_lock",  # golang-migrate
    "ar_internal_metadata",  # Rails
    r"_prisma_migrations\w*",
    "flyway_schema_history",
    "__diesel_schema_migrations",
    r"sqlite_\w+",
)
_BOOKS = re.compile("|".join(_TOOLS), re.IGNORECASE)


def is_bookkeeping(table: str) -> bool:
    """Whether a migration tool or the engine keeps this table for itself."""
    return _BOOKS.fullmatch(table) is not None
