"""The order in which a batch of tasks is written: each parent before its children, else the foreign key refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from diglot.errors import InvalidValue

if TYPE_CHECKING:
    from diglot.queries_typed.tasks import UpsertTasksParameters

Key = tuple[str, str]


def parents_first(batch: Mapping[Key, UpsertTasksParameters]) -> list[UpsertTasksParameters]:
    """The parameters of tasks by (workflow_exec_id, task_exec_id), parents first, else in the order given.

    InvalidValue when tasks are each other's ancestors.
    """
    ordered: dict[Key, UpsertTasksParameters] = {}
    for key in batch:
        chain: dict[Key, None] = {}
        while key not in ordered:
            if key in chain:
                raise InvalidValue("parent_state_id", f"task {key[1]!r} is its own ancestor")
            chain[key] = None
            parent_id = batch[key]["parent_state_id"]
            if parent_id is None or (key[0], parent_id) not in batch:
                break
            key = (key[0], parent_id)
        for link in reversed(chain):
            ordered[link] = batch[link]
    return list(ordered.values())
