"""The health of an open SQLite database, and its statistics.

The checks that read the whole file stop after ``box`` seconds and report that. Reading by key succeeds on a
damaged file; only quick_check detects the damage.
"""

from __future__ import annotations

import shutil
import stat
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from diglot.errors import DatabaseUnavailable, DiglotError, StatementTimeout
from diglot.stores.sqlite.connection import Link, read_pragma
from diglot.stores.sqlite.file import FileConnections
from diglot.stores.sqlite.library import library, server_version, wal_reset_safe
from diglot.stores.sqlite.maintenance import Connections
from diglot.stores.sqlite.path import COMPANIONS, PRIVATE_FILE, identity
from diglot.stores.sqlite.room import can_write
from diglot.stores.store import Check, Health

Reading = Callable[[], AbstractContextManager[Link]]
Finding = tuple[bool, str]

BOX = 2.0
"""Seconds that a check of the whole file may take."""
LITTLE_SPACE = 100 * 1024 * 1024
"""With fewer free bytes, the disk is too full."""


def health(
    connections: Connections,
    reading: Reading,
    deep: bool,
    writer: int | None,
    *,
    box: float = BOX,
    little_space: int = LITTLE_SPACE,
) -> Health:
    """Run every check; an error is a finding, never raised.

    ``writer`` is the calling thread if it may write: None if it has a transaction open, or the store is read-only.
    """
    checks = [_timed("reachable", lambda: _reachable(connections, reading))]
    if checks[0].ok:
        on_file = isinstance(connections, FileConnections)
        checks += [
            _timed("foreign_keys", lambda: _pragma(reading, "foreign_keys", 1)),
            _timed("journal_mode", lambda: _pragma(reading, "journal_mode", "wal" if on_file else "memory")),
        ]
    if checks[0].ok and writer is not None:
        checks.append(_timed("writable", lambda: can_write(connections, writer)))
    if checks[0].ok and deep:
        checks += [
            _timed("quick_check", lambda: _boxed(reading, box, "pragma quick_check(1)", "ok")),
            _timed("foreign_key_check", lambda: _boxed(reading, box, "pragma foreign_key_check", None)),
        ]
    if isinstance(connections, FileConnections):
        path = connections.path
        checks += [
            _timed("private", lambda: private(path)),
            _timed("disk_space", lambda: _disk_space(path, little_space)),
        ]
    return Health(all(check.ok for check in checks), checks)


def statistics(connections: Connections, reading: Reading) -> dict[str, float]:
    """The figures of ``stores.statistics`` that SQLite has."""
    with reading() as link:
        try:
            pages, page_size, free = (
                float(read_pragma(link.connection, name)) for name in ("page_count", "page_size", "freelist_count")
            )
        except library().Error as error:
            raise link.failure(error, None) from error
    file_bytes, wal_bytes = pages * page_size, 0.0
    if isinstance(connections, FileConnections):
        file_bytes = _size(connections.path)
        wal_bytes = _size(connections.path.with_name(connections.path.name + "-wal"))
    opened, in_use = connections.readers
    gate = connections.turns.gate
    return {
        "database_sqlite_file_size_bytes": file_bytes,
        "database_sqlite_wal_size_bytes": wal_bytes,
        "database_sqlite_page_count": pages,
        "database_sqlite_free_pages": free,
        "database_connection_pool_size": opened,
        "database_connection_pool_active": in_use,
        "database_connection_pool_waiting": connections.turns.queued,
        "database_sqlite_processes_waiting": gate.waiting() if gate is not None else 0,
        "database_connection_pool_wait_seconds_total": connections.turns.waited,
        "sqlite_wal_reset_safe": float(wal_reset_safe(library().sqlite_version_info)),
    }


# --- the checks --------------------------------------------------------------------------------------------


def _timed(name: str, check: Callable[[], Finding]) -> Check:
    started = time.perf_counter()
    try:
        ok, detail = check()
    except (DiglotError, OSError) as error:
        ok, detail = False, str(error)
    return Check(name, ok, detail, (time.perf_counter() - started) * 1000)


def _reachable(connections: Connections, reading: Reading) -> Finding:
    if isinstance(connections, FileConnections) and identity(connections.path) != connections.identity:
        return False, f"{connections.location} was removed or replaced while it was open"
    return _asked(reading, "select 1", 1)[0], server_version()


def _pragma(reading: Reading, name: str, expected: object) -> Finding:
    ok, found = _asked(reading, f"pragma {name}", expected)
    return ok, f"{found}" if ok else f"it is {found!r} and must be {expected!r}"


def _boxed(reading: Reading, box: float, text: str, expected: object) -> Finding:
    try:
        ok, found = _asked(reading, text, expected, box)
    except StatementTimeout:
        return True, f"nothing wrong in the part that was read in {box:g} s"
    return ok, "ok" if ok else str(found)


def _asked(reading: Reading, text: str, expected: object, seconds: float = 0.0) -> tuple[bool, object]:
    """The first value of the result, and whether it is the expected one; None if there is no row."""
    with reading() as link:
        link.watch.deadline = time.monotonic() + seconds if seconds else 0.0
        try:
            row = link.connection.execute(text).fetchone()
        except library().Error as error:
            raise link.failure(error, None) from error
    found = row[0] if row else None
    return found == expected, found


def private(path: Path) -> Finding:
    """Whether nobody else may read the file, or what SQLite keeps beside it."""
    found = open_to_others(path)
    return not found, "; ".join(f"{file.name} is {rights:o}" for file, rights in found.items()) or "0600"


def open_to_others(path: Path) -> dict[Path, int]:
    """The database and the files next to it that others may access, with their permissions."""
    found = {}
    for file in (path, *(path.with_name(path.name + suffix) for suffix in COMPANIONS)):
        with suppress(FileNotFoundError):  # SQLite removes those next to it when the last connection is closed
            mode = file.lstat().st_mode
            if stat.S_ISREG(mode):
                found[file] = stat.S_IMODE(mode)
    return {file: rights for file, rights in found.items() if rights & ~PRIVATE_FILE}


def _disk_space(path: Path, little: int) -> Finding:
    free = shutil.disk_usage(path.parent).free
    return free >= little, f"{free / 1024**3:.1f} GiB free"


def _size(path: Path) -> float:
    try:
        return float(path.stat().st_size)
    except FileNotFoundError:
        return 0.0
    except OSError as error:
        raise DatabaseUnavailable(f"the SQLite database can't be examined: {path}: {error.strerror}") from error
