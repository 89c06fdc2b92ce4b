"""A SQLite database into a file and back."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from diglot.errors import (
    BackupDamaged,
    ConfigurationError,
    DatabaseDamaged,
    DatabaseError,
    DatabaseFull,
    DatabaseUnavailable,
)
from diglot.migrate.status import read_applied
from diglot.ops.content import all_fields, read_content
from diglot.ops.manifest import AppliedMigration, Manifest, copy_data
from diglot.ops.private_files import exchange, sync, temporary_file
from diglot.ops.progress import Report, Step
from diglot.ops.settings import patient
from diglot.schema.read import read_within
from diglot.stores import open_store
from diglot.stores.settings import SQLiteSettings
from diglot.stores.sqlite.errors import translate
from diglot.stores.sqlite.gate import Gate
from diglot.stores.sqlite.library import library, server_version
from diglot.stores.sqlite.path import MEMORY, look, make_folder, uri
from diglot.stores.sqlite.store import SQLiteStore

if TYPE_CHECKING:
    import sqlite3

Progress = Callable[[int, int, int], object]
_PAGES = 4096
"""Pages of one step: between two of them the progress is shown, and Ctrl-C is heard."""


def dump(store: SQLiteStore, file: Path, now: datetime, report: Report) -> Manifest:
    """Write the database into this empty file and check it; its manifest, without size and digest."""
    with store.snapshot() as snapshot:
        read_within(snapshot, store.location)  # the snapshot begins with its first read
        _copy_pages(snapshot.unit.link.connection, file, report)
    manifest = _described(file, now, report)
    sync(file)
    return manifest


def _copy_pages(source: sqlite3.Connection, file: Path, report: Report) -> None:
    """SQLite's online backup. The snapshot that is open on the connection keeps it from beginning again."""

    def progress(_status: int, remaining: int, total: int) -> None:
        report(Step("copying pages", (total - remaining) * size, total * size, "bytes"))

    size = source.execute("pragma page_size").fetchone()[0]
    try:
        with closing(library().connect(uri(file), uri=True, isolation_level=None)) as target:
            target.execute("pragma journal_mode = off").fetchall()
            target.execute("pragma synchronous = off")
            _backup(source, target, progress)
            # The copy is in the mode of its source, the write-ahead log: to open it would make two files beside it.
            target.execute("pragma journal_mode = delete").fetchall()
    except library().Error as error:
        raise translate(error, "ops.backup", writing=True) from error


def _backup(
    source: sqlite3.Connection, target: sqlite3.Connection, progress: Callable[[int, int, int], object]
) -> None:
    try:
        source.backup(target, pages=_PAGES, progress=progress)
    except library().OperationalError as error:
        # The driver gives no code here, only SQLite's words.
        if str(error) in ("database or disk is full", "disk I/O error"):
            raise DatabaseFull(f"the backup can't be written: {error}; is there room on its disk?") from error
        raise


def _described(file: Path, now: datetime, report: Report) -> Manifest:
    check_integrity(file, report)
    with open_store(patient(SQLiteSettings(path=str(file), read_only=True))) as store, store.snapshot() as snapshot:
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


def check_integrity(file: Path, report: Report) -> None:
    """DatabaseDamaged where SQLite finds something wrong in the file."""
    report(Step("checking integrity", 0, None))
    try:
        with closing(
            library().connect(f"{uri(file)}&immutable=1".replace("mode=rw", "mode=ro"), uri=True)
        ) as connection:
            (found,) = connection.execute("pragma integrity_check(1)").fetchone()
    except library().Error as error:
        raise DatabaseDamaged(f"the database is damaged: {error}") from error
    if found != "ok":
        raise DatabaseDamaged(f"the database is damaged: {found}")


# --- back again --------------------------------------------------------------------------------------------


@contextmanager
def restored(path: Path, manifest: Manifest, beside: Path, report: Report) -> Iterator[Path]:
    """A temporary database file with what is in the backup, compared with the manifest."""
    with temporary_file(beside) as file:
        with file.open("wb") as target:
            copy_data(path, manifest, target, lambda done: report(Step("reading", done, manifest.size, "bytes")))
        try:
            found = _described(file, manifest.created_at, report)
        except DatabaseError as error:
            raise BackupDamaged(f"{path} is damaged: {error}") from error
        compare(path, manifest, found)
        yield file


