"""Refreshes the planner's statistics and returns unused space."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import msgspec

from diglot.ops.progress import Report, silent
from diglot.ops.settings import patient
from diglot.stores import open_store
from diglot.stores.settings import PostgresSettings, SQLiteSettings


class Optimized(msgspec.Struct, frozen=True):
    """What was done, what was left out and why, and the database's bytes before and after."""

    database: str
    done: list[str]
    left_out: list[str]
    bytes_before: int
    bytes_after: int


def optimize(
    settings: SQLiteSettings | PostgresSettings, *, vacuum: bool = False, timeout: float = 60.0, report: Report = silent
) -> Optimized:
    """Refresh the statistics of every table; on SQLite also empty the log. ``vacuum``: rewrite a SQLite file without
    its free pages (it needs as much space again, and nobody can write meanwhile), or VACUUM each PostgreSQL table.

    Raises DatabaseFull if there is no space for it, LockTimeout after ``timeout`` seconds.
    """
    with open_store(patient(settings)) as store:
        engine: Any = import_module(f"diglot.ops.{store.dialect}.optimize")
        before: int = engine.size(store)
        done, left_out = engine.optimize(store, vacuum, timeout, report)
        return Optimized(store.location, done, left_out, before, engine.size(store))
