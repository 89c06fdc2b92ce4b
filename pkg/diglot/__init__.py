"""Diglot: a raw-SQL data layer in two dialects, PostgreSQL and SQLite, for any project; diglot.statestore is one.

import diglot

shop = diglot.Project.find()
with shop.open("sqlite:///shop.db") as db:
    queries = db.queries(ShopQueries)
    queries.books.search(db, term="é")

The names of this module are the public interface: they change only with a new major version, after a release that
warns. Everything else may change with any release.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

from diglot._version import __version__ as __version__

if TYPE_CHECKING:
    from diglot import errors as errors
    from diglot.database import Database as Database
    from diglot.migrate.runner import Migrator as Migrator
    from diglot.project import Project as Project
    from diglot.sql.loader import load_queries as load_queries
    from diglot.sql.session import Session as Session
    from diglot.stores.store import Store as Store

_HOME = {
    "Database": "diglot.database",
    "Migrator": "diglot.migrate.runner",
    "Project": "diglot.project",
    "Session": "diglot.sql.session",
    "Store": "diglot.stores.store",
    "load_queries": "diglot.sql.loader",
}
_MOVED = frozenset(
    ["Transaction", "open", "new_id", "models", "StateError", "TaskState", "UsageEntry", "WorkflowState"]
)
"""What version 0.1 had here and is in ``diglot.statestore`` now."""


def __getattr__(name: str) -> Any:
    """Import what a name needs when it is first asked for: a command, and a tool of the kit alone, start faster."""
    if name == "errors":
        return import_module("diglot.errors")
    if name in _HOME:
        found = globals()[name] = getattr(import_module(_HOME[name]), name)
        return found
    if name in _MOVED:
        warnings.warn(f"diglot.{name} is diglot.statestore.{name} now", DeprecationWarning, stacklevel=2)
        return getattr(import_module("diglot.statestore"), name)
    raise AttributeError(f"module 'diglot' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, "errors"})
