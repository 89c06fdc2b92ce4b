"""When a connection's plans are too old: they were made when the tables were much smaller.

PostgreSQL keeps the plan of a prepared statement, and of what a foreign key looks up, for as long as the connection
lives, or until somebody analyses the table. A plan that was made while the table was nearly empty reads all of it,
which is then right, and goes on doing so when it is large: 10,000 tasks written at once would each read all the others.
So a connection forgets its plans whenever twice as many rows were written as when they were made. That is 20 times on
the way to a million rows, costs a round trip at most, and needs no right that a user of the tables may not have, as
``analyze`` does. What other programs write is not counted here: autovacuum analyses their tables within a minute.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
FORGET = "discard plans"
FIRST = 64
"""Rows of which nobody minds that all of them are read."""


def last_until(written: int) -> int:
    """The number of rows written after which plans that are made now are too old."""
    return 2 * written + FIRST


def parts(batch: Sequence[T]) -> Iterator[Sequence[T]]:
    """The batch in parts, each as long as all before it: after each, plans are made again."""
    start, size = 0, FIRST
    while start < len(batch):
        yield batch[start : start + size]
        start += size
        size = start