def compare(path: Path, manifest: Manifest, found: Manifest) -> None:
    """BackupDamaged where what was restored is not what the manifest says."""
    if found.migrations != manifest.migrations:
        raise BackupDamaged(f"{path} is damaged: its schema is of another version than its manifest says")
    for name in sorted({*found.tables, *manifest.tables}):
        if found.tables.get(name) != manifest.tables.get(name):
            raise BackupDamaged(f"{path} is damaged: the table {name} is not as its manifest says")


def verify(path: Path, manifest: Manifest, scratch: Path, report: Report) -> None:
    """Restore into a scratch file and compare. BackupDamaged."""
    with restored(path, manifest, scratch / "verify.db", report):
        pass


def restore(path: Path, manifest: Manifest, settings: SQLiteSettings, *, replace: bool, report: Report) -> str | None:
    """Put what is in the backup into the place of the database; where the old one is now, or None.

    The old one, or the new one, is there at every moment.
    """
    if settings.path == MEMORY:
        raise ConfigurationError("a database in memory can't be restored: name a file")
    target = Path(settings.path).absolute()
    make_folder(target.parent)
    gate = Gate(target.with_name(target.name + "-gate"))
    with restored(path, manifest, target, report) as file, _held(gate, settings.lock_timeout, target):
        sync(file)
        aside: Path | None
        if look(target) is not None:
            aside = _make_way(target, replace=replace)
            file.replace(aside)
            exchange(aside, target)
        else:
            aside = _stale_log_aside(target)
            file.replace(target)
        sync(target.parent)
    return None if aside is None else str(aside)


@contextmanager
def _held(gate: Gate, timeout: float, target: Path) -> Iterator[None]:
    try:
        gate.acquire(timeout)
    except TimeoutError as error:
        raise DatabaseUnavailable(f"{target} is being written by another process: stop it, then restore") from error
    try:
        yield
    finally:
        gate.close()


def _make_way(target: Path, *, replace: bool) -> Path:
    """Let nothing of the old database be outside of its file; the name that it is to get."""
    damage: str | None = None
    try:
        with closing(library().connect(uri(target), uri=True, isolation_level=None, timeout=1.0)) as connection:
            if not replace and _has_tables(connection):
                raise ConfigurationError(
                    f"{target} is not empty: restore with --replace, which keeps it under another name"
                )
            # Moves the log into the file, if nobody else has it open.
            (mode,) = connection.execute("pragma journal_mode = delete").fetchone()
            if mode != "delete":
                raise DatabaseUnavailable(_in_use(target))
    except library().Error as error:
        failure = translate(error, None)
        if not isinstance(failure, DatabaseDamaged):
            raise DatabaseUnavailable(
                f"{target} is open in another process: stop it, then restore ({failure})"
            ) from error
        damage = str(failure)
        if not replace:
            raise DatabaseDamaged(f"{target} is damaged ({damage}): restore with --replace, which keeps it") from error
    aside = _free_name(target)
    if damage is not None:
        _log_aside(target, aside)  # it could not be moved into the file
    return aside


def _in_use(target: Path) -> str:
    return f"{target} is open in another process: stop it, then restore"


def _has_tables(connection: sqlite3.Connection) -> bool:
    return connection.execute("select 1 from sqlite_schema limit 1").fetchone() is not None


def _free_name(target: Path) -> Path:
    return target.with_name(f"{target.name}.replaced-{secrets.token_hex(4)}")


def _stale_log_aside(target: Path) -> Path | None:
    """A log that was left without its database would be read into the new one."""
    if not any(target.with_name(target.name + suffix).exists() for suffix in ("-wal", "-journal")):
        with suppress(FileNotFoundError):
            target.with_name(target.name + "-shm").unlink()
        return None
    aside = _free_name(target)
    _log_aside(target, aside)
    return aside


def _log_aside(target: Path, aside: Path) -> None:
    for suffix in ("-wal", "-journal", "-shm"):
        with suppress(FileNotFoundError):
            target.with_name(target.name + suffix).replace(aside.with_name(aside.name + suffix))
