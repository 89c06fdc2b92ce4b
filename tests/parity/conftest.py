"""The mark that says which rows of docs/parity.md a test covers; test_page.py keeps the two in step."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from diglot.statestore.database import Database
from diglot.statestore.models import TaskState, WorkflowState

AT = datetime(2026, 1, 31, 9, 5, 7, 123, tzinfo=UTC)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "parity(*rows): covers these rows of docs/parity.md")


@pytest.fixture
def still(db: Database) -> Database:
    """The database with a clock that stands still: whatever is stored was created at the same moment."""
    return Database(db.store, db.queries, clock=lambda: AT)


@pytest.fixture
def execution(still: Database) -> Callable[..., TaskState]:
    """The execution ``w1`` is stored; makes the states of its tasks, which are not."""
    still.workflows.upsert(WorkflowState("w1", "w", "RUNNING"))

    def make(task_exec_id: str, **fields: object) -> TaskState:
        known = {"task_id": task_exec_id, "workflow_id": "w", "component": "task", "status": "PENDING"} | fields
        return TaskState(workflow_exec_id="w1", task_exec_id=task_exec_id, **known)

    return make
