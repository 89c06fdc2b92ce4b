"""SQLAlchemy Core: statements built once, compiled once (its cache), a connection of the pool for each call, rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, and_, bindparam, func, literal_column, select, update
from sqlalchemy.dialects import postgresql, sqlite

from benchmarks.contenders.contender import PAGE
from benchmarks.contenders.sql_by_hand import MAX_DEPTH
from benchmarks.contenders.sqlalchemy_tables import open_engines, tasks, values_of, workflows
from diglot.statestore.models import TaskState


class WithCore:
    """Answers are SQLAlchemy's rows: named, typed, JSON parsed."""

    def __init__(self, url: str) -> None:
        self._engines = open_engines(url)
        self._single = self._engines.single
        self._upsert = upsert(url)
        self._upsert_returning = self._upsert.returning(tasks.c.version, tasks.c.created_at, tasks.c.updated_at)

    def prepare(self, state: TaskState) -> dict[str, Any]:
        return values_of(state)

    def get_task(self, workflow_exec_id: str, task_exec_id: str) -> Row[Any]:
        with self._single.connect() as connection:
            return connection.execute(GET_TASK, {"w": workflow_exec_id, "t": task_exec_id}).one()

    def upsert_task(self, prepared: dict[str, Any]) -> Row[Any]:
        now = datetime.now(UTC)
        with self._single.connect() as connection:
            values = {**prepared, "created_at": now, "updated_at": now}
            return connection.execute(self._upsert_returning, values).one()

    def list_tasks(self, workflow_exec_id: str) -> tuple[list[Row[Any]], Any]:
        with self._single.connect() as connection:
            rows = connection.execute(LIST_TASKS, {"w": workflow_exec_id, "ask": PAGE + 1}).all()
        return _page(rows, "created_at", "task_exec_id")

    def list_workflows(self, status: str) -> tuple[list[Row[Any]], Any]:
        with self._single.connect() as connection:
            rows = connection.execute(LIST_WORKFLOWS, {"s": status, "ask": PAGE + 1}).all()
        return _page(rows, "created_at", "workflow_exec_id")

    def upsert_tasks(self, prepared: list[dict[str, Any]]) -> int:
        now = datetime.now(UTC)
        batch = [{**values, "created_at": now, "updated_at": now} for values in prepared]
        with self._engines.writing.begin() as connection:
            connection.execute(self._upsert, batch)
        return len(batch)

    def tree(self, workflow_exec_id: str, task_exec_id: str) -> list[Row[Any]]:
        keys = {"w": workflow_exec_id, "t": task_exec_id, "deepest": MAX_DEPTH + 1}
        with self._single.connect() as connection:
            return list(connection.execute(TREE, keys).all())

    def progress(self, workflow_exec_id: str, task_exec_id: str) -> dict[str, int]:
        with self._single.connect() as connection:
            rows = connection.execute(PROGRESS, {"w": workflow_exec_id, "t": task_exec_id}).all()
        return dict(iter(rows))

    def workflow_with_tasks(self, workflow_exec_id: str) -> tuple[Row[Any], dict[str, Row[Any]]]:
        with self._engines.snapshot.begin() as connection:
            workflow = connection.execute(GET_WORKFLOW, {"w": workflow_exec_id}).one()
            rows = connection.execute(LATEST_TASKS, {"w": workflow_exec_id}).all()
        return workflow, {row.task_id: row for row in rows}

    def lock_and_save(self, workflow_exec_id: str, task_exec_id: str, status: str, output: dict[str, Any]) -> Row[Any]:
        with self._engines.writing.begin() as connection:
            task = connection.execute(LOCK_TASK, {"w": workflow_exec_id, "t": task_exec_id}).one()
            return connection.execute(
                UPDATE_TASK,
                {
                    "w": workflow_exec_id,
                    "t": task_exec_id,
                    "v": task.version,
                    "new_status": status,
                    "new_output": output,
                    "now": datetime.now(UTC),
                },
            ).one()

    def close(self) -> None:
        self._engines.dispose()


