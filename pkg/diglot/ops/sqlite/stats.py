"""Sizes in a SQLite file, as far as the library reports them."""

from __future__ import annotations

from pathlib import Path

from diglot.errors import DatabaseDamaged, DatabaseError
from diglot.ops.statements import statement
from diglot.ops.stats import Sizes
from diglot.stores.sqlite.path import MEMORY
from diglot.stores.store import Store

_MODES = {0: "none", 1: "full", 2: "incremental"}


def sizes(store: Store) -> Sizes:
    """The bytes of each B-tree, from the virtual table dbstat; None from a library that was built without it."""
    pages, free, size, mode = store.rows(statement("sqlite", "pages"))[0]
    figures = {
        "file_bytes": pages * size,
        "free_bytes": free * size,
        "log_bytes": _size_of_log(store.location),
        "auto_vacuum": _MODES.get(mode, mode),
    }
    try:
        found: dict[str, int] = dict(store.rows(statement("sqlite", "sizes")))
    except DatabaseDamaged:
        raise
    except DatabaseError:
        return Sizes(tables=None, indexes=None, scans=None, figures=figures)
    return Sizes(tables=found, indexes=found, scans=None, figures=figures)


def _size_of_log(location: str) -> int:
    log = Path(f"{location}-wal")
    return log.stat().st_size if location != MEMORY and log.exists() else 0
