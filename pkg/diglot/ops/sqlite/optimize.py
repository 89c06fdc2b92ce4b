"""ANALYZE, checkpoint and VACUUM for a SQLite file, on its writer connection."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from diglot.ops.progress import Report, Step
from diglot.ops.settings import A_DAY
from diglot.ops.sqlite.vacuum_room import refuse_little_room
from diglot.ops.statements import statement
from diglot.stores.sqlite.connection import Watch, watch_over
from diglot.stores.sqlite.errors import translate
from diglot.stores.sqlite.library import library
from diglot.stores.sqlite.path import MEMORY
from diglot.stores.sqlite.store import SQLiteStore


def size(store: SQLiteStore) -> int:
    """The bytes of the file and its log."""
    pages, _, page_size, _ = store.rows(statement("sqlite", "pages"))[0]
    log = Path(f"{store.location}-wal")
    return int(pages * page_size) + (log.stat().st_size if store.location != MEMORY and log.exists() else 0)


def optimize(store: SQLiteStore, vacuum: bool, timeout: float, report: Report) -> tuple[list[str], list[str]]:
    """Returns what was done, and what was left out and why. An interrupt ends a statement; the file stays as it was."""
    done = ["analyze"]
    if vacuum:
        refuse_little_room(store)
    with store.migration_connection(timeout) as connection:
        watch = Watch(A_DAY)
        watch_over(connection, watch)
        try:
            if vacuum:
                report(Step("rewriting the file", 0, None))
                connection.execute("pragma auto_vacuum = incremental")
                _vacuum(connection)
                done.insert(0, "vacuum")
            report(Step("analyzing", 0, None))
            connection.execute("pragma analysis_limit = 0").fetchall()
            try:
                connection.execute("analyze")
            finally:
                connection.execute("pragma analysis_limit = 400").fetchall()
        except library().Error as error:
            if watch.fault is not None:
                raise watch.fault from error
            raise translate(error, "ops.optimize", writing=True) from error
    if store.location == MEMORY:
        return done, []
    if store.checkpoint().complete:
        return [*done, "checkpoint"], []
    return done, ["checkpoint: a reader still needs the log; it is emptied later"]


def _vacuum(connection: sqlite3.Connection) -> None:
    """VACUUM attaches its copy, which our limit forbids. The copy is a file, not in memory, if the library can."""
    limited = hasattr(connection, "setlimit")
    if limited:
        before = connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 1)
    connection.execute("pragma temp_store = 1")
    try:
        connection.execute("vacuum")
    finally:
        connection.execute("pragma temp_store = 2")
        if limited:
            connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, before)
