"""Replaces a SQLite file with a backup: at every moment either the old or the new file is there."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from diglot.errors import (
    BackupDamaged,
    ConfigurationError,
    DatabaseDamaged,
    DatabaseError,
    DatabaseUnavailable,
)
from diglot.ops.manifest import Manifest, compare, copy_data
from diglot.ops.private_files import exchange, sync, temporary_file
from diglot.ops.progress import Report, Step
from diglot.ops.sqlite.backup import described
from diglot.stores.settings import SQLiteSettings
from diglot.stores.sqlite.errors import translate
from diglot.stores.sqlite.gate import Gate
from diglot.stores.sqlite.library import library
from diglot.stores.sqlite.path import MEMORY, look, make_folder, uri

if TYPE_CHECKING:
    import sqlite3

_WAIT = 1.0
"""Seconds that others have to finish reading or writing the old database."""


def verify(path: Path, manifest: Manifest, scratch: Path, report: Report) -> None:
    """Restore to a file in this folder and compare. Raises BackupDamaged."""
    with _restored(path, manifest, scratch / "verify.db", report):
        pass


def restore(path: Path, manifest: Manifest, settings: SQLiteSettings, *, replace: bool, report: Report) -> str | None:
    """Replace the database with the backup; returns where the old database is now, or None.

    Raises BackupDamaged, ConfigurationError if the database is not empty, DatabaseUnavailable if another process has it
    open. The database is then unchanged.
    """
    if settings.path == MEMORY:
        raise ConfigurationError("a database in memory can't be restored: name a file")
    target = Path(settings.path).absolute()
    make_folder(target.parent)
    gate = Gate(target.with_name(target.name + "-gate"))
    with _restored(path, manifest, target, report) as file, _held(gate, settings.lock_timeout, target):
        sync(file)
        if look(target) is None:
            aside = _stale_log_aside(target)
            file.replace(target)
        else:
            with _alone(target, replace=replace) as old:
                aside = _take_place(file, target, old)
        sync(target.parent)
    return None if aside is None else str(aside)


@contextmanager
def _restored(path: Path, manifest: Manifest, beside: Path, report: Report) -> Iterator[Path]:
    """A temporary database file with the backup's data, compared with the manifest."""
    with temporary_file(beside) as file:
        with file.open("wb") as target:
            copy_data(path, manifest, target, lambda done: report(Step("reading", done, manifest.size, "bytes")))
        try:
            found = described(file, manifest.created_at, report)
        except DatabaseError as error:
            raise BackupDamaged(f"{path} is damaged: {error}") from error
        compare(path, manifest, found.migrations, found.tables)
        yield file


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


class _Old(msgspec.Struct, frozen=True):
    """The existing database. ``damaged``: SQLite can't open it, so its log could not be moved into it."""

    empty: bool = False
    damaged: bool = False


@contextmanager
def _alone(target: Path, *, replace: bool) -> Iterator[_Old]:
    """Makes sure that nobody else has the old database open or can open it until the end of the block, and that all of
    it is in its file."""
    try:
        connection = library().connect(uri(target), uri=True, isolation_level=None, timeout=_WAIT)
        with closing(connection):
            try:
                old = _Old(empty=not _has_tables(connection))
                if not replace and not old.empty:
                    raise ConfigurationError(
                        f"{target} is not empty: restore with --replace, which keeps it under another name"
                    )
                # Moves the log into the file, if nobody else has it open.
                (mode,) = connection.execute("pragma journal_mode = delete").fetchone()
                if mode != "delete":
                    raise DatabaseUnavailable(f"{target} is open in another process: stop it, then restore")
                connection.execute("begin exclusive")
            except library().Error as error:
                old = _damaged(target, error, replace=replace)
            # Exclusive until the names are swapped: a program that opened the old file now would create a log for it
            # under the name of the new one.
            yield old
    except library().Error as error:
        raise DatabaseUnavailable(f"{target} can't be opened: {translate(error, None)}") from error


def _damaged(target: Path, error: sqlite3.Error, *, replace: bool) -> _Old:
    failure = translate(error, None)
    if not isinstance(failure, DatabaseDamaged):
        raise DatabaseUnavailable(f"{target} is open in another process: stop it, then restore ({failure})") from error
    if not replace:
        raise DatabaseDamaged(f"{target} is damaged ({failure}): restore with --replace, which keeps it") from error
    return _Old(damaged=True)


def _take_place(file: Path, target: Path, old: _Old) -> Path | None:
    """Gives the new file the name; returns the new name of the old file, or None if the old database was empty."""
    if old.empty:
        file.replace(target)
        return None
    aside = _free_name(target)
    if old.damaged:
        _log_aside(target, aside)
    file.replace(aside)
    exchange(aside, target)
    return aside


def _has_tables(connection: sqlite3.Connection) -> bool:
    return connection.execute("select 1 from sqlite_schema limit 1").fetchone() is not None


def _free_name(target: Path) -> Path:
    return target.with_name(f"{target.name}.replaced-{secrets.token_hex(4)}")


def _stale_log_aside(target: Path) -> Path | None:
    """Moves away a log that was left without its database: SQLite would read it into the new database."""
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
