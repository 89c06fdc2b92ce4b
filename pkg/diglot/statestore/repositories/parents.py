"""The parents of tasks: no task is its own ancestor, and in a batch each parent is written before its children.

A new task has no descendants, so only a stored task that gets another parent can close a ring. Such a move is therefore
made under a lock on its execution, after checking the ancestors of the new parent: if two transactions each close half
of a ring, the second sees what the first has done. Any other write is one statement that takes no such lock, and
changes nothing if the parent would change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from diglot.errors import InvalidValue

if TYPE_CHECKING:
    from diglot.sql.session import Session
    from diglot.statestore.queries.tasks import TasksQueries

Key = tuple[str, str]
Parents = Mapping[Key, str | None]
"""(workflow_exec_id, task_exec_id) → parent_state_id"""


def parents_first(parents: Parents) -> list[Key]:
    """The keys, each parent before its children, else in the order given.

    Raises InvalidValue if tasks are each other's ancestors.
    """
    ordered: dict[Key, None] = {}
    for key in parents:
        chain: dict[Key, None] = {}
        while key not in ordered:
            if key in chain:
                raise InvalidValue("parent_state_id", f"task {key[1]!r} is its own ancestor")
            chain[key] = None
            parent_id = parents[key]
            if parent_id is None or (key[0], parent_id) not in parents:
                break
            key = (key[0], parent_id)
        ordered.update(dict.fromkeys(reversed(chain)))
    return list(ordered)


def refuse_rings(tx: Session, tasks: TasksQueries, parents: Parents) -> None:
    """Before tasks are moved: raises InvalidValue if one would be its own ancestor.

    From here until the transaction ends, nobody else can move a task in these executions.
    """
    wanted: dict[str, set[str]] = {}
    for (exec_id, _), parent_id in parents.items():
        wanted.setdefault(exec_id, set()).update(() if parent_id is None else (parent_id,))
    known: dict[Key, str | None] = dict(parents)
    for exec_id in sorted(wanted):  # always in the same order: two transactions must not wait for each other
        tasks.lock_parents(tx, workflow_exec_id=exec_id)
        for task in tasks.ancestors(tx, workflow_exec_id=exec_id, ids=sorted(wanted[exec_id])):
            known.setdefault((exec_id, task.task_exec_id), task.parent_state_id)
    parents_first(known)
