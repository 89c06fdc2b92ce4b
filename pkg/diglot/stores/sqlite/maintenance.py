"""Work of the writer on the whole database: checkpoints, migrations, shrinking, and statistics when it closes.

Each takes the writer's turn and the gate like any write, so two of them never overlap.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal, NamedTuple, NoReturn

from diglot.errors import TransactionError
from diglot.stores.sqlite.connection import Link, read_pragma, set_pragma, watch_over
from diglot.stores.sqlite.file import FileConnections
from diglot.stores.sqlite.library import library
from diglot.stores.sqlite.memory import MemoryConnections

Connections = FileConnections | MemoryConnections

CHECKPOINT_WAITS = 100
"""Milliseconds that a checkpoint waits for readers; nobody can write meanwhile."""
SHRINK_PAGES = (200, 20, 5_000)
"""Pages of the first step, and of the smallest and the largest."""
SHRINK_STEP = 0.025
"""Seconds that a step should take: others wait for it."""
OPTIMIZE_TAKES = 1.0
"""Seconds, at most."""


class Checkpoint(NamedTuple):
    """What a checkpoint did: ``complete`` when the whole log is in the database file; pages in the log, and moved."""

    complete: bool
    log_pages: int
    moved_pages: int


def checkpoint(connections: Connections, me: int, mode: Literal["TRUNCATE", "PASSIVE"]) -> Checkpoint:
    """Called with the writer, inside the gate: two checkpoints at once damage the file on SQLite before 3.51.3."""
    lock_timeout = connections.settings.lock_timeout
    try:
        link = connections.acquire(me, lock_timeout)
        try:
            set_pragma(link.connection, "busy_timeout", CHECKPOINT_WAITS)
            row = link.connection.execute(f"pragma wal_checkpoint({mode})").fetchone()
            set_pragma(link.connection, "busy_timeout", int(lock_timeout * 1000))
        except library().Error as error:
            connections.drop_writer()  # its busy_timeout is unknown now
            raise link.failure(error, None) from error
    finally:
        connections.release(me)
    return Checkpoint(row[0] == 0 and row[1] == row[2], row[1], row[2])


def shrink(connections: Connections, me: int) -> int:
    """Truncate the file by its free pages in steps, between which others may write; how many bytes."""
    pages, least, most = SHRINK_PAGES
    freed = 0
    while True:
        began = time.perf_counter()
        step = _shrink_by(connections, me, pages)
        if step <= 0:
            return freed
        freed += step
        seconds = max(time.perf_counter() - began, 0.000_1)
        pages = min(max(int(pages * SHRINK_STEP / seconds), least), most, 2 * pages)


def _shrink_by(connections: Connections, me: int, pages: int) -> int:
    """The bytes of one step, 0 if there are no free pages."""
    try:
        link = connections.acquire(me, connections.settings.lock_timeout)
        try:
            connection = link.connection
            before = read_pragma(connection, "page_count")
            connection.execute(f"pragma incremental_vacuum({pages})").fetchall()
            freed = before - read_pragma(connection, "page_count")
            return int(freed) * int(read_pragma(connection, "page_size"))
        except library().Error as error:
            raise link.failure(error, None) from error
    finally:
        connections.release(me)


@contextmanager
def migrating(connections: Connections, me: int, timeout: float) -> Iterator[Link]:
    """The writer with foreign keys and the statement timeout off; both are restored at the end."""
    try:
        link = connections.acquire(me, timeout)
        connection = link.connection
        try:
            try:
                watch_over(connection, None)
                set_pragma(connection, "foreign_keys", 0)
            except library().Error as error:
                raise link.failure(error, None) from error
            yield link
        finally:
            try:
                if connection.in_transaction:
                    connection.execute("rollback")
                connection.isolation_level = connection.row_factory = None
                set_pragma(connection, "foreign_keys", 1)
                watch_over(connection, link.watch)
            except library().Error:
                connections.drop_writer()
    finally:
        connections.release(me)


class Migrating:
    """Represents the migration connection in the list of what a thread has open."""

    active = True

    def __init__(self, link: Link) -> None:
        self.link = link

    def transaction(self) -> NoReturn:
        raise TransactionError("this thread has the migration connection open: use that, not the store")

    def abandon(self) -> None:
        self.transaction()

    def forget(self) -> None:
        """In a fork's child: nothing, the connection is only the runner's."""


def optimize(link: Link) -> None:
    """Let SQLite update its statistics of the tables; a failure does not stop the close."""
    link.watch.deadline = time.monotonic() + OPTIMIZE_TAKES
    with suppress(library().Error):
        link.connection.execute("pragma optimize").fetchall()
