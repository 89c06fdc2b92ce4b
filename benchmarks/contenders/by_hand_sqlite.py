"""SQLite by hand: one connection, one text a question, rows unpacked where they are used, no layer at all."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from typing import Any

import msgspec

from benchmarks.contenders import sql_by_hand as sql
from benchmarks.contenders.contender import PAGE
from benchmarks.contenders.sql_by_hand import error_text, json_text, parse, parse_error, parse_usage, usage_text
from diglot.statestore.models import STATUSES, Page, Progress, TaskState, Tree, User, WorkflowState
from diglot.stores.sqlite.library import library

GET_TASK = sql.GET_TASK.replace("{}", "?")
UPSERT_TASK = sql.UPSERT_TASK.replace("{}", "?")
UPSERT_TASKS = sql.UPSERT_TASKS.replace("{}", "?")
UPDATE_TASK = sql.UPDATE_TASK.replace("{}", "?")
LIST_TASKS = sql.LIST_TASKS.replace("{}", "?")
LIST_WORKFLOWS = sql.LIST_WORKFLOWS.replace("{}", "?")
GET_WORKFLOW = sql.GET_WORKFLOW.replace("{}", "?")
ALL_TASKS = sql.ALL_TASKS.replace("{}", "?")
PROGRESS = sql.PROGRESS.replace("{}", "?")
FIND_KEY = sql.FIND_KEY.replace("{}", "?")
TOUCH_KEY = sql.TOUCH_KEY.replace("{}", "?")

_time = datetime.fromisoformat


def connect(url: str) -> Any:
    """A connection with the durability that Diglot has: WAL, an fsync each commit, foreign keys."""
    connection = library().connect(url.removeprefix("sqlite:///"), isolation_level=None)
    for pragma in ("journal_mode = wal", "synchronous = full", "foreign_keys = on", "busy_timeout = 5000"):
        connection.execute(f"pragma {pragma}").fetchall()
    return connection


class ByHandSQLite:
    """The library's own autocommit: a single statement is its own transaction; several are put in one by hand."""

    def __init__(self, url: str) -> None:
        self._connection = connect(url)

    def prepare(self, state: TaskState) -> TaskState:
        return state

    def get_task(self, workflow_exec_id: str, task_exec_id: str) -> TaskState:
        row = self._connection.execute(GET_TASK, (workflow_exec_id, task_exec_id)).fetchone()
        if row is None:
            raise LookupError(task_exec_id)
        return _task(row)

    def upsert_task(self, prepared: TaskState) -> TaskState:
        values = _values(prepared, _now())
        ((version, created_at, updated_at),) = self._connection.execute(UPSERT_TASK, values).fetchall()
        return msgspec.structs.replace(
            prepared, version=version, created_at=_time(created_at), updated_at=_time(updated_at)
        )

    def list_tasks(self, workflow_exec_id: str) -> Page[TaskState]:
        rows = self._connection.execute(LIST_TASKS, (workflow_exec_id, PAGE + 1)).fetchall()
        return _page([_task(row) for row in rows[:PAGE]], rows, -2, 1)

    def list_workflows(self, status: str) -> Page[WorkflowState]:
        rows = self._connection.execute(LIST_WORKFLOWS, (status, PAGE + 1)).fetchall()
        return _page([_workflow(row) for row in rows[:PAGE]], rows, -2, 0)

    def upsert_tasks(self, prepared: list[TaskState]) -> int:
        now = _now()
        batch = [_values(state, now) for state in prepared]
        connection = self._connection
        connection.execute("begin immediate")
        try:
            changed = connection.executemany(UPSERT_TASKS, batch).rowcount
        except BaseException:
            connection.execute("rollback")
            raise
        connection.execute("commit")
        return int(changed)

    def tree(self, workflow_exec_id: str, task_exec_id: str) -> Tree:
        rows = self._connection.execute(ALL_TASKS, (workflow_exec_id,)).fetchall()
        return sql.tree_of([_task(row) for row in rows], task_exec_id)

    def progress(self, workflow_exec_id: str, task_exec_id: str) -> Progress:
        rows = self._connection.execute(PROGRESS, (workflow_exec_id, task_exec_id)).fetchall()
        return Progress(dict.fromkeys(STATUSES, 0) | dict(rows))

    def workflow_with_tasks(self, workflow_exec_id: str) -> WorkflowState:
        connection = self._connection
        connection.execute("begin")
        try:
            row = connection.execute(GET_WORKFLOW, (workflow_exec_id,)).fetchone()
            rows = connection.execute(ALL_TASKS, (workflow_exec_id,)).fetchall()
        finally:
            connection.execute("commit")
        if row is None:
            raise LookupError(workflow_exec_id)
        return _workflow(row, sql.latest_of([_task(row) for row in rows]))

    def lock_and_save(self, workflow_exec_id: str, task_exec_id: str, status: Any, output: dict[str, Any]) -> TaskState:
        connection = self._connection
        connection.execute("begin immediate")
        try:
            task = self.get_task(workflow_exec_id, task_exec_id)
            task = msgspec.structs.replace(task, status=status, output=output)
            # The values of the update are those of the insert in another order.
            (_, _, *values, _, updated_at) = _values(task, _now())
            rows = connection.execute(
                UPDATE_TASK, (*values, updated_at, workflow_exec_id, task_exec_id, task.version)
            ).fetchall()
            if not rows:
                raise LookupError(f"{task_exec_id} was changed by somebody else")
        except BaseException:
            connection.execute("rollback")
            raise
        connection.execute("commit")
        version, created_at, changed_at = rows[0]
        return msgspec.structs.replace(
            task, version=version, created_at=_time(created_at), updated_at=_time(changed_at)
        )

    def authenticate(self, secret: str) -> User:
        digest = sql.key_hash(secret)
        row = self._connection.execute(FIND_KEY, (digest,)).fetchone()
        if row is None or not hmac.compare_digest(row[1], digest):
            raise LookupError("unknown key")
        key_id, _, last_used, expires_at, id, email, role, created_at, updated_at = row
        now = datetime.now(UTC)
        if expires_at is not None and _time(expires_at) <= now:
            raise LookupError("unknown key")
        if last_used is None or now - _time(last_used) >= sql.TOUCH_INTERVAL:
            self._connection.execute(TOUCH_KEY, (_text(now), key_id, _text(now - sql.TOUCH_INTERVAL))).close()
        return User(id, email, role, _time(created_at), _time(updated_at))

    def close(self) -> None:
        self._connection.close()


def _text(time: datetime) -> str:
    return time.isoformat(timespec="microseconds")[:26] + "Z"


def _now() -> str:
    return _text(datetime.now(UTC))


def _values(state: TaskState, now: str) -> tuple[Any, ...]:
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
        _time(created_at),
        _time(updated_at),
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
        _time(created_at),
        _time(updated_at),
        tasks,
    )


def _page(items: list[Any], rows: list[Any], created_at: int, key: int) -> Page[Any]:
    if len(rows) <= PAGE:
        return Page(items, None)
    last = rows[PAGE - 1]
    return Page(items, f"{last[created_at]} {last[key]}")
