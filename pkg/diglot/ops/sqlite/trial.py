"""A temporary database with the tables of the target, to try rows on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from diglot.ops.content import TableFields
from diglot.ops.statements import statement
from diglot.sql.identifiers import listed, quoted
from diglot.sql.session import Row
from diglot.stores.sqlite.errors import translate
from diglot.stores.sqlite.library import library
from diglot.stores.store import Store

if TYPE_CHECKING:
    import sqlite3


_TEMPORARY = ""
"""A temporary database: SQLite creates an unnamed file for it when its cache is full."""


@contextmanager
def trial(store: Store, tables: Sequence[TableFields]) -> Iterator[SQLiteTrial]:
    """See ``fitting.trial``."""
    with closing(library().connect(_TEMPORARY, isolation_level=None)) as connection:
        for table in tables:
            for (sql,) in store.rows(statement("sqlite", "tables"), (table.name,)):
                connection.execute(sql)
        connection.execute("begin")
        yield SQLiteTrial(connection)


class SQLiteTrial:
    """See ``fitting.Trial``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def refused(self, table: TableFields, rows: list[Row]) -> Iterator[tuple[int, str]]:
        columns = listed(field.column.name for field in table.fields)
        marks = ", ".join("?" * len(table.fields))
        text = f"insert into {quoted(table.name)} ({columns}) values ({marks})"
        place = 0
        while place < len(rows):
            before = self._connection.total_changes
            try:
                self._connection.executemany(text, rows[place:])
                return
            except (library().Error, OverflowError, ValueError) as error:
                # The rows before it are stored, and a failed statement leaves the transaction open.
                place += self._connection.total_changes - before
                yield place, str(translate(error, None) if isinstance(error, library().Error) else error)
                place += 1
