"""Renews what the planner knows, and gives room back."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import msgspec

from diglot.ops.progress import Report, silent
from diglot.ops.settings import patient
from diglot.stores import open_store
from diglot.stores.settings import PostgresSettings, SQLiteSettings


class Optimized(msgspec.Struct, frozen=True):
    """What was done, what was left out and why, and the bytes of the database before and after."""

    database: str
    done: list[str]
    left_out: list[str]
    bytes_before: int
    bytes_after: int


def optimize(
    settings: SQLiteSettings | PostgresSettings, *, vacuum: bool = False, timeout: float = 60.0, report: Report = silent
) -> Optimized:
    """Gather statistics of every table; SQLite also empties its log. ``vacuum``: rewrite a SQLite file without its free
    pages (it needs as much room again, and lets nobody write meanwhile), or VACUUM each table of PostgreSQL.

    DatabaseFull where there is no room for it, LockTimeout after ``timeout`` seconds.
    """
    with open_store(patient(settings)) as store:
        engine: Any = import_module(f"diglot.ops.{store.dialect}.optimize")
        before: int = engine.size(store)
        done, left_out = engine.optimize(store, vacuum, timeout, report)
        return Optimized(store.location, done, left_out, before, engine.size(store))
