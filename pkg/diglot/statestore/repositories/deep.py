"""Deleting tasks that are nested deeply.

A foreign key deletes level by level, each inside the deletion of the level above: SQLite ends at 1,000 levels and
PostgreSQL where its stack does, and each level costs as much as there are levels above it. So every 64th level is
taken off its parents first and deleted by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diglot.statestore.queries.tasks import DeleteTasksParameters, TasksQueries
    from diglot.stores.session import Session


def delete_in_parts(tx: Session, tasks: TasksQueries, keys: DeleteTasksParameters) -> int:
    """Delete a task with all its descendants; 0 when there is no such task."""
    exec_id = keys["workflow_exec_id"]
    tasks.lock_parents(tx, workflow_exec_id=exec_id)  # nobody moves a task of ours to where it is not to be deleted
    deep = tasks.deep_tasks(tx, no_parent=None, **keys)
    parts: list[DeleteTasksParameters] = [{"workflow_exec_id": exec_id, "task_exec_id": id} for id in deep]
    tasks.cut_tasks(tx, parts)
    found = tasks.delete_tasks(tx, [keys])
    tasks.delete_tasks(tx, parts)
    return found


def cut_all(tx: Session, tasks: TasksQueries, exec_id: str) -> None:
    """Before an execution is deleted: take every 64th level of its tasks off its parents."""
    tasks.lock_parents(tx, workflow_exec_id=exec_id)
    deep = tasks.deep_tasks(tx, workflow_exec_id=exec_id, task_exec_id=None, no_parent=True)
    tasks.cut_tasks(tx, [{"workflow_exec_id": exec_id, "task_exec_id": id} for id in deep])
