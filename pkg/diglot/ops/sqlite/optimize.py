"""ANALYZE, checkpoint and VACUUM of a SQLite file, by its writer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from diglot.errors import DatabaseFull
from diglot.ops.progress import Report, Step
from diglot.ops.statements import statement
from diglot.stores.sqlite.errors import translate
from diglot.stores.sqlite.library import library
from diglot.stores.sqlite.path import MEMORY
from diglot.stores.sqlite.store import SQLiteStore

if TYPE_CHECKING:
    import sqlite3


def size(store: SQLiteStore) -> int:
    """Bytes of the file with its log."""
    pages, _, page_size, _ = store.rows(statement("sqlite", "pages"))[0]
    log = Path(f"{store.location}-wal")
    return int(pages * page_size) + (log.stat().st_size if store.location != MEMORY and log.exists() else 0)


def optimize(store: SQLiteStore, vacuum: bool, timeout: float, report: Report) -> list[str]:
    """What was done."""
    done = ["analyze"]
    if vacuum:
        _refuse_little_room(store)
    with store.migration_connection(timeout) as connection:
        try:
            if vacuum:
                report(Step("rewriting the file", 0, None))
                connection.execute("pragma auto_vacuum = incremental")
                with _may_attach(connection):
                    connection.execute("vacuum")
                done.insert(0, "vacuum")
            report(Step("analyzing", 0, None))
            connection.execute("pragma analysis_limit = 0").fetchall()
            connection.execute("analyze")
            connection.execute("pragma analysis_limit = 400").fetchall()
        except library().Error as error:
            raise translate(error, "ops.optimize", writing=True) from error
    if store.location != MEMORY:
        store.checkpoint()
        done.append("checkpoint")
    return done


@contextmanager
def _may_attach(connection: sqlite3.Connection) -> Iterator[None]:
    """VACUUM attaches the database that it writes; a connection of ours may attach none."""
    if not hasattr(connection, "setlimit"):
        yield
        return
    before = connection.setlimit(library().SQLITE_LIMIT_ATTACHED, 1)
    try:
        yield
    finally:
        connection.setlimit(library().SQLITE_LIMIT_ATTACHED, before)


def _refuse_little_room(store: SQLiteStore) -> None:
    if store.location == MEMORY:
        return
    needed = 2 * size(store)  # the copy, and the same again in the log
    free = shutil.disk_usage(Path(store.location).parent).free
    if free < needed:
        raise DatabaseFull(
            f"VACUUM of {store.location} may need {needed / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free: "
            "make room first"
        )
