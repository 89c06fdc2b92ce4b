"""Diglot as its users call it: ``statestore.open`` and the repositories."""

from __future__ import annotations

from typing import Any

from diglot import statestore
from diglot.statestore.models import Page, Progress, TaskState, Tree, User, WorkflowState


class WithDiglot:
    """Default settings."""

    def __init__(self, url: str) -> None:
        self._db = statestore.open(url, migrate=False)

    def prepare(self, state: TaskState) -> TaskState:
        return state

    def get_task(self, workflow_exec_id: str, task_exec_id: str) -> TaskState:
        return self._db.tasks.get(task_exec_id, workflow_exec_id)

    def upsert_task(self, prepared: TaskState) -> TaskState:
        return self._db.tasks.upsert(prepared)

    def list_tasks(self, workflow_exec_id: str) -> Page[TaskState]:
        return self._db.tasks.list(workflow_exec_id=workflow_exec_id)

    def list_workflows(self, status: Any) -> Page[WorkflowState]:
        return self._db.workflows.list(status=status)

    def upsert_tasks(self, prepared: list[TaskState]) -> int:
        return self._db.tasks.upsert_many(prepared)

    def tree(self, workflow_exec_id: str, task_exec_id: str) -> Tree:
        return self._db.tasks.tree(task_exec_id, workflow_exec_id=workflow_exec_id)

    def progress(self, workflow_exec_id: str, task_exec_id: str) -> Progress:
        return self._db.tasks.progress(task_exec_id, workflow_exec_id)

    def workflow_with_tasks(self, workflow_exec_id: str) -> WorkflowState:
        return self._db.workflows.get(workflow_exec_id)

    def lock_and_save(self, workflow_exec_id: str, task_exec_id: str, status: Any, output: dict[str, Any]) -> TaskState:
        with self._db.transaction() as tx:
            task = tx.tasks.get_for_update(task_exec_id, workflow_exec_id)
            return tx.tasks.save(task.replace(status=status, output=output))

    def authenticate(self, secret: str) -> User:
        return self._db.api_keys.authenticate(secret)

    def close(self) -> None:
        self._db.close()
