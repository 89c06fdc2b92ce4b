"""Filling the tables of a database in one transaction: all of it is there at the end, or nothing has changed.

Meanwhile nobody else writes: the migration lock is held, so that no migration and no second load runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Protocol

from diglot.ops.content import TableFields
from diglot.stores.session import Reads, Row, Store


class Load(Reads, Protocol):
    """A load that has begun."""

    def counts(self, tables: Sequence[TableFields]) -> dict[str, int]:
        """How many rows each table has, by its name; 1 means any number."""
        ...

    def prepare(self, tables: Sequence[TableFields], *, large: bool, empty: bool = True) -> None:
        """Empty the tables, unless ``empty`` is false, and put their foreign keys and triggers aside until ``finish``,
        so that they can be filled in any order. ``large``: indexes too, which is faster for many rows; unique ones
        only where the tables are empty, so that ``merge`` finds each row that they refuse.
        """
        ...

    def load(self, table: TableFields, batches: Iterable[list[Row]]) -> int:
        """Write rows of values in their forms; their number. ConstraintViolation, RowRefused."""
        ...

    def merge(self, table: TableFields, rows: list[Row]) -> int:
        """Insert rows of values in their forms, or update those that have the primary key; how many were changed.

        All or nothing; the load goes on after a ConstraintViolation, a DatabaseError of a value, or a RowRefused.
        """
        ...

    def finish(self, last_numbers: Mapping[tuple[str, str], int]) -> None:
        """Bring everything back that ``prepare`` put aside; foreign keys are checked. After a ForeignKeyViolation rows
        can still be read and deleted.

        ``last_numbers``: the last number that was given in a numbered column, by table and column.
        """
        ...


def loading(store: Store, timeout: float) -> AbstractContextManager[Load]:
    """A load: committed at the end of its block, rolled back on any exception.

    LockTimeout after ``timeout`` seconds.
    """
    begin = import_module(f"diglot.ops.{store.dialect}.loading").loading
    found: AbstractContextManager[Load] = begin(store, timeout)
    return found
