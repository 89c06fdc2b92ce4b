"""Decides when a connection's plans are too old, because the tables were much smaller when they were made.

PostgreSQL keeps the plan of a prepared statement, and of a foreign key's lookup, until the connection ends or the
table is analyzed. A plan that was made while the table was nearly empty reads all of it, which is right then, and
still does so when the table is large: of 10,000 tasks written in one batch, each would read all the others. So a
connection forgets its plans whenever the number of rows written has doubled since they were made. That is 20 times on
the way to a million rows, costs one round trip at most, and unlike ``analyze`` needs no privilege that a user of the
tables may lack. Writes of other programs are not counted: autovacuum analyzes their tables within a minute.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
FORGET = "discard plans"
FIRST = 64
"""So few rows that reading all of them costs nothing."""


def last_until(written: int) -> int:
    """The number of rows written after which plans that are made now are too old."""
    return 2 * written + FIRST


def parts(batch: Sequence[T]) -> Iterator[Sequence[T]]:
    """The batch in parts, each as long as all before it together: after each, plans are made again."""
    start, size = 0, FIRST
    while start < len(batch):
        yield batch[start : start + size]
        start += size
        size = start
