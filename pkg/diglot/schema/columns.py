"""Whether a table or a column exists: for callers that do not need the rest of the schema.

It needs no SQL parser, unlike ``read``, and leaves the transaction's search path alone.
"""

from __future__ import annotations

from diglot.schema.statements import statement
from diglot.stores.session import Session


def has_column(session: Session, table: str, column: str | None) -> bool:
    """Whether the current schema has this column; with None, whether it has the table."""
    # A parameter that is written twice has one number on PostgreSQL and is passed twice to SQLite.
    values = (table, column) if session.dialect == "postgres" else (table, column, column)
    return bool(session.rows(statement(session.dialect, "has_column"), values))
