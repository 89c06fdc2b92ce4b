"""How much work a call is for the database, counted by the database: not a time, so a busy machine changes nothing.

SQLite counts the instructions of its machine. PostgreSQL counts the blocks and the rows that were read from the table
of task states and its indexes, foreign-key triggers included.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from diglot.sql.session import Statement
from diglot.statestore.database import Database
from diglot.stores.store import Store

STEP = 100
"""Instructions of SQLite between two counts."""

_FLUSH = Statement("test.flush", "select pg_stat_force_next_flush()")
_READ = Statement(
    "test.read",
    """
    select
        coalesce(heap_blks_read, 0) + coalesce(heap_blks_hit, 0) + coalesce(idx_blks_read, 0)
        + coalesce(idx_blks_hit, 0) + seq_tup_read + coalesce(idx_tup_fetch, 0) + (
            select coalesce(sum(idx_tup_read), 0) from pg_stat_user_indexes where relname = 'task_states'
        )
    from pg_statio_user_tables inner join pg_stat_user_tables using (relid, relname)
    where relname = 'task_states'
    """,
)


def work(db: Database, call: Callable[[], Any]) -> int:
    """What one call makes the database do; only this thread may use it meanwhile."""
    return _instructions(db.store, call) if db.store.dialect == "sqlite" else _reads(db.store, call)


def _instructions(store: Any, call: Callable[[], Any]) -> int:
    from diglot.stores.sqlite.connection import watch_over

    store.rows(Statement("test.open", "select 1"))  # there is a connection that reads
    connections = store.connections
    links = [connections._link] if hasattr(connections, "_link") else [connections._writer, *connections._readers.links]
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += STEP
        return 0

    for link in links:
        link.connection.set_progress_handler(count, STEP)
    try:
        call()
    finally:
        for link in links:
            watch_over(link.connection, link.watch)
    return steps


def _reads(store: Store, call: Callable[[], Any]) -> int:
    before = _read(store)
    call()
    return _read(store) - before


def _read(store: Store) -> int:
    """In the same session, since each tells the server's statistics about itself; the pool hands it out again."""
    store.rows(_FLUSH)
    ((read,),) = store.rows(_READ)
    return int(read)
