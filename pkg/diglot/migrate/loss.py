"""What rolling a migration back would lose: read from its rollback file, then looked up in the database.

Statements that drop a table or a column, or delete rows, count if it holds any data. A table that
is rebuilt (copied, dropped, renamed) counts too, because nothing here shows that its rows are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from diglot.migrate.tree import Migration
from diglot.schema.columns import has_column
from diglot.sql.identifiers import quoted
from diglot.sql.session import Session, Statement
from diglot.sql.statements import SqlStatement, read_names


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
    return list(dict.fromkeys(one for statement in statements for one in _dropped(statement.words)))


def _dropped(words: tuple[str, ...]) -> Iterator[Dropped]:
    if words[:2] == ("drop", "table"):
        yield from (Dropped(name) for name in read_names(words[2:])[0])
    elif words[:1] == ("truncate",):
        yield from (Dropped(name) for name in read_names(words[1:])[0])
    elif words[:2] == ("delete", "from"):
        yield from (Dropped(name) for name in read_names(words[2:])[0][:1])
    elif words[:2] == ("alter", "table"):
        for table in read_names(words[2:])[0][:1]:
            for at, word in enumerate(words):
                rest = words[at + 1 :]
                if word == "drop" and rest[:1] not in _NO_COLUMN:
                    yield from (Dropped(table, column) for column in read_names(rest)[0][:1])


_NO_COLUMN = (("constraint",), ("not",), ("default",), ("expression",), ("identity",))


def _anything_in(table: str, column: str | None) -> Statement:
    # The names come from a migration file, were found in the catalogue and are quoted.
    source = f"from {quoted(table)} as t"
    where = f" where t.{quoted(column)} is not null" if column else ""
    text = f"/* diglot:migrate.data_loss */ select 1 {source}{where} limit 1"
    return Statement("migrate.data_loss", text)
