"""What the doctor checks in a SQLite database."""

from __future__ import annotations

from pathlib import Path

from diglot.errors import SchemaMismatch
from diglot.ops.doctor import RESTORE, Checks, Finding, Look
from diglot.ops.statements import statement
from diglot.sql.identifiers import quoted
from diglot.sql.session import Row, Statement
from diglot.stores.sqlite.library import library, server_version, wal_reset_safe
from diglot.stores.sqlite.path import MEMORY, in_wal_mode
from diglot.stores.store import Store

_MEBIBYTE = 1024 * 1024
_MUCH_FREE = 0.25
_MANY_ROWS = 100
"""A table with this many rows should have statistics for the planner."""
_STALE = 4
"""Statistics are stale if a table has grown or shrunk by more than this factor since it was analyzed."""
_VACUUM = "diglot optimize --vacuum"


def _asked(store: Store, text: str) -> list[Row]:
    return store.rows(Statement("ops.doctor", f"/* diglot:ops.doctor */ {text}"))


def _reachable(look: Look) -> Finding:
    _asked(look.store, "select count(*) from sqlite_schema")
    return Finding("reachable", "ok", look.store.location)


def _version(_look: Look) -> Finding:
    if wal_reset_safe(library().sqlite_version_info):
        return Finding("version", "ok", server_version())
    return Finding(
        "version",
        "warning",
        f"{server_version()} can damage a file if two programs checkpoint it at once",
        "use SQLite 3.51.3 or newer (pip install pysqlite3), and let no other program write the file",
    )


def _integrity(look: Look) -> Finding:
    name = "integrity_check" if look.deep else "quick_check"
    found = [str(row[0]) for row in _asked(look.store, f"pragma {name}(3)")]
    if found == ["ok"]:
        return Finding("integrity", "ok", name)
    detail = "; ".join(" ".join(text.split()) for text in found)
    return Finding("integrity", "wrong", detail, RESTORE)


def _foreign_keys(look: Look) -> Finding:
    """Checks each table separately: one whose reference can't be looked up at all would hide the others."""
    found = []
    for (table,) in look.store.rows(statement("sqlite", "referring_tables")):
        try:
            rows = look.store.rows(statement("sqlite", "foreign_key_check"), (table,))
        except SchemaMismatch:  # what it refers to is missing or not unique
            found.append(f"{table}: a foreign key refers to columns that are not a key")
            continue
        found += [
            f"{table}: {'a row' if rowid is None else f'row {rowid}'} refers to a missing row of {parent}"
            for rowid, parent in rows
        ]
    if not found:
        return Finding("foreign_keys", "ok", "every reference is valid")
    detail = "; ".join(found[:3]) + (" …" if len(found) > 3 else "")
    return Finding("foreign_keys", "wrong", detail, "delete these rows, or add what they refer to")


def _free_pages(look: Look) -> Finding:
    pages, free, size, mode = look.store.rows(statement("sqlite", "pages"))[0]
    detail = f"{free:,} of {pages:,} pages ({free * size / _MEBIBYTE:,.1f} MiB)"
    if free * size > 10 * _MEBIBYTE and free > pages * _MUCH_FREE:
        return Finding("free_pages", "warning", detail, _VACUUM)
    return Finding("free_pages", "ok", detail + ("" if mode == 2 else "; the file does not shrink by itself"))


def _statistics(look: Look) -> Finding:
    """Counts the rows of every table, to compare them with what ANALYZE found."""
    known = _analyzed(look.store)
    never, stale = [], []
    for (table,) in look.store.rows(statement("sqlite", "tables_with_rows")):
        rows = _asked(look.store, f"select count(*) from {quoted(table)}")[0][0]
        if rows < _MANY_ROWS:
            continue
        if table not in known:
            never.append(table)
        elif max(rows, known[table]) > _STALE * max(min(rows, known[table]), 1):
            stale.append(f"{table} has {rows:,} rows, but had {known[table]:,}")
    said = [f"never analyzed: {', '.join(never)}"] * bool(never) + [f"out of date: {'; '.join(stale)}"] * bool(stale)
    if said:
        return Finding("statistics", "warning", "; ".join(said), "diglot optimize")
    return Finding("statistics", "ok", "of every table with many rows")


def _analyzed(store: Store) -> dict[str, int]:
    (has,) = _asked(store, "select count(*) from sqlite_schema where name = 'sqlite_stat1'")[0]
    if not has:
        return {}
    found = _asked(store, "select tbl, max(cast(stat as integer)) from sqlite_stat1 group by tbl")
    return {table: rows or 0 for table, rows in found}


def _journal_mode(look: Look) -> Finding:
    location = look.store.location
    if location == MEMORY:
        return Finding("journal_mode", "ok", "memory")
    log = Path(f"{location}-wal")
    # An open file must not be opened and closed here: that drops every lock that this process has on it.
    in_use = log.exists()
    if _asked(look.store, "pragma journal_mode")[0][0] == "wal" if in_use else in_wal_mode(Path(location)):
        return Finding("journal_mode", "ok", "wal")
    return Finding("journal_mode", "warning", "not in WAL mode", "diglot optimize")


_CHECKS: Checks = {
    "reachable": _reachable,
    "version": _version,
    "journal_mode": _journal_mode,
    "integrity": _integrity,
    "foreign_keys": _foreign_keys,
    "free_pages": _free_pages,
    "statistics": _statistics,
}


def checks(_deep: bool) -> Checks:
    """All checks: ``deep`` only makes ``integrity`` check more."""
    return _CHECKS
