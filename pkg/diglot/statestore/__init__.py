"""The state store of a workflow engine: users, API keys, workflow and task states, vectors and an HTTP service.

It is the first project on Diglot's kit, and its queries and migrations are in this package. It runs on SQLite without
any configuration, and on PostgreSQL when it must grow.

from diglot import statestore

with statestore.open("sqlite:///data/app.db") as db:
    page = db.tasks.list(status="FAILED", limit=50)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diglot.statestore import models as models
    from diglot.statestore.database import Database as Database
    from diglot.statestore.database import Transaction as Transaction
    from diglot.statestore.database import open as open
    from diglot.statestore.ids import new_id as new_id
    from diglot.statestore.models import StateError as StateError
    from diglot.statestore.models import TaskState as TaskState
    from diglot.statestore.models import UsageEntry as UsageEntry
    from diglot.statestore.models import WorkflowState as WorkflowState

_HOME = {
    "models": "",
    **dict.fromkeys(["Database", "Transaction", "open"], "database"),
    "new_id": "ids",
    **dict.fromkeys(["StateError", "TaskState", "UsageEntry", "WorkflowState"], "models"),
}


def __getattr__(name: str) -> Any:
    """Imports a name's module on first access: a command starts faster."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOME[name]
    module = import_module(f"{__name__}.{home or name}")
    found = globals()[name] = getattr(module, name) if home else module
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
