"""A load on SQLite: one transaction of the writer, with foreign keys off and checked at its end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from diglot.errors import ForeignKeyViolation
from diglot.ops.content import TableFields, convert, converters
from diglot.ops.merging import on_conflict, upsert
from diglot.ops.sqlite.values import loader
from diglot.ops.statements import statement
from diglot.sql.identifiers import listed, quoted
from diglot.sql.session import Batches, Dialect, Row, Statement, Values
from diglot.stores.sqlite.connection import read_pragma, set_pragma
from diglot.stores.sqlite.errors import translate
from diglot.stores.sqlite.library import library
from diglot.stores.sqlite.trouble import Trouble
from diglot.stores.store import Store

if TYPE_CHECKING:
    import sqlite3

_CACHE = -64 * 1024
"""KiB of pages that a load keeps in its cache."""
_SORTING = -16 * 1024
"""KiB that limit both the cache and the sorter of an index's keys: together they take several times as much."""
_TEMPORARY_FILES = 1
"""For temp_store: the keys of a large index are sorted on disk, not in memory."""


@contextmanager
def loading(store: Store, timeout: float) -> Iterator[SQLiteLoad]:
    """See ``ops.loading.loading``."""
    with store.migration_connection(timeout) as connection:
        before = {name: read_pragma(connection, name) for name in ("cache_size", "temp_store")}
        try:
            set_pragma(connection, "cache_size", _CACHE)
            set_pragma(connection, "temp_store", _TEMPORARY_FILES)
            connection.execute("begin immediate")
            yield SQLiteLoad(connection)
            connection.execute("commit")
        except library().Error as error:
            raise Trouble(Path(store.location)).noted(translate(error, "ops.load", writing=True)) from error
        finally:
            if connection.in_transaction:
                connection.execute("rollback")
            for name, value in before.items():
                set_pragma(connection, name, value)


class SQLiteLoad:
    """See ``ops.loading.Load`` for what each method promises."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._tables: Sequence[TableFields] = ()
        self._later: dict[str, list[str]] = {"index": [], "trigger": []}
        """The statements that create again what was set aside, by kind."""

    @property
    def dialect(self) -> Dialect:
        return "sqlite"

    def rows(self, statement: Statement, values: Values = ()) -> list[Row]:
        return self._connection.execute(statement.text, values).fetchall()

    def stream(self, statement: Statement, values: Values = (), *, size: int = 1000) -> Batches:
        with closing(self._connection.execute(statement.text)) as cursor:
            while rows := cursor.fetchmany(size):
                yield rows

    def counts(self, tables: Sequence[TableFields]) -> dict[str, int]:
        found = {}
        for table in tables:
            text = f"/* diglot:ops.any_row */ select exists (select 1 from {quoted(table.name)})"
            found[table.name] = self._connection.execute(text).fetchone()[0]
        return found

    def prepare(self, tables: Sequence[TableFields], *, large: bool, empty: bool = True) -> None:
        self._tables = tables
        for table in tables:
            aside = self._connection.execute(statement("sqlite", "aside").text, (table.name,)).fetchall()
            unique = {index.name for index in table.table.indexes if index.unique}
            for kind, name, sql in aside:
                if kind == "trigger" or (large and (empty or name not in unique)):
                    self._connection.execute(f"drop {kind} {quoted(name)}")
                    self._later[kind].append(sql)
        for table in tables if empty else ():
            self._connection.execute(f"/* diglot:ops.empty */ delete from {quoted(table.name)}")

    def load(self, table: TableFields, batches: Iterable[list[Row]]) -> int:
        columns = listed(field.column.name for field in table.fields)
        marks = ", ".join("?" * len(table.fields))
        text = f"/* diglot:ops.load */ insert into {quoted(table.name)} ({columns}) values ({marks})"
        places = converters(table, loader)
        count = 0
        for rows in batches:
            self._connection.executemany(text, convert(rows, places, table))
            count += len(rows)
        return count

    def merge(self, table: TableFields, rows: list[Row]) -> int:
        marks = ", ".join("?" * len(table.fields))
        text = f"{upsert(table)} values ({marks}) {on_conflict(table)}"
        before = self._connection.total_changes
        self._connection.execute("savepoint diglot_merge")
        try:
            self._connection.executemany(text, convert(rows, converters(table, loader), table))
            self._connection.execute("release diglot_merge")
        except BaseException as error:
            if self._connection.in_transaction:  # a full disk may have ended the transaction
                self._connection.execute("rollback to diglot_merge")
                self._connection.execute("release diglot_merge")
            if isinstance(error, library().Error):
                raise translate(error, "ops.merge", writing=True) from error
            raise
        return self._connection.total_changes - before

    def finish(self, last_numbers: Mapping[tuple[str, str], int]) -> None:
        if self._later["index"]:
            set_pragma(self._connection, "cache_size", _SORTING)
        for sql in (*self._later["index"], *self._later["trigger"]):
            self._connection.execute(sql)
        for (table, _), last in last_numbers.items():
            self._set_last_number(table, last)
        broken = self._connection.execute("pragma foreign_key_check").fetchone()
        if broken is not None:
            raise ForeignKeyViolation(f"{broken[0]}: row {broken[1]} refers to a missing row of {broken[2]}")

    def _set_last_number(self, table: str, last: int) -> None:
        """Only a table with AUTOINCREMENT remembers it; the others continue after their greatest number."""
        if self._connection.execute("select 1 from sqlite_schema where name = 'sqlite_sequence'").fetchone() is None:
            return
        changed = self._connection.execute(
            "update sqlite_sequence set seq = max(seq, ?) where name = ?", (last, table)
        ).rowcount
        if not changed and self._is_numbered(table):
            self._connection.execute("insert into sqlite_sequence (name, seq) values (?, ?)", (table, last))

    def _is_numbered(self, table: str) -> bool:
        fields = next((each for each in self._tables if each.name == table), None)
        return fields is not None and any(column.identity == "autoincrement" for column in fields.table.columns)
