"""Deletes deeply nested tasks.

A foreign key deletes level by level, each inside the deletion of the level above: SQLite stops at 1,000 levels and
PostgreSQL at the end of its stack, and the cost of each level grows with the number of levels above it. Therefore every
64th level is first detached from its parents and deleted separately.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diglot.sql.session import Session
    from diglot.statestore.queries.tasks import DeleteTasksParameters, TasksQueries


def delete_in_parts(tx: Session, tasks: TasksQueries, keys: DeleteTasksParameters) -> int:
    """Delete a task with all its descendants; 0 if there is no such task."""
    exec_id = keys["workflow_exec_id"]
    tasks.lock_parents(tx, workflow_exec_id=exec_id)  # nobody moves one of these tasks to where it must not be deleted
    deep = tasks.deep_tasks(tx, no_parent=None, **keys)
    parts: list[DeleteTasksParameters] = [{"workflow_exec_id": exec_id, "task_exec_id": id} for id in deep]
    tasks.cut_tasks(tx, parts)
    found = tasks.delete_tasks(tx, [keys])
    tasks.delete_tasks(tx, parts)
    return found


def cut_all(tx: Session, tasks: TasksQueries, exec_id: str) -> None:
    """Before an execution is deleted: detach every 64th level of its tasks from its parents."""
    tasks.lock_parents(tx, workflow_exec_id=exec_id)
    deep = tasks.deep_tasks(tx, workflow_exec_id=exec_id, task_exec_id=None, no_parent=True)
    tasks.cut_tasks(tx, [{"workflow_exec_id": exec_id, "task_exec_id": id} for id in deep])
