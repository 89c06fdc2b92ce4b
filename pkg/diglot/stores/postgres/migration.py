"""The connection that migrations run on: the driver's own, outside the pool, with the migration lock.

The lock is an advisory lock of the session, so it is released whenever the process dies. Behind a connection pooler
the session is not ours: there the lock belongs to a transaction, which includes everything done with the connection
and is committed at the end.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from diglot.errors import LockTimeout
from diglot.stores.postgres.connection import Link, connect, location
from diglot.stores.postgres.errors import translate
from diglot.stores.postgres.set_up import set_up
from diglot.stores.settings import PostgresSettings

LOCK = 0x6469_676C_6F74
"""The key of the advisory lock, the letters "diglot"; one for each database of the server."""
_PAUSE = 0.1


@contextmanager
def migration_connection(settings: PostgresSettings, timeout: float) -> Iterator[psycopg.Connection[Any]]:
    """In autocommit and without a statement timeout: a migration takes as long as it takes.

    Behind a pooler a transaction is open on it, and its users leave it open. LockTimeout if another process holds
    the lock for longer than ``timeout`` seconds.
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
        try:
            yield link.connection
        finally:
            # The failed migration was rolled back to its savepoint; those before it stay.
            if link.pooled and link.connection.info.transaction_status == TransactionStatus.INTRANS:
                _commit(link)
    finally:
        link.close()


def _try_lock(link: Link) -> bool:
    if not link.pooled:
        return link.ask(f"select pg_try_advisory_lock({LOCK})") == ["t"]
    link.command("; ".join(link.opening))
    locked = link.ask(f"select pg_try_advisory_xact_lock({LOCK})") == ["t"]
    if not locked:
        link.command("rollback")
    return locked


def _commit(link: Link) -> None:
    try:
        link.command("commit")
    except psycopg.Error as error:
        raise translate(error, None) from error
