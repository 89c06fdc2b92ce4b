"""Fills the tables of a database in one transaction: at the end everything is stored, or nothing has changed.

Nobody else writes meanwhile: it holds the migration lock, so no migration and no second load runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Protocol

from diglot.ops.content import TableFields
from diglot.sql.session import Reads, Row
from diglot.stores.store import Store


class Load(Reads, Protocol):
    """A load that has begun."""

    def counts(self, tables: Sequence[TableFields]) -> dict[str, int]:
        """How many rows each table has, by name; 1 means any number."""
        ...

    def prepare(self, tables: Sequence[TableFields], *, large: bool, empty: bool = True) -> None:
        """Empty the tables, unless ``empty`` is false, and set their foreign keys and triggers aside until ``finish``:
        the tables can be filled in any order. ``large``: also indexes, which is faster for many rows; unique indexes
        only if the tables are empty, because ``merge`` must find each row that they refuse.
        """
        ...

    def load(self, table: TableFields, batches: Iterable[list[Row]]) -> int:
        """Write rows of values in their forms; returns their number. Raises ConstraintViolation, RowRefused."""
        ...

    def merge(self, table: TableFields, rows: list[Row]) -> int:
        """Insert rows of values in their forms, or update the rows with their primary keys; returns how many changed.

        All or nothing; the load can go on after a ConstraintViolation, a DatabaseError for a value, or a RowRefused.
        """
        ...

    def finish(self, last_numbers: Mapping[tuple[str, str], int]) -> None:
        """Restore everything that ``prepare`` set aside, and check foreign keys. After a ForeignKeyViolation rows can
        still be read and deleted.

        ``last_numbers``: the last number assigned in a numbered column, by table and column.
        """
        ...


def loading(store: Store, timeout: float) -> AbstractContextManager[Load]:
    """A load: committed at the end of its block, rolled back on any exception.

    Raises LockTimeout after ``timeout`` seconds.
    """
    begin = import_module(f"diglot.ops.{store.dialect}.loading").loading
    found: AbstractContextManager[Load] = begin(store, timeout)
    return found
