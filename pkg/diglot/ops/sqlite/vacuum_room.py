"""Whether there is room for VACUUM: it makes a copy of the file's contents, and writes that to the log.

The copy is a temporary file, or in memory if the library is built that way (pysqlite3's wheel: TEMP_STORE=3).
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from diglot.errors import DatabaseFull
from diglot.ops.statements import statement
from diglot.sql.session import Statement
from diglot.stores.sqlite.path import MEMORY
from diglot.stores.sqlite.store import SQLiteStore


def refuse_little_room(store: SQLiteStore) -> None:
    """Raises DatabaseFull if the copy or the log does not fit."""
    if store.location == MEMORY:
        return
    pages, free, page_size, _ = store.rows(statement("sqlite", "pages"))[0]
    needed = int((pages - free) * page_size)
    folder = Path(store.location).parent
    places = {folder: needed}
    if _in_memory(store):
        available = available_memory()
        if available is not None and available < needed:
            raise DatabaseFull(
                f"VACUUM of {store.location} needs {_mb(needed)} of memory with this SQLite library, but only "
                f"{_mb(available)} is free: free some memory first; nothing was changed"
            )
    else:
        temporary = temporary_folder()
        if temporary.stat().st_dev == folder.stat().st_dev:
            places[folder] += needed
        else:
            places[temporary] = needed
    for place, most in places.items():
        room = shutil.disk_usage(place).free
        if room < most:
            raise DatabaseFull(
                f"VACUUM of {store.location} may need {_mb(most)} in {place}, but only {_mb(room)} is free: "
                "make room first; nothing was changed"
            )


def _in_memory(store: SQLiteStore) -> bool:
    options = store.rows(Statement("ops.optimize", "/* diglot:ops.optimize */ pragma compile_options"))
    return ("TEMP_STORE=3",) in [tuple(row) for row in options]


def temporary_folder() -> Path:
    """Where SQLite creates its temporary files."""
    for name in (os.environ.get("SQLITE_TMPDIR"), os.environ.get("TMPDIR"), "/var/tmp", "/usr/tmp", "/tmp"):  # noqa: S108
        if name and Path(name).is_dir() and os.access(name, os.W_OK | os.X_OK):
            return Path(name)
    return Path()


def available_memory() -> int | None:
    """The bytes that this process can still use, by the machine and its control group; None if unknown."""
    found = []
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        found.append(1024 * int(next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))))
    with suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        limit, used = (int((group / name).read_text()) for name in ("memory.max", "memory.current"))
        found.append(max(limit - used, 0))
    return min(found, default=None)


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
