"""The data that everybody is asked about: made from numbers, so that it is the same in every run and on both databases.

Execution 0 is a tree of 1,000 tasks on three levels, execution 1 a parent with 100 children, execution 2 the batch
that is written again and again; the others are ordinary: 50 tasks each, with JSON of a few hundred bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from diglot.statestore.models import STATUSES, StateError, TaskState, UsageEntry, WorkflowState

TREE, PARENT, BATCH = 0, 1, 2
ORDINARY = 3
"""The first of the ordinary executions."""
TASKS_EACH = 50
_BEGIN = datetime(2026, 1, 31, 9, 5, 7, 123, tzinfo=UTC)


class Data(NamedTuple):
    """How much there is. ``secret`` is the API key of the only user."""

    executions: int
    tree: int
    children: int
    batch: int
    secret: str = ""

    @property
    def ordinary(self) -> range:
        return range(ORDINARY, self.executions)

    def workflows(self) -> Iterator[WorkflowState]:
        for number in range(self.executions):
            yield workflow(number)

    def tasks(self) -> Iterator[TaskState]:
        """Every task, parents before their children."""
        groups = max(1, self.tree // 111)
        for number in range(self.tree):
            parent = None if number == 0 else 0 if number <= groups else 1 + number % groups
            yield task(TREE, number, parent=parent, collection=number <= groups)
        for number in range(self.children + 1):
            yield task(PARENT, number, parent=None if number == 0 else 0, collection=number == 0)
        yield from self.batch_of_tasks()
        for execution in self.ordinary:
            for number in range(TASKS_EACH):
                yield task(execution, number)

    def batch_of_tasks(self) -> list[TaskState]:
        return [task(BATCH, number) for number in range(self.batch)]


FULL = Data(executions=300, tree=1000, children=100, batch=1000)
SMALL = Data(executions=75, tree=60, children=12, batch=40)


def workflow_id(number: int) -> str:
    return f"01980000-0000-7000-8000-{number:012x}"


def task_id(execution: int, number: int) -> str:
    return f"01980000-0000-7000-9{execution % 4096:03x}-{number:012x}"


def workflow(number: int) -> WorkflowState:
    created_at = _BEGIN + timedelta(seconds=number)
    return WorkflowState(
        workflow_exec_id=workflow_id(number),
        workflow_id=f"pipeline-{number % 7}",
        status=STATUSES[4 + number % 4] if number % 10 == 9 else "SUCCESS",  # type: ignore[arg-type]
        input={"dataset": f"s3://bucket/run-{number}", "sample": number, "options": {"strict": True, "threads": 8}},
        output={"records": number * 17, "quality": number / 3, "labels": ["alpha", "beta", "γ"]},
        version=1,
        created_at=created_at,
        updated_at=created_at + timedelta(minutes=5),
    )


def task(execution: int, number: int, *, parent: int | None = None, collection: bool = False) -> TaskState:
    created_at = _BEGIN + timedelta(seconds=execution, milliseconds=number)
    failed = number % 25 == 24
    by_agent = number % 2 == 1 and not collection
    return TaskState(
        workflow_exec_id=workflow_id(execution),
        task_exec_id=task_id(execution, number),
        # In the children of execution 1 a tenth has been tried twice.
        task_id=f"step-{number % 90 if execution == PARENT else number}",
        workflow_id=f"pipeline-{execution % 7}",
        component="task",
        status="FAILED" if failed else "SUCCESS",
        execution_type="collection" if collection else "basic",
        parent_state_id=None if parent is None else task_id(execution, parent),
        agent_id="summariser" if by_agent else None,
        action_id="summarise" if by_agent else None,
        tool_id=None if by_agent or collection else "fastqc",
        usage=[usage(number)] if by_agent else None,
        input=document(number),
        output=None if failed else {"text": f"result {number}: naïve café", "score": number / 7, "lines": [1, 2, 3]},
        error=StateError("the tool ended with 1", "TOOL_FAILED", {"exit": 1}) if failed else None,
        version=1,
        created_at=created_at,
        updated_at=created_at + timedelta(seconds=30),
    )


def document(number: int) -> dict[str, Any]:
    """An input of about 250 bytes."""
    return {
        "files": [f"/data/sample-{number}/{part}.fastq.gz" for part in ("left", "right")],
        "parameters": {"min_length": 36, "quality": 20.5, "adapters": ["AGATCGGAAGAGC", "CTGTCTCTTATA"], "trim": True},
        "note": f"sample {number} of the run",
        "attempt": number % 3,
    }


def usage(number: int) -> UsageEntry:
    return UsageEntry(
        provider="anthropic",
        model="opus",
        prompt_tokens=1000 + number,
        completion_tokens=200 + number,
        total_tokens=1200 + 2 * number,
        cached_prompt_tokens=number,
        agent_ids=["summariser"],
    )


def changed(state: TaskState, step: int) -> TaskState:
    """The task as an engine would write it next: RUNNING without output, or SUCCESS with one."""
    if step % 2:
        return state.replace(status="RUNNING", output=None, error=None)
    return state.replace(status="SUCCESS", output={"text": f"result {step}", "score": step / 9}, error=None)
