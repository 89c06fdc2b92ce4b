"""Whether all contenders say the same: their answers, each in its own form, brought into one that can be compared.

Only the time of a write, which is each one's own, is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any

import msgspec

from benchmarks.contenders import TITLES, Contender, Kind
from benchmarks.data import Data
from benchmarks.operations import Operation
from diglot.statestore.models import Page, Progress, StateError, TaskState, Tree, UsageEntry, WorkflowState


class DifferentAnswers(Exception):
    """Two contenders do not do the same job, so comparing their times would mean nothing."""


def compare(
    operation: Operation, contenders: Mapping[Kind, Contender], data: Data, calls: int, *, after_writes: bool = False
) -> int:
    """Ask all of them the first ``calls`` questions; how many were asked. DifferentAnswers where one says otherwise.

    ``after_writes``: the tasks were written by each of them, so their ``updated_at`` is not compared.
    """
    plain: Callable[[Any], Any] = _written_task if after_writes else _PLAIN[operation.method]
    questions = {kind: operation.arguments(contender, data)[:calls] for kind, contender in contenders.items()}
    for number in range(len(questions["hand"])):
        answers = {
            kind: plain(getattr(contender, operation.method)(*questions[kind][number]))
            for kind, contender in contenders.items()
        }
        for kind, answer in answers.items():
            if answer != answers["hand"]:
                raise DifferentAnswers(
                    f"{operation.name}, question {number}: {TITLES[kind]} answers {_short(answer)} "
                    f"where the hand-written code answers {_short(answers['hand'])}"
                )
    return len(questions["hand"])


def _task(answer: Any) -> dict[str, Any]:
    return _state(answer, TaskState)


def _written_task(answer: Any) -> dict[str, Any]:
    return _task(answer) | {"updated_at": None}


def _workflow(answer: Any) -> dict[str, Any]:
    return _state(answer, WorkflowState)


def _state(answer: Any, model: type[TaskState] | type[WorkflowState]) -> dict[str, Any]:
    names = [name for name in model.__struct_fields__ if name != "tasks"]
    found = {name: getattr(answer, name) for name in names}
    found["usage"] = msgspec.convert(msgspec.to_builtins(found["usage"]), list[UsageEntry] | None)
    found["error"] = msgspec.convert(msgspec.to_builtins(found["error"]), StateError | None)
    for name in ("created_at", "updated_at"):
        found[name] = found[name].astimezone(UTC).isoformat()
    return found


def _stored(answer: Any) -> dict[str, Any]:
    assert answer.updated_at >= answer.created_at
    return {"version": answer.version, "created_at": answer.created_at.astimezone(UTC).isoformat()}


def _page_of(plain: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def page(answer: Any) -> Any:
        items, following = (answer.items, answer.next) if isinstance(answer, Page) else answer
        return [plain(item) for item in items], following is not None

    return page


def _tree(answer: Any) -> Any:
    if isinstance(answer, Tree):
        return [(node.depth, _task(node.task)) for node in answer.nodes]
    return [(row[0], _task(row[1] if len(row) == 2 else row)) for row in answer]


def _progress(answer: Any) -> dict[str, int]:
    counts = answer.counts if isinstance(answer, Progress) else answer
    return {status: count for status, count in counts.items() if count}


def _workflow_with_tasks(answer: Any) -> Any:
    workflow, tasks = (answer, answer.tasks or {}) if isinstance(answer, WorkflowState) else answer
    return _workflow(workflow), {task_id: _task(task) for task_id, task in tasks.items()}


def _user(answer: Any) -> dict[str, Any]:
    return {name: getattr(answer, name) for name in ("email", "role")}


_PLAIN: dict[str, Callable[[Any], Any]] = {
    "get_task": _task,
    "upsert_task": _stored,
    "list_tasks": _page_of(_task),
    "list_workflows": _page_of(_workflow),
    "upsert_tasks": int,
    "tree": _tree,
    "progress": _progress,
    "workflow_with_tasks": _workflow_with_tasks,
    "lock_and_save": _stored,
    "authenticate": _user,
}


def _short(answer: Any) -> str:
    text = repr(answer)
    return text if len(text) <= 300 else f"{text[:300]}…"
