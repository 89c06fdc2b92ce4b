"""An example of each schema of the description: made of the models themselves, so it can't go stale."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Litestar

from diglot._version import __version__
from diglot.models import (
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
from diglot.server import bodies
from diglot.server.health import Alive, Readiness, Report
from diglot.server.problems import TIMED_OUT
from diglot.server.tasks import ProgressReport
from diglot.stores.session import Check

_AT = datetime(2026, 1, 31, 9, 5, 7, 123, tzinfo=UTC)
_RUN, _TASK, _USER = (f"01987b2c-4c1e-7d0a-9f3e-5a6b7c8d9e0{digit}" for digit in "abc")
_TOKENS: dict[str, Any] = {"provider": "openai", "model": "gpt-4o", "prompt_tokens": 120, "completion_tokens": 30}
_USAGE = [UsageEntry(**_TOKENS, total_tokens=150)]
_FAILURE: dict[str, Any] = {"message": "the page was not found", "code": "HTTP_404"}
_WORKFLOW = WorkflowState(
    _RUN, "nightly-report", "RUNNING", _USAGE, {"date": "2026-01-31"}, version=2, created_at=_AT, updated_at=_AT
)
_OF_TASK: dict[str, Any] = {"workflow_exec_id": _RUN, "task_id": "fetch", "workflow_id": "nightly-report"}
_STATE = TaskState(
    **_OF_TASK,
    task_exec_id=_TASK,
    component="task",
    status="FAILED",
    error=StateError(**_FAILURE),
    version=1,
    created_at=_AT,
    updated_at=_AT,
)
_ADA = User(_USER, "ada@example.org", "admin", _AT, _AT)
_KEY = ApiKey("01987b2c-4c1e-7d0a-9f3e-5a6b7c8d9e0d", _USER, "laptop", "dgl_Yq3kXw8P", _AT, None, None)
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
    _KEY,
    IssuedKey("dgl_ and 49 characters, shown this once", _KEY),
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
_BY_NAME = {type(example).__name__: example for example in _EXAMPLES}


def with_examples(app: Litestar) -> None:
    """Completes the description with an example of each schema."""
    for name, schema in app.openapi_schema.components.schemas.items():
        schema.examples = [example(name)]


def example(schema: str) -> Any:
    """The example of a schema by its name in the description, as plain JSON values."""
    if schema.startswith("Page_"):
        return msgspec.to_builtins(Page([_BY_NAME[schema.rstrip("_").rpartition(".")[2]]], None))
    return msgspec.to_builtins(_BY_NAME[schema])
