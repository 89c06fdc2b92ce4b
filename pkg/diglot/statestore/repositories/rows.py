"""The rows that queries return. Every struct in here is found by its name, as in ``-- returns:``.

Not all structs of ``diglot.statestore.models`` are rows: structs of documents, such as StateError, are the values of a
column.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from diglot.statestore.models import ApiKey as ApiKey
from diglot.statestore.models import JsonObject, User
from diglot.statestore.models import TaskState as TaskState
from diglot.statestore.models import TaskSummary as TaskSummary
from diglot.statestore.models import TreeNode as TreeNode
from diglot.statestore.models import WorkflowState as WorkflowState
from diglot.statestore.models import WorkflowSummary as WorkflowSummary


class Stored(msgspec.Struct, frozen=True):
    """What the database decided about a row that was written."""

    version: int
    created_at: datetime
    updated_at: datetime


class RowSize(msgspec.Struct, frozen=True):
    """How many bytes the documents of a row have, as text."""

    id: str
    bytes: int


class TaskOutput(msgspec.Struct, frozen=True):
    task_id: str
    output: JsonObject | None


class Prunable(msgspec.Struct, frozen=True):
    """An execution that can be deleted, with the number of its tasks and the bytes of all their documents."""

    workflow_exec_id: str
    created_at: datetime
    task_count: int
    bytes: int


class TaskStatus(msgspec.Struct, frozen=True):
    task_id: str
    status: str


class TaskParent(msgspec.Struct, frozen=True):
    task_exec_id: str
    parent_state_id: str | None


class StatusCount(msgspec.Struct, frozen=True):
    status: str
    children: int


class Credential(msgspec.Struct, frozen=True):
    """What authentication needs of a key, and its user."""

    key_id: str
    hash: bytes
    last_used: datetime | None
    expires_at: datetime | None
    user: User
