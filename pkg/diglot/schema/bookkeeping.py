"""Tables that do not belong to the application: those of migration tools and of SQLite itself."""

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
    """Whether this is a table of a migration tool or of the engine."""
    return _BOOKS.fullmatch(table) is not None
