"""The order in which a batch of tasks is written: each parent before its children, else the foreign key refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diglot.errors import InvalidValue

Key = tuple[str, str]


def parents_first(batch: Mapping[Key, dict[str, Any]]) -> list[dict[str, Any]]:
    """The parameters of tasks by (workflow_exec_id, task_exec_id), parents first, else in the order given.

    InvalidValue when tasks are each other's ancestors.
    """
    ordered: dict[Key, dict[str, Any]] = {}
    for key in batch:
        chain: dict[Key, None] = {}
        while key not in ordered:
            if key in chain:
                raise InvalidValue("parent_state_id", f"task {key[1]!r} is its own ancestor")
            chain[key] = None
            parent = (key[0], batch[key]["parent_state_id"])
            if parent[1] is None or parent not in batch:
                break
            key = parent
        for link in reversed(chain):
            ordered[link] = batch[link]
    return list(ordered.values())
