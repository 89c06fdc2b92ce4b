"""What the state store holds: immutable, typed, slotted structs whose fields are in the order of the columns.

A caller builds a model from what it knows. ``version``, ``created_at`` and ``updated_at`` are unset until a repository
has stored it; repositories return the state as it is stored. ``.replace(...)`` returns a changed copy.
Timestamps are aware datetimes in UTC with microseconds; ids are text of 1 to 255 characters.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, Literal, Self, TypeVar, get_args

import msgspec
from msgspec import UNSET, Struct, UnsetType

Status = Literal["PENDING", "RUNNING", "WAITING", "PAUSED", "SUCCESS", "FAILED", "TIMED_OUT", "CANCELED"]
Component = Literal["workflow", "task", "agent", "tool", "log"]
ExecutionType = Literal[
    "basic", "router", "parallel", "collection", "composite", "wait", "signal", "aggregate", "memory"
]
Role = Literal["admin", "user"]
Strategy = Literal["wait_all", "fail_fast", "best_effort", "race"]

STATUSES: tuple[str, ...] = get_args(Status)
TERMINAL: frozenset[str] = frozenset({"SUCCESS", "FAILED", "TIMED_OUT", "CANCELED"})
COMPONENTS: tuple[str, ...] = get_args(Component)
EXECUTION_TYPES: tuple[str, ...] = get_args(ExecutionType)
ROLES: tuple[str, ...] = get_args(Role)
STRATEGIES: tuple[str, ...] = get_args(Strategy)

JsonObject = dict[str, Any]
T = TypeVar("T")


class Model(Struct, frozen=True):
    """The base of every model."""

    def replace(self, **changes: Any) -> Self:
        """A copy with these fields changed. Raises TypeError for an unknown field."""
        return msgspec.structs.replace(self, **changes)


class UsageEntry(Model, frozen=True, omit_defaults=True):
    """The tokens that one model of one provider used. Counts are never negative; total 0 means prompt + completion."""

    provider: str
    model: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    reasoning_tokens: int | None = None
    cached_prompt_tokens: int | None = None
    input_audio_tokens: int | None = None
    output_audio_tokens: int | None = None
    agent_ids: list[str] | None = None
    captured_at: datetime | None = None
    updated_at: datetime | None = None
    source: str | None = None


Usage = list[UsageEntry]


class StateError(Model, frozen=True, omit_defaults=True):
    """Why a workflow or a task failed."""

    message: str | None = None
    code: str | None = None
    details: Any = None


class WorkflowState(Model, frozen=True):
    """One execution of a workflow; ``tasks`` maps task_id to its latest state if requested, else None."""

    workflow_exec_id: str
    workflow_id: str
    status: Status
    usage: Usage | None = None
    input: JsonObject | None = None
    output: JsonObject | None = None
    error: StateError | None = None
    version: int | UnsetType = UNSET
    created_at: datetime | UnsetType = UNSET
    updated_at: datetime | UnsetType = UNSET
    tasks: dict[str, TaskState] | None = None


class TaskState(Model, frozen=True):
    """One state of a task; a task that is retried has another state with the same task_id."""

    workflow_exec_id: str
    task_exec_id: str
    task_id: str
    workflow_id: str
    component: Component
    status: Status
    execution_type: ExecutionType = "basic"
    parent_state_id: str | None = None
    agent_id: str | None = None
    action_id: str | None = None
    tool_id: str | None = None
    usage: Usage | None = None
    input: JsonObject | None = None
    output: JsonObject | None = None
    error: StateError | None = None
    version: int | UnsetType = UNSET
    created_at: datetime | UnsetType = UNSET
    updated_at: datetime | UnsetType = UNSET


class WorkflowSummary(Model, frozen=True):
    """An execution without its documents, which may be large: for lists."""

    workflow_exec_id: str
    workflow_id: str
    status: Status
    created_at: datetime
    updated_at: datetime


class TaskSummary(Model, frozen=True):
    """A task state without its documents, which may be large: for lists and trees."""

    task_exec_id: str
    task_id: str
    component: Component
    status: Status
    execution_type: ExecutionType
    parent_state_id: str | None
    error: StateError | None
    created_at: datetime
    updated_at: datetime


class User(Model, frozen=True):
    """A person or program that has access; the e-mail address is stored trimmed and case-folded."""

    id: str
    email: str
    role: Role
    created_at: datetime
    updated_at: datetime


class ApiKey(Model, frozen=True):
    """What is known about a key: never the key itself or its hash. ``prefix`` is its first 12 characters."""

    id: str
    user_id: str
    name: str | None
    prefix: str
    created_at: datetime
    last_used: datetime | None
    expires_at: datetime | None


class IssuedKey(Model, frozen=True):
    """A new key: ``secret`` is the whole key. It is shown only once, stored nowhere, and not in any repr."""

    secret: str
    api_key: ApiKey

    def __repr__(self) -> str:
        return f"IssuedKey(secret=***, api_key={self.api_key!r})"

    __str__ = __repr__

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("secret", "***"), ("api_key", self.api_key)]


class TreeNode(Model, frozen=True):
    """A task in a tree; ``depth`` is 0 for the root."""

    depth: int
    task: TaskState


class Tree(Model, frozen=True):
    """A task and its descendants, parents before children, siblings by creation; ``truncated``: some are deeper."""

    nodes: list[TreeNode]
    truncated: bool


class Page(Struct, Generic[T], frozen=True):
    """One page of a list; ``next`` is the cursor for the next page, None on the last."""

    items: list[T]
    next: str | None


class Progress(Model, frozen=True):
    """The progress of a task's children; ``counts`` has every status, for the latest state of each task_id."""

    counts: dict[str, int]

    @property
    def total(self) -> int:
        """All children, by the latest state of each task_id."""
        return sum(self.counts.values())

    @property
    def running(self) -> int:
        """Children that are RUNNING, WAITING or PAUSED."""
        return self.counts["RUNNING"] + self.counts["WAITING"] + self.counts["PAUSED"]

    @property
    def terminal(self) -> int:
        """Children that are finished: SUCCESS, FAILED, TIMED_OUT or CANCELED."""
        return sum(self.counts[status] for status in TERMINAL)

    @property
    def completion_rate(self) -> float:
        """SUCCESS / total, 0.0 to 1.0; 0.0 if there are none."""
        return self.counts["SUCCESS"] / self.total if self.total else 0.0

    @property
    def failure_rate(self) -> float:
        """(FAILED + TIMED_OUT) / total, 0.0 to 1.0; 0.0 if there are none."""
        return (self.counts["FAILED"] + self.counts["TIMED_OUT"]) / self.total if self.total else 0.0

    def overall(self, strategy: Strategy = "wait_all") -> Status:
        """The parent's status by this strategy. Raises ValueError for an unknown strategy."""
        if strategy not in STRATEGIES:
            raise ValueError(f"unknown strategy {strategy!r}: use one of {', '.join(STRATEGIES)}")
        succeeded, done = self.counts["SUCCESS"], self.terminal == self.total
        if not self.total:
            return "PENDING"
        if strategy == "race" and (succeeded or done):
            return "SUCCESS" if succeeded else "FAILED"
        if strategy == "best_effort" and done:
            return "SUCCESS" if succeeded else "FAILED"
        if strategy == "fail_fast" and self.counts["FAILED"] + self.counts["TIMED_OUT"]:
            return "FAILED"
        if succeeded == self.total:
            return "SUCCESS"
        if done:
            return "FAILED"
        return "PENDING" if self.counts["PENDING"] == self.total else "RUNNING"
