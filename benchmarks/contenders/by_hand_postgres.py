"""PostgreSQL by hand: one psycopg connection in autocommit, statements prepared, one round trip a question."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from typing import Any, LiteralString

import msgspec
import psycopg
from psycopg.types.string import TextLoader

from benchmarks.contenders import sql_by_hand as sql
from benchmarks.contenders.contender import PAGE
from benchmarks.contenders.sql_by_hand import error_text, json_text, parse, parse_error, parse_usage, usage_text
from diglot.statestore.models import STATUSES, Page, Progress, TaskState, Tree, User, WorkflowState


def _placeholders(text: LiteralString) -> LiteralString:
    return text.replace("{}", "%s")


GET_TASK = _placeholders(sql.GET_TASK)
LOCK_TASK = _placeholders(sql.GET_TASK + " for update")
UPSERT_TASK = _placeholders(sql.UPSERT_TASK)
UPSERT_TASKS = _placeholders(sql.UPSERT_TASKS)
UPDATE_TASK = _placeholders(sql.UPDATE_TASK)
LIST_TASKS = _placeholders(sql.LIST_TASKS)
LIST_WORKFLOWS = _placeholders(sql.LIST_WORKFLOWS)
GET_WORKFLOW = _placeholders(sql.GET_WORKFLOW)
ALL_TASKS = _placeholders(sql.ALL_TASKS)
PROGRESS = _placeholders(sql.PROGRESS)
FIND_KEY = _placeholders(sql.FIND_KEY)
TOUCH_KEY = _placeholders(sql.TOUCH_KEY)


class ByHandPostgres:
    """``prepare_threshold=0``: every statement is prepared the first time it runs."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(
            url, autocommit=True, prepare_threshold=0, options="-c timezone=UTC", application_name="by hand"
        )
        # jsonb arrives as text and is parsed once, into its type, by msgspec.
        self._connection.adapters.register_loader("jsonb", TextLoader)

    def prepare(self, state: TaskState) -> TaskState:
        return state

    def get_task(self, workflow_exec_id: str, task_exec_id: str) -> TaskState:
        row = self._connection.execute(GET_TASK, (workflow_exec_id, task_exec_id)).fetchone()
        if row is None:
            raise LookupError(task_exec_id)
        return _task(row)

    def upsert_task(self, prepared: TaskState) -> TaskState:
        values = _values(prepared, datetime.now(UTC))
        ((version, created_at, updated_at),) = self._connection.execute(UPSERT_TASK, values).fetchall()
        return msgspec.structs.replace(prepared, version=version, created_at=created_at, updated_at=updated_at)

    def list_tasks(self, workflow_exec_id: str) -> Page[TaskState]:
        rows = self._connection.execute(LIST_TASKS, (workflow_exec_id, PAGE + 1)).fetchall()
        return _page([_task(row) for row in rows[:PAGE]], rows, -2, 1)

    def list_workflows(self, status: str) -> Page[WorkflowState]:
        rows = self._connection.execute(LIST_WORKFLOWS, (status, PAGE + 1)).fetchall()
        return _page([_workflow(row) for row in rows[:PAGE]], rows, -2, 0)

    def upsert_tasks(self, prepared: list[TaskState]) -> int:
        now = datetime.now(UTC)
        batch = [_values(state, now) for state in prepared]
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.executemany(UPSERT_TASKS, batch)
            return cursor.rowcount

    def tree(self, workflow_exec_id: str, task_exec_id: str) -> Tree:
        rows = self._connection.execute(ALL_TASKS, (workflow_exec_id,)).fetchall()
        return sql.tree_of([_task(row) for row in rows], task_exec_id)

    def progress(self, workflow_exec_id: str, task_exec_id: str) -> Progress:
        rows = self._connection.execute(PROGRESS, (workflow_exec_id, task_exec_id)).fetchall()
        return Progress(dict.fromkeys(STATUSES, 0) | dict(rows))

    def workflow_with_tasks(self, workflow_exec_id: str) -> WorkflowState:
        connection = self._connection
        with connection.pipeline():
            connection.execute("begin isolation level repeatable read, read only")
            workflow = connection.execute(GET_WORKFLOW, (workflow_exec_id,))
            tasks = connection.execute(ALL_TASKS, (workflow_exec_id,))
            connection.execute("commit")
        row = workflow.fetchone()
        if row is None:
            raise LookupError(workflow_exec_id)
        return _workflow(row, sql.latest_of([_task(row) for row in tasks.fetchall()]))

    def lock_and_save(self, workflow_exec_id: str, task_exec_id: str, status: Any, output: dict[str, Any]) -> TaskState:
        connection = self._connection
        with connection.transaction():
            row = connection.execute(LOCK_TASK, (workflow_exec_id, task_exec_id)).fetchone()
            if row is None:
                raise LookupError(task_exec_id)
            task = msgspec.structs.replace(_task(row), status=status, output=output)
            # The values of the update are those of the insert in another order.
            (_, _, *values, _, updated_at) = _values(task, datetime.now(UTC))
            keys = (workflow_exec_id, task_exec_id, task.version)
            rows = connection.execute(UPDATE_TASK, (*values, updated_at, *keys)).fetchall()
            if not rows:
                raise LookupError(f"{task_exec_id} was changed by somebody else")
        version, created_at, changed_at = rows[0]
        return msgspec.structs.replace(task, version=version, created_at=created_at, updated_at=changed_at)

    def authenticate(self, secret: str) -> User:
        digest = sql.key_hash(secret)
        row = self._connection.execute(FIND_KEY, (digest,)).fetchone()
        if row is None or not hmac.compare_digest(row[1], digest):
            raise LookupError("unknown key")
        key_id, _, last_used, expires_at, *user = row
        now = datetime.now(UTC)
        if expires_at is not None and expires_at <= now:
            raise LookupError("unknown key")
        if last_used is None or now - last_used >= sql.TOUCH_INTERVAL:
            self._connection.execute(TOUCH_KEY, (now, key_id, now - sql.TOUCH_INTERVAL))
        return User(*user)

    def close(self) -> None:
        self._connection.close()


def _values(state: TaskState, now: datetime) -> tuple[Any, ...]:
    return (
        state.workflow_exec_id,
        state.task_exec_id,
        state.task_id,
        state.workflow_id,
        state.component,
        state.status,
        state.execution_type,
        state.parent_state_id,
        state.agent_id,
        state.action_id,
        state.tool_id,
        usage_text(state.usage),
        json_text(state.input),
        json_text(state.output),
        error_text(state.error),
        now,
        now,
    )


def _task(row: Any) -> TaskState:
    (*texts, usage, input, output, error, version, created_at, updated_at) = row
    return TaskState(
        *texts,
        None if usage is None else parse_usage(usage),
        None if input is None else parse(input),
        None if output is None else parse(output),
        None if error is None else parse_error(error),
        version,
        created_at,
        updated_at,
    )


def _workflow(row: Any, tasks: dict[str, TaskState] | None = None) -> WorkflowState:
    (exec_id, workflow_id, status, usage, input, output, error, version, created_at, updated_at) = row
    return WorkflowState(
        exec_id,
        workflow_id,
        status,
        None if usage is None else parse_usage(usage),
        None if input is None else parse(input),
        None if output is None else parse(output),
        None if error is None else parse_error(error),
        version,
        created_at,
        updated_at,
        tasks,
    )


def _page(items: list[Any], rows: list[Any], created_at: int, key: int) -> Page[Any]:
    if len(rows) <= PAGE:
        return Page(items, None)
    last = rows[PAGE - 1]
    return Page(items, f"{last[created_at].isoformat()} {last[key]}")
