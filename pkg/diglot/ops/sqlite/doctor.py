"""What the doctor looks at in a SQLite database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from diglot.ops.doctor import Check, Finding, Limits
from diglot.ops.private_files import leftovers
from diglot.ops.statements import statement
from diglot.stores.session import Statement, Store
from diglot.stores.sqlite.filesystem import NETWORK, filesystem
from diglot.stores.sqlite.health import private
from diglot.stores.sqlite.library import library, server_version, wal_reset_safe
from diglot.stores.sqlite.path import MEMORY

_MEBIBYTE = 1024 * 1024
_LARGE_LOG = 256 * _MEBIBYTE
_MUCH_FREE = 0.25
_VACUUM = "diglot optimize --vacuum"


def checks(store: Store, deep: bool, _limits: Limits) -> Iterator[Check]:
    """Each check with its name, in the order in which they are shown."""
    yield "reachable", lambda: _reachable(store)
    yield "version", _version
    yield "integrity", lambda: _integrity(store, deep)
    yield "foreign_keys", lambda: _foreign_keys(store)
    yield "free_pages", lambda: _free_pages(store)
    yield "statistics", lambda: _statistics(store)
    if store.location == MEMORY:
        return
    path = Path(store.location)
    yield "journal_mode", lambda: _journal_mode(store)
    yield "rights", lambda: _rights(path)
    yield "file_system", lambda: _file_system(path)
    yield "disk_space", lambda: _disk_space(path)
    yield "log_size", lambda: _log_size(path)
    yield "leftovers", lambda: _leftovers(path)


def _asked(store: Store, text: str) -> list[tuple[object, ...]]:
    return store.rows(Statement("ops.doctor", f"/* diglot:ops.doctor */ {text}"))


def _reachable(store: Store) -> Finding:
    _asked(store, "select count(*) from sqlite_schema")
    return Finding("reachable", "ok", store.location)


def _version() -> Finding:
    if wal_reset_safe(library().sqlite_version_info):
        return Finding("version", "ok", server_version())
    return Finding(
        "version",
        "warning",
        f"{server_version()} can damage a file when two programs checkpoint it at once",
        "use SQLite 3.51.3 or newer (pip install pysqlite3), and let no other program write the file",
    )


def _integrity(store: Store, deep: bool) -> Finding:
    name = "integrity_check" if deep else "quick_check"
    found = [str(row[0]) for row in _asked(store, f"pragma {name}(3)")]
    if found == ["ok"]:
        return Finding("integrity", "ok", name)
    detail = "; ".join(" ".join(text.split()) for text in found)
    return Finding("integrity", "wrong", detail, "diglot restore BACKUP --replace")


def _foreign_keys(store: Store) -> Finding:
    found = _asked(store, 'select "table", rowid, parent from pragma_foreign_key_check limit 3')
    if not found:
        return Finding("foreign_keys", "ok", "every reference has its row")
    detail = "; ".join(f"{table}: row {rowid} refers to nothing in {parent}" for table, rowid, parent in found)
    return Finding("foreign_keys", "wrong", detail, "delete these rows, or add what they refer to")


def _free_pages(store: Store) -> Finding:
    pages, free, size, mode = _asked(store, statement("sqlite", "pages").text)[0]
    assert isinstance(pages, int)  # noqa: S101 - pragmas give integers
    assert isinstance(free, int)  # noqa: S101
    assert isinstance(size, int)  # noqa: S101
    detail = f"{free:,} of {pages:,} pages ({free * size / _MEBIBYTE:,.1f} MiB)"
    if free * size > 10 * _MEBIBYTE and free > pages * _MUCH_FREE:
        return Finding("free_pages", "warning", detail, _VACUUM)
    return Finding("free_pages", "ok", detail + ("" if mode == 2 else "; the file does not shrink by itself"))


def _statistics(store: Store) -> Finding:
    (has,) = _asked(store, "select count(*) from sqlite_schema where name = 'sqlite_stat1'")[0]
    analyzed = _asked(store, "select count(*) from sqlite_stat1")[0][0] if has else 0
    if analyzed:
        return Finding("statistics", "ok", f"of {analyzed} tables and indexes")
    return Finding("statistics", "warning", "the planner knows nothing of how many rows there are", "diglot optimize")


def _journal_mode(store: Store) -> Finding:
    with Path(store.location).open("rb") as file:
        in_wal_mode = file.read(20)[18:20] == b"\x02\x02"
    if in_wal_mode:
        return Finding("journal_mode", "ok", "wal")
    return Finding("journal_mode", "warning", "not in WAL mode: the next time that it is opened to write, it will be")


def _rights(path: Path) -> Finding:
    ok, detail = private(path)
    return Finding("rights", "ok" if ok else "wrong", detail, "" if ok else f"chmod 600 {path}*")


def _file_system(path: Path) -> Finding:
    kind = filesystem(path.parent)
    if kind is None:
        return Finding("file_system", "unknown", "the operating system does not say what it is")
    if kind in NETWORK:
        return Finding("file_system", "wrong", f"{kind} is a network file system", "move the file to a local disk")
    return Finding("file_system", "ok", kind)


def _disk_space(path: Path) -> Finding:
    free, size = shutil.disk_usage(path.parent).free, path.stat().st_size
    detail = f"{free / _MEBIBYTE:,.0f} MiB free, and the file has {size / _MEBIBYTE:,.0f} MiB"
    if free < 100 * _MEBIBYTE:
        return Finding("disk_space", "wrong", detail, "make room on the disk")
    if free < 2 * size:
        return Finding("disk_space", "warning", f"{detail}: too little for VACUUM or a backup here")
    return Finding("disk_space", "ok", detail)


def _log_size(path: Path) -> Finding:
    log = path.with_name(f"{path.name}-wal")
    size = log.stat().st_size if log.exists() else 0
    detail = f"{size / _MEBIBYTE:,.1f} MiB"
    if size > _LARGE_LOG:
        return Finding("log_size", "warning", f"{detail}: a reader keeps it from being emptied", "diglot optimize")
    return Finding("log_size", "ok", detail)


def _leftovers(path: Path) -> Finding:
    found = leftovers(path)
    if found:
        names = ", ".join(one.name for one in found[:3])
        return Finding("leftovers", "warning", f"files of interrupted work: {names}", "remove them")
    return Finding("leftovers", "ok", "none")
