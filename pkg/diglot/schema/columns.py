"""The columns alone, for callers that do not need the rest of the schema.

``visible_columns`` covers what a query may name beyond the schema's tables: views, partitions, virtual tables, tables
of extensions. ``has_column`` needs no SQL parser and leaves the transaction's search path alone.
"""

from __future__ import annotations

import msgspec

from diglot.schema.model import Check
from diglot.schema.statements import statement
from diglot.sql.session import Session
from diglot.stores.store import Store


class VisibleColumn(msgspec.Struct, frozen=True, kw_only=True):
    """A column of a table or a view. ``type`` is as the database writes it.

    PostgreSQL: ``base`` is the name of the type in pg_type, for a domain that of its base type; ``is_enum``.
    """

    table: str
    name: str
    type: str
    nullable: bool | None
    """None for a view, where it is unknown."""
    base: str = ""
    is_enum: bool = False


class VisibleColumns(msgspec.Struct, frozen=True):
    """``checks`` are those of SQLite's tables, by the table's name; PostgreSQL's types are known without them.

    ``triggered``: PostgreSQL's tables whose rows a trigger can change before they are stored. On SQLite none can.
    """

    columns: list[VisibleColumn]
    checks: dict[str, list[Check]] = {}
    triggered: frozenset[str] = frozenset()


def visible_columns(store: Store) -> VisibleColumns:
    """The columns of every table and view that a query can name without a schema, in their order."""
    rows = store.rows(statement(store.dialect, "visible_columns"))
    if store.dialect == "postgres":
        return VisibleColumns(
            [
                VisibleColumn(
                    table=table,
                    name=name,
                    type=declared,
                    nullable=not not_null if is_table else None,
                    base=base,
                    is_enum=kind == "e",
                )
                for table, name, declared, base, kind, not_null, is_table, _ in rows
            ],
            triggered=frozenset(row[0] for row in rows if row[-1]),
        )
    from diglot.schema.sqlite.ddl import read_table

    found = VisibleColumns([], {})
    for table, name, declared, not_null, key, keys_not_null, kind, keys, sql in rows:
        if kind == "table" and table not in found.checks:
            found.checks[table] = read_table(sql).checks
        # Without STRICT or WITHOUT ROWID a primary key may be NULL, unless it is the rowid itself.
        is_rowid = key and keys == 1 and declared.upper() == "INTEGER"
        nullable = None if kind == "view" else not (not_null or is_rowid or (key and keys_not_null))
        found.columns.append(VisibleColumn(table=table, name=name, type=declared, nullable=nullable))
    return found


def has_column(session: Session, table: str, column: str | None) -> bool:
    """Whether the current schema has this column; with None, whether it has the table."""
    # A parameter that appears twice has one number on PostgreSQL and is passed twice to SQLite.
    values = (table, column) if session.dialect == "postgres" else (table, column, column)
    return bool(session.rows(statement(session.dialect, "has_column"), values))