def upsert(url: str, target: Any = tasks) -> Any:
    """``insert … on conflict do update`` of one task, in the URL's dialect; ``target``: the table or its class."""
    insert = (sqlite.insert if url.startswith("sqlite:") else postgresql.insert)(target)
    kept = ("workflow_exec_id", "task_exec_id", "version", "created_at")
    return insert.on_conflict_do_update(
        index_elements=["workflow_exec_id", "task_exec_id"],
        set_={column.name: insert.excluded[column.name] for column in tasks.c if column.name not in kept}
        | {"version": tasks.c.version + 1},
    )


def descendants() -> Any:
    """The recursive part of the tree: each task's id and its depth."""
    found = (
        select(tasks.c.task_exec_id, literal_column("0").label("depth"))
        .where(tasks.c.workflow_exec_id == bindparam("w"), tasks.c.task_exec_id == bindparam("t"))
        .cte("descendant", recursive=True)
    )
    child = tasks.alias("child")
    return found.union_all(
        select(child.c.task_exec_id, found.c.depth + 1).where(
            child.c.workflow_exec_id == bindparam("w"),
            child.c.parent_state_id == found.c.task_exec_id,
            found.c.depth < bindparam("deepest"),
        )
    )


def newest_first(*columns: Any) -> Any:
    """These columns of an execution's tasks, and which state of its task each is: 1 is the newest."""
    age = func.row_number().over(
        partition_by=tasks.c.task_id, order_by=[tasks.c.created_at.desc(), tasks.c.task_exec_id.desc()]
    )
    return select(*columns, age.label("age")).where(tasks.c.workflow_exec_id == bindparam("w"))


_of_keys = (tasks.c.workflow_exec_id == bindparam("w"), tasks.c.task_exec_id == bindparam("t"))

GET_TASK = select(tasks).where(*_of_keys)
LOCK_TASK = GET_TASK.with_for_update()
UPDATE_TASK = (
    update(tasks)
    .where(*_of_keys, tasks.c.version == bindparam("v"))
    .values(
        status=bindparam("new_status"),
        output=bindparam("new_output", type_=tasks.c.output.type),
        version=tasks.c.version + 1,
        updated_at=bindparam("now", type_=tasks.c.updated_at.type),
    )
    .returning(tasks.c.version, tasks.c.created_at, tasks.c.updated_at)
)
LIST_TASKS = (
    select(tasks)
    .where(tasks.c.workflow_exec_id == bindparam("w"))
    .order_by(tasks.c.created_at, tasks.c.task_exec_id)
    .limit(bindparam("ask"))
)
LIST_WORKFLOWS = (
    select(workflows)
    .where(workflows.c.status == bindparam("s"))
    .order_by(workflows.c.created_at.desc(), workflows.c.workflow_exec_id.desc())
    .limit(bindparam("ask"))
)
GET_WORKFLOW = select(workflows).where(workflows.c.workflow_exec_id == bindparam("w"))
newest = newest_first(tasks.c.workflow_exec_id, tasks.c.task_exec_id).subquery("ranked")
is_newest = and_(tasks.c.workflow_exec_id == newest.c.workflow_exec_id, tasks.c.task_exec_id == newest.c.task_exec_id)
LATEST_TASKS = select(tasks).join(newest, is_newest).where(newest.c.age == 1).order_by(tasks.c.task_id)
_children = newest_first(tasks.c.status).where(tasks.c.parent_state_id == bindparam("t")).subquery("ranked")
PROGRESS = select(_children.c.status, func.count()).where(_children.c.age == 1).group_by(_children.c.status)
_descendant = descendants()
TREE = (
    select(_descendant.c.depth, tasks)
    .join(tasks, tasks.c.task_exec_id == _descendant.c.task_exec_id)
    .where(tasks.c.workflow_exec_id == bindparam("w"))
    .order_by(_descendant.c.depth, tasks.c.created_at, tasks.c.task_exec_id)
)


def _page(rows: Any, created_at: str, key: str) -> tuple[list[Row[Any]], Any]:
    if len(rows) <= PAGE:
        return rows, None
    last = rows[PAGE - 1]
    return rows[:PAGE], (getattr(last, created_at), getattr(last, key))
