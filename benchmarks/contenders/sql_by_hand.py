"""What the two hand-written contenders share: their SQL texts and the JSON that goes in and out.

The texts are those that a careful engineer writes for this schema; ``{}`` stands where the drivers' placeholders
differ. The typed objects are Diglot's own models, built by position: there is no cheaper form of the same answer.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from datetime import timedelta
from typing import Any

import msgspec

from diglot.statestore.models import StateError, TaskState, Tree, TreeNode, UsageEntry

TASK_COLUMNS = (
    "workflow_exec_id, task_exec_id, task_id, workflow_id, component, status, execution_type, parent_state_id, "
    "agent_id, action_id, tool_id, usage, input, output, error, version, created_at, updated_at"
)
WORKFLOW_COLUMNS = "workflow_exec_id, workflow_id, status, usage, input, output, error, version, created_at, updated_at"

GET_TASK = f"select {TASK_COLUMNS} from task_states where workflow_exec_id = {{}} and task_exec_id = {{}}"
_UPSERT = (
    f"insert into task_states ({TASK_COLUMNS}) values ("
    + ", ".join(["{}"] * 15)
    + ", 1, {}, {}) on conflict (workflow_exec_id, task_exec_id) do update set "
    + ", ".join(
        f"{name} = excluded.{name}"
        for name in TASK_COLUMNS.split(", ")
        if name not in ("workflow_exec_id", "task_exec_id", "version", "created_at")
    )
    + ", version = task_states.version + 1"
)
UPSERT_TASK = f"{_UPSERT} returning version, created_at, updated_at"
UPSERT_TASKS = _UPSERT
UPDATE_TASK = (
    "update task_states set "
    + ", ".join(f"{name} = {{}}" for name in TASK_COLUMNS.split(", ")[2:15])
    + ", version = version + 1, updated_at = {} where workflow_exec_id = {} and task_exec_id = {} and version = {} "
    + "returning version, created_at, updated_at"
)
LIST_TASKS = (
    f"select {TASK_COLUMNS} from task_states where workflow_exec_id = {{}} order by created_at, task_exec_id limit {{}}"
)
LIST_WORKFLOWS = (
    f"select {WORKFLOW_COLUMNS} from workflow_states where status = {{}} "
    "order by created_at desc, workflow_exec_id desc limit {}"
)
GET_WORKFLOW = f"select {WORKFLOW_COLUMNS} from workflow_states where workflow_exec_id = {{}}"
# Trees and latest states are put together here, of all tasks of the execution: not the SQL that Diglot has, so that a
# query of either side that grows faster than its answer stands out.
ALL_TASKS = f"select {TASK_COLUMNS} from task_states where workflow_exec_id = {{}} order by created_at, task_exec_id"
_NEWEST_FIRST = "row_number() over (partition by task_id order by created_at desc, task_exec_id desc) as age"
PROGRESS = (
    f"select ranked.status, count(*) from (select status, {_NEWEST_FIRST} from task_states "
    "where workflow_exec_id = {} and parent_state_id = {}) as ranked where ranked.age = 1 group by ranked.status"
)
MAX_DEPTH = 100
FIND_KEY = (
    "select api_keys.id, api_keys.hash, api_keys.last_used, api_keys.expires_at, "
    "users.id, users.email, users.role, users.created_at, users.updated_at "
    "from api_keys inner join users on users.id = api_keys.user_id where api_keys.hash = {}"
)
TOUCH_KEY = "update api_keys set last_used = {} where id = {} and (last_used is null or last_used < {})"
TOUCH_INTERVAL = timedelta(minutes=1)


# --- JSON --------------------------------------------------------------------------------------------------

_to_text = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode
_usage_to_text = msgspec.json.Encoder().encode
parse = msgspec.json.Decoder().decode
parse_usage = msgspec.json.Decoder(list[UsageEntry]).decode
parse_error = msgspec.json.Decoder(StateError).decode


def json_text(value: Any) -> str | None:
    """JSON that both databases take: NaN and infinities raise in the encoder, NUL characters here."""
    if value is None:
        return None
    text = _to_text(value)
    if "\\u0000" in text:
        raise ValueError("a NUL character can't be stored")
    return text


def usage_text(usage: list[UsageEntry] | None) -> str | None:
    """Typed entries hold nothing that the databases refuse: they are only encoded."""
    return None if usage is None else _usage_to_text(usage).decode()


def error_text(error: StateError | None) -> str | None:
    return None if error is None else json_text(msgspec.to_builtins(error))


# --- from all tasks of an execution, oldest first ---------------------------------------------------------


def tree_of(tasks: list[TaskState], root: str) -> Tree:
    """Level by level; each in the order of the tasks."""
    children: dict[str | None, list[TaskState]] = {}
    for task in tasks:
        children.setdefault(task.parent_state_id, []).append(task)
    level = [task for task in tasks if task.task_exec_id == root]
    nodes: list[TreeNode] = []
    for depth in range(MAX_DEPTH + 1):
        nodes += [TreeNode(depth, task) for task in level]
        level = [child for task in level for child in children.get(task.task_exec_id, ())]
        level.sort(key=lambda task: (task.created_at, task.task_exec_id))
    return Tree(nodes, truncated=bool(level))


def latest_of(tasks: list[TaskState]) -> dict[str, TaskState]:
    """The newest task of each task_id."""
    return {task.task_id: task for task in tasks}


# --- API keys ----------------------------------------------------------------------------------------------


def key_hash(secret: str) -> bytes:
    """What is stored of a key; ValueError for one whose checksum is wrong."""
    checksum = base64.urlsafe_b64encode(zlib.crc32(secret[:-6].encode()).to_bytes(4, "big"))[:6]
    if checksum != secret[-6:].encode():
        raise ValueError("not a key")
    return hashlib.sha256(secret.encode()).digest()
