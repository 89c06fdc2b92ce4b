"""What rolling a migration back would lose: read from its rollback file, then looked up in the database.

Statements that drop a table or a column, or delete or replace rows, count if it holds any data. A table that
is rebuilt (copied, dropped, renamed) counts too, because nothing here shows that its rows are kept.
"""

from __future__ import annotations

from typing import NamedTuple

from diglot.migrate.tree import Migration
from diglot.schema.columns import has_column
from diglot.sql.changes import changes
from diglot.sql.identifiers import quoted
from diglot.sql.session import Session, Statement
from diglot.sql.statements import SqlStatement


class Dropped(NamedTuple):
    """A table, or one column of it, that a statement empties."""

    table: str
    column: str | None = None


def rows_lost(session: Session, migration: Migration) -> list[str]:
    """As ``table users: it has rows`` or ``column task_states.version: it has values``, in the order of the file."""
    lost = []
    for table, column in dropped(migration.rollback_statements()):
        if not has_column(session, table, column):
            continue
        if session.rows(_anything_in(table, column)):
            lost.append(f"column {table}.{column}: it has values" if column else f"table {table}: it has rows")
    return lost


def dropped(statements: list[SqlStatement]) -> list[Dropped]:
    """What these statements drop or empty, each once."""
    found = (change for statement in statements for change in changes(statement.words))
    return list(dict.fromkeys(Dropped(each.table.name, each.column or None) for each in found if each.kind in _LOSSES))


_LOSSES = ("drop table", "drop column", "delete", "replace")


def _anything_in(table: str, column: str | None) -> Statement:
    # The names come from a migration file, were found in the catalogue and are quoted.
    source = f"from {quoted(table)} as t"
    where = f" where t.{quoted(column)} is not null" if column else ""
    text = f"/* diglot:migrate.data_loss */ select 1 {source}{where} limit 1"
    return Statement("migrate.data_loss", text)
