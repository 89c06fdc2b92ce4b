"""Whether the database is writable: tries a real write and undoes it.

A transaction that is rolled back usually writes nothing, because its pages stay in the cache. With a small cache they
go to the write-ahead log at once, so a full disk, a quota or a file-size limit shows, and nothing is committed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from diglot.errors import LockTimeout, SerializationFailure
from diglot.stores.sqlite.connection import Link, read_pragma, set_pragma
from diglot.stores.sqlite.library import library
from diglot.stores.sqlite.maintenance import Connections
from diglot.stores.sqlite.memory import MemoryConnections

ROOM = 256 * 1024
"""Bytes that must be writable."""
WAITS = 0.25
"""Seconds to wait for others who write."""
_CACHE = 8


def can_write(connections: Connections, me: int) -> tuple[bool, str]:
    """True if ``ROOM`` bytes can be written, and after a failed write also committed; else raises the error.

    If others write for too long to try it, the last failed write decides.
    """
    trouble = connections.trouble
    try:
        link = connections.acquire(me, WAITS)
        try:
            with _set_for_probe(connections, link):
                _write(link)
                if trouble.failed is not None:
                    _commit(link)
        except (library().Error, MemoryError) as error:
            raise link.failure(error, None) from error
    except (LockTimeout, SerializationFailure) as busy:
        failed = trouble.failed
        return failed is None, f"not tried: {busy}" if failed is None else str(failed)
    finally:
        connections.release(me)
    trouble.failed = None
    return True, "a write works"


def _write(link: Link) -> None:
    link.command("begin immediate")
    try:
        link.command("create table diglot_room (bytes blob)")
        link.connection.execute("insert into diglot_room values (zeroblob(?))", (ROOM,)).close()
    finally:
        if link.connection.in_transaction:
            link.command("rollback")


def _commit(link: Link) -> None:
    """Commit a page with the same content as before, to see whether a commit fails, as in the sync of the log."""
    version = read_pragma(link.connection, "user_version")
    link.command("begin immediate")
    try:
        link.command(f"pragma user_version = {int(version)}")
        link.command("commit")
    finally:
        if link.connection.in_transaction:
            link.command("rollback")


@contextmanager
def _set_for_probe(connections: Connections, link: Link) -> Iterator[None]:
    """A cache too small for the pages that are written, and a short wait for locks of foreign programs."""
    if isinstance(connections, MemoryConnections):
        yield
        return
    connection = link.connection
    before = {name: read_pragma(connection, name) for name in ("cache_size", "busy_timeout")}
    try:
        set_pragma(connection, "cache_size", _CACHE)
        set_pragma(connection, "busy_timeout", int(WAITS * 1000))
        yield
    finally:
        try:
            for name, value in before.items():
                set_pragma(connection, name, value)
        except library().Error:
            connections.drop_writer()  # its setting is unknown now
