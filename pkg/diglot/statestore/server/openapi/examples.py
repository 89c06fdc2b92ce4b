"""An example for each schema and each id in the description, built from the models themselves: it can't go stale."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Litestar
from litestar.openapi.spec import Example, OpenAPI, Operation, Parameter, PathItem

from diglot._version import __version__
from diglot.statestore.models import (
    STATUSES,
    ApiKey,
    IssuedKey,
    Page,
    StateError,
    TaskState,
    Tree,
    TreeNode,
    UsageEntry,
    User,
    WorkflowState,
)
from diglot.statestore.server.problems import TIMED_OUT
from diglot.statestore.server.routes import bodies
from diglot.statestore.server.routes.health import Alive, Readiness, Report
from diglot.statestore.server.routes.tasks import ProgressReport
from diglot.stores.store import Check

_AT = datetime(2026, 1, 31, 9, 5, 7, 123, tzinfo=UTC)
RUN, TASK, USER, KEY = (f"01987b2c-4c1e-7d0a-9f3e-5a6b7c8d9e0{digit}" for digit in "abcd")
_TOKENS: dict[str, Any] = {"provider": "openai", "model": "gpt-4o", "prompt_tokens": 120, "completion_tokens": 30}
_USAGE = [UsageEntry(**_TOKENS, total_tokens=150)]
_FAILURE: dict[str, Any] = {"message": "the page was not found", "code": "HTTP_404"}
_WORKFLOW = WorkflowState(
    RUN, "nightly-report", "RUNNING", _USAGE, {"date": "2026-01-31"}, version=2, created_at=_AT, updated_at=_AT
)
_OF_TASK: dict[str, Any] = {"workflow_exec_id": RUN, "task_id": "fetch", "workflow_id": "nightly-report"}
_STATE = TaskState(
    **_OF_TASK,
    task_exec_id=TASK,
    component="task",
    status="FAILED",
    error=StateError(**_FAILURE),
    version=1,
    created_at=_AT,
    updated_at=_AT,
)
_ADA = User(USER, "ada@example.org", "admin", _AT, _AT)
_API_KEY = ApiKey(KEY, USER, "laptop", "dgl_Yq3kXw8P", _AT, None, None)
_CHECK = Check("reachable", True, "SQLite 3.53.4", 0.05)
_COUNTS = dict.fromkeys(STATUSES, 0) | {"SUCCESS": 3, "RUNNING": 1}
_EXAMPLES: list[Any] = [
    Alive("ok", __version__),
    Readiness(False, ["migrated: 1 pending: run 'diglot migrate up'"]),
    Report(True, __version__, "sqlite", 3600.0, [_CHECK]),
    _CHECK,
    TIMED_OUT,
    _USAGE[0],
    StateError(**_FAILURE),
    _WORKFLOW,
    _STATE,
    _ADA,
    _API_KEY,
    IssuedKey("dgl_ and 49 characters, shown this once", _API_KEY),
    TreeNode(0, _STATE),
    Tree([TreeNode(0, _STATE)], truncated=False),
    ProgressReport(4, _COUNTS, 1, 3, 0.75, 0.0, "wait_all", "RUNNING"),
    bodies.UsageBody(**_TOKENS),
    bodies.ErrorBody(**_FAILURE),
    bodies.WorkflowBody("nightly-report", "RUNNING", input={"date": "2026-01-31"}),
    bodies.TaskBody(**_OF_TASK, component="task", status="RUNNING"),
    bodies.UsageAdded([bodies.UsageBody(**_TOKENS)]),
    bodies.KeyWanted("laptop", _AT),
    bodies.UserWanted("ada@example.org"),
    bodies.UserChanged(role="admin"),
]
_PARAMETERS: dict[str, tuple[str, str]] = {
    "exec_id": (RUN, "The execution's id."),
    "task_exec_id": (TASK, "The id of this execution of the task."),
    "workflow_exec_id": (RUN, ""),
    "workflow_id": ("nightly-report", "Only of this workflow."),
    "task_id": ("fetch", "Only of this task."),
    "parent_state_id": (TASK, "Only the children of this task state."),
    "agent_id": ("researcher", "Only of this agent."),
    "action_id": ("summarize", "Only with this action."),
    "tool_id": ("browser", "Only of this tool."),
    "status": ("RUNNING", "Only with this status."),
    "execution_type": ("basic", "Only of this type."),
    "strategy": ("wait_all", "When the children count as successful."),
}
"""By name: an example, and a description if there is no other."""
_BY_NAME = {type(example).__name__: example for example in _EXAMPLES}


def with_examples(app: Litestar) -> None:
    """Adds an example of each schema to the description."""
    document = app.openapi_schema
    for name, schema in document.components.schemas.items():
        schema.examples = [example(name)]
    for operation, parameter in parameters(document):
        known = _PARAMETERS.get(parameter.name)
        if parameter.name == "id":
            known = (KEY, "The key's id.") if "Keys" in (operation.tags or ()) else (USER, "The user's id.")
        if known is not None:
            value, description = known
            parameter.examples = {"example": Example(value=value)}
            parameter.description = parameter.description or description


def parameters(document: OpenAPI) -> Iterator[tuple[Operation, Parameter]]:
    """Each parameter of each operation."""
    for item in (document.paths or {}).values():
        for operation in operations(item):
            for parameter in operation.parameters or ():
                if isinstance(parameter, Parameter):
                    yield operation, parameter


def operations(item: PathItem) -> list[Operation]:
    """The operations of a path."""
    return [one for one in (item.get, item.put, item.post, item.patch, item.delete) if one is not None]


def example(schema: str) -> Any:
    """The example for a schema, by its name in the description, as plain JSON values."""
    if schema.startswith("Page_"):
        return msgspec.to_builtins(Page([_BY_NAME[schema.rstrip("_").rpartition(".")[2]]], None))
    return msgspec.to_builtins(_BY_NAME[schema])
