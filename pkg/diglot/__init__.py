"""Diglot: a raw-SQL data layer in two dialects, PostgreSQL and SQLite, and the state store that stands on it.

import diglot

with diglot.open("sqlite:///data/app.db") as db:
    page = db.tasks.list(status="FAILED", limit=50)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from diglot._version import __version__ as __version__

if TYPE_CHECKING:
    from diglot import errors as errors
    from diglot import models as models
    from diglot.database import Database as Database
    from diglot.database import Transaction as Transaction
    from diglot.database import open as open
    from diglot.ids import new_id as new_id
    from diglot.models import StateError as StateError
    from diglot.models import TaskState as TaskState
    from diglot.models import UsageEntry as UsageEntry
    from diglot.models import WorkflowState as WorkflowState

_HOME = {
    **dict.fromkeys(["errors", "models"], ""),
    **dict.fromkeys(["Database", "Transaction", "open"], "diglot.database"),
    "new_id": "diglot.ids",
    **dict.fromkeys(["StateError", "TaskState", "UsageEntry", "WorkflowState"], "diglot.models"),
}


def __getattr__(name: str) -> Any:
    """Import what a name needs when it is first asked for: a command, and a tool of the kit alone, start faster."""
    if name not in _HOME:
        raise AttributeError(f"module 'diglot' has no attribute {name!r}")
    home = _HOME[name]
    found = globals()[name] = getattr(import_module(home), name) if home else import_module(f"diglot.{name}")
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
