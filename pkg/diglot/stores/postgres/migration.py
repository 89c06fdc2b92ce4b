"""The connection that migrations run on: the driver's own, beside the pool, alone with the migration lock.

The lock is an advisory lock of the session, so it is free again when the process dies, however it dies. It goes
past PgBouncer in transaction mode only if the connection does: point migrations at the server itself.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from diglot.errors import LockTimeout
from diglot.stores.postgres.connection import Link, connect, location, set_up
from diglot.stores.postgres.errors import translate
from diglot.stores.settings import PostgresSettings

LOCK = 0x6469_676C_6F74
"""The key of the advisory lock, the letters "diglot"; one for each database of the server."""
_PAUSE = 0.1


@contextmanager
def migration_connection(settings: PostgresSettings, timeout: float) -> Iterator[psycopg.Connection[Any]]:
    """In autocommit and without a statement timeout: a migration takes as long as it takes.

    LockTimeout when another process holds the lock for longer than ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    link = Link(connect(settings), settings)
    try:
        try:
            set_up(link, settings, statement_timeout=None)
            while not _try_lock(link):
                if time.monotonic() >= deadline:
                    raise LockTimeout(
                        f"another process has been migrating {location(settings)} for {timeout:g} s: "
                        "wait for it, or raise the migration timeout; nothing was changed"
                    )
                time.sleep(random.uniform(0.5, 1.0) * _PAUSE)  # noqa: S311
        except psycopg.Error as error:
            raise translate(error, None) from error
        yield link.connection
    finally:
        link.close()


def _try_lock(link: Link) -> bool:
    link.cursor.execute("select pg_try_advisory_lock($1)", [LOCK])
    return bool(link.cursor.fetchall()[0][0])
