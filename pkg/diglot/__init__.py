"""Diglot: a raw-SQL data layer in two dialects, PostgreSQL and SQLite, for any project; diglot.statestore is one."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

from diglot._version import __version__ as __version__

if TYPE_CHECKING:
    from diglot import errors as errors

_MOVED = frozenset(
    ["Database", "Transaction", "open", "new_id", "models", "StateError", "TaskState", "UsageEntry", "WorkflowState"]
)
"""What version 0.1 had here and is in ``diglot.statestore`` now."""


def __getattr__(name: str) -> Any:
    """Import what a name needs when it is first asked for: a command, and a tool of the kit alone, start faster."""
    if name == "errors":
        return import_module("diglot.errors")
    if name in _MOVED:
        warnings.warn(f"diglot.{name} is diglot.statestore.{name} now", DeprecationWarning, stacklevel=2)
        return getattr(import_module("diglot.statestore"), name)
    raise AttributeError(f"module 'diglot' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), "errors"})
