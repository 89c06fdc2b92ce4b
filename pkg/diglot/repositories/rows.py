"""The rows that queries answer with and that are no models of their own: what a repository makes its answers of."""

from __future__ import annotations

from datetime import datetime

import msgspec

from diglot import models
from diglot.models import JsonObject, User


class Stored(msgspec.Struct, frozen=True):
    """What the database decided about a row that was written."""

    version: int
    created_at: datetime
    updated_at: datetime


class TaskOutput(msgspec.Struct, frozen=True):
    task_id: str
    output: JsonObject | None


class TaskStatus(msgspec.Struct, frozen=True):
    task_id: str
    status: str


class StatusCount(msgspec.Struct, frozen=True):
    status: str
    children: int


class Credential(msgspec.Struct, frozen=True):
    """A key with what authentication needs of it, and its user."""

    key_id: str
    hash: bytes
    last_used: datetime | None
    expires_at: datetime | None
    user: User


ROW_MODELS: dict[str, type[msgspec.Struct]] = {
    model.__name__: model
    for model in (
        models.WorkflowState,
        models.TaskState,
        models.WorkflowSummary,
        models.TaskSummary,
        models.TreeNode,
        models.User,
        models.ApiKey,
        Stored,
        TaskOutput,
        TaskStatus,
        StatusCount,
        Credential,
    )
}
"""Every struct that ``-- returns:`` may name in queries/."""
