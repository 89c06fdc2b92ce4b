"""How a workflow execution ends: its status and output, from the latest states of its tasks. Uses no database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from diglot.sql.canonical_json import dumps
from diglot.sql.encoding import EncodedJson, check_size
from diglot.statestore.errors import WorkflowNotReady
from diglot.statestore.models import TERMINAL, StateError, Status, TaskState, WorkflowState
from diglot.statestore.repositories.rows import TaskStatus
from diglot.statestore.repositories.validation import WORKFLOW_OUTPUT_DEPTH, check_object

Transform = Callable[[WorkflowState], dict[str, Any] | None]
TRANSFORMATION_FAILED = "OUTPUT_TRANSFORMATION_FAILED"


class Outcome(msgspec.Struct, frozen=True):
    """How it ended; ``output`` is checked and encoded."""

    status: Status
    output: EncodedJson
    error: StateError | None


def final_status(exec_id: str, roots: Sequence[TaskStatus], *, any_tasks: bool) -> Status:
    """SUCCESS or FAILED, by the latest states of the root tasks. Raises WorkflowNotReady while one is not terminal.

    Also raises WorkflowNotReady if there are tasks but no root: in old data, parents may form a ring. Then neither
    SUCCESS nor FAILED is known to be true, and both are final; once the ring is fixed, the execution can be completed.
    """
    if any_tasks and not roots:
        raise WorkflowNotReady(
            f"workflow execution {exec_id!r} is not ready: it has tasks, but none without a parent, so their parents "
            "form a ring: write one of them with parent_state_id null"
        )
    unfinished = [f"{task.task_id} is {task.status}" for task in roots if task.status not in TERMINAL]
    if unfinished:
        more = f" and {len(unfinished) - 3} more" if len(unfinished) > 3 else ""
        raise WorkflowNotReady(
            f"workflow execution {exec_id!r} is not ready: task {', task '.join(unfinished[:3])}{more}"
        )
    return "SUCCESS" if all(task.status == "SUCCESS" for task in roots) else "FAILED"


def default_output(tasks: Mapping[str, TaskState], most: int) -> EncodedJson:
    """``{task_id: {"output": …, "parent_state_id"?: …, "execution_type"?: …}}``; the type if it is not basic.

    Raises TooLarge if that is more than ``most`` bytes: the outputs of tasks may be too large only in total.
    """
    output: dict[str, Any] = {}
    for task_id, task in tasks.items():
        entry: dict[str, Any] = {"output": task.output}
        if task.parent_state_id is not None:
            entry["parent_state_id"] = task.parent_state_id
        if task.execution_type != "basic":
            entry["execution_type"] = task.execution_type
        output[task_id] = entry
    return _encoded(output, most, "these are the outputs of all tasks; complete it with a transform that keeps less")


def _encoded(output: dict[str, Any], most: int, hint: str = "") -> EncodedJson:
    text = dumps(output, "output", max_depth=WORKFLOW_OUTPUT_DEPTH)
    check_size(text, "output", most, hint)
    return EncodedJson(text)


def transformed(state: WorkflowState, status: Status, transform: Transform, most: int) -> Outcome:
    """The outcome with the caller's output; FAILED, with the default output, if the transform raises.

    An output of more than ``most`` bytes counts as a transform that raises TooLarge.
    """
    tasks = state.tasks or {}
    try:
        output = check_object(transform(state), "output", WORKFLOW_OUTPUT_DEPTH)
        if output is None:
            return Outcome(status, default_output(tasks, most), None)
        return Outcome(status, _encoded(output, most), None)
    except Exception as error:
        failure = StateError(message=_described(error), code=TRANSFORMATION_FAILED)
        return Outcome("FAILED", default_output(tasks, most), failure)


def _described(error: Exception) -> str:
    """The text of the caller's exception, without characters that a database can't store."""
    try:
        message = str(error)
    except Exception:
        message = "its message can't be read"
    return f"{type(error).__name__}: {message}".replace("\0", "\ufffd").encode("utf-8", "replace").decode()
