"""Reads a SQLite file that nobody has open, and reads it again if somebody wrote it meanwhile.

Such a file is read without locks and without a log (see ``reading_uri``). If a program then opens it and writes its log
back into it, pages change while they are read: the result is a state that the file never had.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from diglot.errors import DatabaseError, LockTimeout
from diglot.stores.settings import PostgresSettings, SQLiteSettings
from diglot.stores.sqlite.path import MEMORY

Found = TypeVar("Found")
_TIMES = 5


def look_until_still(settings: SQLiteSettings | PostgresSettings, look: Callable[[], Found]) -> Found:
    """Returns what ``look`` finds in one state of the database. Raises LockTimeout if the file changes each time."""
    if not isinstance(settings, SQLiteSettings) or settings.path == MEMORY:
        return look()
    path = Path(settings.path)
    log = path.with_name(f"{path.name}-wal")
    for _ in range(_TIMES):
        before, with_locks = _state(path), log.exists()
        try:
            found = look()
        except DatabaseError:
            if with_locks or _state(path) == before:
                raise
            continue
        if with_locks or _state(path) == before:
            return found
    raise LockTimeout(f"{path} is repeatedly opened and written by other programs: try again later")


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
