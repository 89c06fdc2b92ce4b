"""Backs up a SQLite database to a file, checks the file and describes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from diglot.errors import DatabaseDamaged, DatabaseFull
from diglot.migrate.status import read_applied
from diglot.ops.content import all_fields, read_content
from diglot.ops.manifest import AppliedMigration, Manifest
from diglot.ops.private_files import sync
from diglot.ops.progress import Report, Step
from diglot.ops.settings import patient
from diglot.schema.read import read_within
from diglot.stores import open_store
from diglot.stores.settings import SQLiteSettings
from diglot.stores.sqlite.errors import translate
from diglot.stores.sqlite.library import library, server_version
from diglot.stores.sqlite.path import uri
from diglot.stores.sqlite.store import SQLiteStore

if TYPE_CHECKING:
    import sqlite3

_PAGES = 4096
"""Pages per step: between two steps it reports progress and reacts to Ctrl-C."""


def dump(store: SQLiteStore, file: Path, now: datetime, report: Report) -> Manifest:
    """Write the database to this empty file and check it; returns the manifest, without size and digest.

    Raises DatabaseDamaged, DatabaseFull.
    """
    with store.snapshot() as snapshot:
        read_within(snapshot, store.location)  # the snapshot begins with its first read
        _copy_pages(snapshot.unit.link.connection, file, report)
    manifest = described(file, now, report)
    sync(file)
    return manifest


def _copy_pages(source: sqlite3.Connection, file: Path, report: Report) -> None:
    """SQLite's online backup. The open snapshot on the connection keeps the backup from starting over."""

    def progress(_status: int, remaining: int, total: int) -> None:
        report(Step("copying pages", (total - remaining) * size, total * size, "bytes"))

    size = source.execute("pragma page_size").fetchone()[0]
    try:
        with closing(library().connect(uri(file), uri=True, isolation_level=None)) as target:
            target.execute("pragma journal_mode = off").fetchall()
            target.execute("pragma synchronous = off")
            _backup(source, target, progress)
            # The copy is in WAL mode, like its source: opening it would create two files next to it.
            target.execute("pragma journal_mode = delete").fetchall()
    except library().Error as error:
        raise translate(error, "ops.backup", writing=True) from error


def _backup(
    source: sqlite3.Connection, target: sqlite3.Connection, progress: Callable[[int, int, int], object]
) -> None:
    try:
        source.backup(target, pages=_PAGES, progress=progress)
    except library().OperationalError as error:
        # Here the driver has no error code, only SQLite's message.
        if str(error) in ("database or disk is full", "disk I/O error"):
            raise DatabaseFull(f"the backup can't be written: {error}; is there room on its disk?") from error
        raise


def described(file: Path, now: datetime, report: Report) -> Manifest:
    """Check a database file that nobody else uses, and return what is in it. Raises DatabaseDamaged."""
    settings = patient(SQLiteSettings(path=str(file), read_only=True))
    with checking_integrity(file, report), open_store(settings) as store, store.snapshot() as snapshot:
        return Manifest(
            created_at=now,
            dialect="sqlite",
            form="sqlite",
            engine=server_version(),
            migrations=[AppliedMigration(one.id, one.sha256) for one in read_applied(snapshot.rows, "sqlite")],
            tables=read_content(snapshot, all_fields(read_within(snapshot, str(file))), report),
            size=0,
            sha256="",
        )


@contextmanager
def checking_integrity(file: Path, report: Report) -> Iterator[None]:
    """SQLite checks the file in a thread of its own during the block; the end of the block raises DatabaseDamaged if it
    found something wrong. Nobody else may have the file open."""
    try:
        connection = library().connect(
            f"{uri(file)}&immutable=1".replace("mode=rw", "mode=ro"), uri=True, check_same_thread=False
        )
        with closing(connection), ThreadPoolExecutor(1, "diglot-integrity") as thread:
            found = thread.submit(lambda: connection.execute("pragma integrity_check(1)").fetchone()[0])
            try:
                yield
                report(Step("checking integrity", 0, None))
                said = found.result()
            except BaseException:
                connection.interrupt()
                raise
    except library().Error as error:
        raise DatabaseDamaged(f"the database is damaged: {error}") from error
    if said != "ok":
        raise DatabaseDamaged(f"the database is damaged: {said}")
