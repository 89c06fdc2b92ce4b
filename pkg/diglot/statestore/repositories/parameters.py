"""Parameters that several queries share, by name and type: a query that wants another one is a type error."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

from diglot.sql.encoding import EncodedJson


class Documents(TypedDict):
    """The JSON columns of a state, checked and encoded."""

    usage: EncodedJson | None
    input: EncodedJson | None
    output: EncodedJson | None
    error: EncodedJson | None


class WorkflowFields(TypedDict):
    """The other columns of a workflow execution."""

    workflow_exec_id: str
    workflow_id: str
    status: str


class TaskFields(TypedDict):
    """The other columns of a task state."""

    workflow_exec_id: str
    task_exec_id: str
    task_id: str
    workflow_id: str
    component: str
    status: str
    execution_type: str
    parent_state_id: str | None
    agent_id: str | None
    action_id: str | None
    tool_id: str | None


class WorkflowParameters(WorkflowFields, Documents):
    """What stores a workflow execution, without ``now`` and ``version``."""


class TaskParameters(TaskFields, Documents):
    """What stores a task state, without ``now`` and ``version``."""


class TaskKeys(TypedDict):
    """What finds a task."""

    workflow_exec_id: str
    task_exec_id: str


class ParentKeys(TypedDict):
    """What finds the children of a task."""

    workflow_exec_id: str
    parent_state_id: str


class TaskFilters(TypedDict):
    """Which tasks a list has: those that fit every filter that is not None."""

    status: str | None
    workflow_id: str | None
    workflow_exec_id: str | None
    task_id: str | None
    parent_state_id: str | None
    no_parent: bool | None
    agent_id: str | None
    action_id: str | None
    tool_id: str | None
    execution_type: str | None


class WorkflowFilters(TypedDict):
    """Which executions a list has: those that fit every filter that is not None."""

    status: str | None
    workflow_id: str | None
    ids: list[str] | None
    created_from: datetime | None
    created_before: datetime | None


class AfterParameters(TypedDict):
    """Where a page begins."""

    after_created_at: datetime | None
    after_id: str | None


class UserChanges(TypedDict):
    """What changes of a user: all that is not None."""

    id: str
    email: str | None
    role: str | None


class SecretParameters(TypedDict):
    """What is stored of a key's secret."""

    hash: bytes
    prefix: str
