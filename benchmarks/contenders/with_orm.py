"""SQLAlchemy ORM: mapped classes, a session for each call, upserts by its "ORM upsert" statements, version_id_col."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, bindparam, select
from sqlalchemy.orm import DeclarativeBase, sessionmaker

from benchmarks.contenders.contender import PAGE
from benchmarks.contenders.sql_by_hand import MAX_DEPTH
from benchmarks.contenders.sqlalchemy_tables import metadata, open_engines, tasks, values_of, workflows
from benchmarks.contenders.with_core import PROGRESS, descendants, is_newest, newest, upsert
from diglot.statestore.models import TaskState


class Base(DeclarativeBase):
    metadata = metadata


class Workflow(Base):
    __table__ = workflows
    __mapper_args__ = {"version_id_col": workflows.c.version}  # noqa: RUF012 - SQLAlchemy's form


class Task(Base):
    __table__ = tasks
    __mapper_args__ = {"version_id_col": tasks.c.version}  # noqa: RUF012 - SQLAlchemy's form


class WithOrm:
    """Answers are entities; ``expire_on_commit`` is off, so that they can be read after their session."""

    def __init__(self, url: str) -> None:
        self._engines = open_engines(url)
        self._session = sessionmaker(self._engines.single, expire_on_commit=False)
        self._writing = sessionmaker(self._engines.writing, expire_on_commit=False)
        self._snapshot = sessionmaker(self._engines.snapshot, expire_on_commit=False)
        self._upsert = upsert(url, Task)
        self._upsert_returning = self._upsert.returning(tasks.c.version, tasks.c.created_at, tasks.c.updated_at)

    def prepare(self, state: TaskState) -> dict[str, Any]:
        return values_of(state)

    def get_task(self, workflow_exec_id: str, task_exec_id: str) -> Task:
        with self._session() as session:
            return session.get_one(Task, (workflow_exec_id, task_exec_id))

    def upsert_task(self, prepared: dict[str, Any]) -> Row[Any]:
        now = datetime.now(UTC)
        with self._session() as session:
            values = {**prepared, "created_at": now, "updated_at": now}
            return session.execute(self._upsert_returning, values).one()

    def list_tasks(self, workflow_exec_id: str) -> tuple[list[Task], Any]:
        with self._session() as session:
            found = list(session.scalars(LIST_TASKS, {"w": workflow_exec_id, "ask": PAGE + 1}))
        return _page(found, "task_exec_id")

    def list_workflows(self, status: str) -> tuple[list[Workflow], Any]:
        with self._session() as session:
            found = list(session.scalars(LIST_WORKFLOWS, {"s": status, "ask": PAGE + 1}))
        return _page(found, "workflow_exec_id")

    def upsert_tasks(self, prepared: list[dict[str, Any]]) -> int:
        now = datetime.now(UTC)
        batch = [{**values, "created_at": now, "updated_at": now} for values in prepared]
        with self._writing.begin() as session:
            # render_nulls keeps rows with and without None in one batch.
            session.execute(self._upsert, batch, execution_options={"render_nulls": True})
        return len(batch)

    def tree(self, workflow_exec_id: str, task_exec_id: str) -> list[Any]:
        keys = {"w": workflow_exec_id, "t": task_exec_id, "deepest": MAX_DEPTH + 1}
        with self._session() as session:
            return list(session.execute(TREE, keys).all())

    def progress(self, workflow_exec_id: str, task_exec_id: str) -> dict[str, int]:
        with self._session() as session:
            rows = session.execute(PROGRESS, {"w": workflow_exec_id, "t": task_exec_id}).all()
        return dict(iter(rows))

    def workflow_with_tasks(self, workflow_exec_id: str) -> tuple[Workflow, dict[str, Task]]:
        # Not left to roll back: psycopg forgets its prepared statements then.
        with self._snapshot.begin() as session:
            workflow = session.get_one(Workflow, workflow_exec_id)
            found = session.scalars(LATEST_TASKS, {"w": workflow_exec_id}).all()
        return workflow, {task.task_id: task for task in found}

    def lock_and_save(self, workflow_exec_id: str, task_exec_id: str, status: str, output: dict[str, Any]) -> Task:
        with self._writing.begin() as session:
            task: Any = session.get_one(Task, (workflow_exec_id, task_exec_id), with_for_update=True)
            task.status = status
            task.output = output
            task.updated_at = datetime.now(UTC)
        return task

    def close(self) -> None:
        self._engines.dispose()


LIST_TASKS = (
    select(Task)
    .where(tasks.c.workflow_exec_id == bindparam("w"))
    .order_by(tasks.c.created_at, tasks.c.task_exec_id)
    .limit(bindparam("ask"))
)
LIST_WORKFLOWS = (
    select(Workflow)
    .where(workflows.c.status == bindparam("s"))
    .order_by(workflows.c.created_at.desc(), workflows.c.workflow_exec_id.desc())
    .limit(bindparam("ask"))
)
LATEST_TASKS = select(Task).join(newest, is_newest).where(newest.c.age == 1).order_by(tasks.c.task_id)
_descendant = descendants()
TREE = (
    select(_descendant.c.depth, Task)
    .join(Task, tasks.c.task_exec_id == _descendant.c.task_exec_id)
    .where(tasks.c.workflow_exec_id == bindparam("w"))
    .order_by(_descendant.c.depth, tasks.c.created_at, tasks.c.task_exec_id)
)


def _page(found: list[Any], key: str) -> tuple[list[Any], Any]:
    if len(found) <= PAGE:
        return found, None
    last = found[PAGE - 1]
    return found[:PAGE], (last.created_at, getattr(last, key))
