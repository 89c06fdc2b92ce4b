"""The repositories under test: on every database, also behind PgBouncer, with a clock that the test moves."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from diglot.statestore.database import Database
from diglot.statestore.models import TaskState, WorkflowState
from tests.databases import POOLED_PARAM, POSTGRES_PARAMS, SQLITE_PARAMS, open_new_database

NOON = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)


class ManualClock:
    """Stands still until it is moved; with ``step`` it moves by itself at every reading."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now
        self.step = timedelta(0)

    def __call__(self) -> datetime:
        now = self.now
        self.now += self.step
        return now

    def forward(self, **delta: float) -> None:
        self.now += timedelta(**delta)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=[*SQLITE_PARAMS, *POSTGRES_PARAMS, POOLED_PARAM])
def db(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Iterator[Database]:
    for db in open_new_database(request, request.param, tmp_path):
        yield Database(db.store, db.queries, clock=clock)


Make = Callable[..., Any]


@pytest.fixture
def workflow(db: Database, clock: ManualClock) -> Make:
    """Stores a workflow execution, one second after the one before."""

    def make(exec_id: str = "w1", workflow_id: str = "flow", status: Any = "RUNNING", **fields: Any) -> WorkflowState:
        clock.forward(seconds=1)
        return db.workflows.upsert(WorkflowState(exec_id, workflow_id, status, **fields))

    return make


@pytest.fixture
def task(db: Database, clock: ManualClock) -> Make:
    """Stores a task state, one second after the one before; its task_id is its id unless told otherwise."""

    def make(task_exec_id: str = "t1", exec_id: str = "w1", status: Any = "PENDING", **fields: Any) -> TaskState:
        clock.forward(seconds=1)
        fields = {"task_id": task_exec_id, "workflow_id": "flow", "component": "task"} | fields
        return db.tasks.upsert(TaskState(workflow_exec_id=exec_id, task_exec_id=task_exec_id, status=status, **fields))

    return make
