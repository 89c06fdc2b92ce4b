"""A copy of one column of a SQLite table, alone in memory, to see what its default, type and CHECKs do to a value."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from diglot.schema.model import Check, Column, Table
from diglot.stores.sqlite.double_quotes import with_back_ticks
from diglot.stores.sqlite.library import library

if TYPE_CHECKING:
    import sqlite3


class ColumnCopy:
    """``memory`` is a connection in autocommit; each method leaves it as it was."""

    def __init__(self, memory: sqlite3.Connection, table: Table, column: Column) -> None:
        self._memory = memory
        self._column = column
        self._table = quoted(table.name)

    def default(self) -> Any:
        """What the default writes; None if that is nothing, or unknown."""
        # A bare word is a text, but a column's name in parentheses.
        for default in (f"({self._column.default})", str(self._column.default)):
            try:
                with self._created(f"default {default}"):
                    self._memory.execute(f"insert into {self._table} default values")
                    return self._first("*")
            except library().Error:
                continue
        return None

    def takes(self, value: str, check: Check) -> bool | None:
        """Whether this CHECK lets the value in; None if it can't be tried, because it is about other columns too."""
        try:
            with self._created(f"check ({with_back_ticks(check.expression)})"):
                try:
                    self._insert(value)
                except library().IntegrityError:
                    return False
                return True
        except library().Error:
            return None

    def type_of(self, value: str) -> str | None:
        """SQLite's type of the value once it is stored; None if it can't be tried."""
        try:
            with self._created(""):
                self._insert(value)
                found: str = self._first(f"typeof({quoted(self._column.name)})")
                return found
        except library().Error:
            return None

    def _insert(self, value: str) -> None:
        self._memory.execute(f"insert into {self._table} values (?)", (value,))  # noqa: S608 - a quoted name

    def _first(self, what: str) -> Any:
        return self._memory.execute(f"select {what} from {self._table}").fetchone()[0]  # noqa: S608 - as above

    @contextmanager
    def _created(self, more: str) -> Iterator[None]:
        self._memory.execute("savepoint copy")
        try:
            self._memory.execute(f"create table {self._table} ({quoted(self._column.name)} {self._column.type} {more})")
            yield
        finally:
            self._memory.execute("rollback to copy")
            self._memory.execute("release copy")


def quoted(name: str) -> str:
    """The name as an identifier in SQL."""
    return '"' + name.replace('"', '""') + '"'
