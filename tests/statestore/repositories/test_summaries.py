"""Executions and tasks without what they hold: the same filters, order and pages as the lists that hold all of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from diglot.errors import InvalidValue
from diglot.statestore.database import Database
from diglot.statestore.models import StateError, TaskState, TaskSummary, WorkflowState, WorkflowSummary
from diglot.statestore.repositories.tasks import MOST_SUMMARIES


@pytest.fixture
def filled(db: Database) -> Database:
    """Five executions of two workflows, the first with a task and its four children."""
    for number in range(5):
        status: Any = "FAILED" if number % 2 else "SUCCESS"
        state = WorkflowState(f"w{number}", f"flow{number % 2}", status, input={"large": "x" * 1000})
        db.workflows.upsert(state)
    db.tasks.upsert(TaskState("w0", "root", "root", "flow0", "task", "RUNNING", "collection"))
    for number in range(4):
        child = TaskState(
            "w0", f"c{number}", f"c{number}", "flow0", "tool", "SUCCESS", "basic", "root", None, None, "t"
        )
        failed = child.replace(status="FAILED", error=StateError("no", "NO"))
        db.tasks.upsert(failed if number == 3 else child)
    return db


def summary(state: Any, kind: type[Any]) -> Any:
    return kind(**{field: getattr(state, field) for field in kind.__struct_fields__})


@pytest.mark.parametrize("filters", [{}, {"status": "FAILED"}, {"workflow_id": "flow0"}], ids=str)
def test_executions_are_those_of_the_list_page_by_page(filled: Database, filters: dict[str, Any]) -> None:
    after = None
    for _ in range(3):
        whole = filled.workflows.list(**filters, limit=2, after=after)
        page = filled.workflows.summaries(**filters, limit=2, after=after)
        assert page.items == [summary(state, WorkflowSummary) for state in whole.items]
        assert page.next == whole.next
        after = page.next
        if after is None:
            break
    assert after is None


@pytest.mark.parametrize("filters", [{}, {"status": "FAILED"}, {"parent_state_id": "root"}], ids=str)
def test_tasks_are_those_of_the_list_page_by_page(filled: Database, filters: dict[str, Any]) -> None:
    after = None
    for _ in range(3):
        whole = filled.tasks.list(workflow_exec_id="w0", **filters, limit=2, after=after)
        page = filled.tasks.summaries("w0", **filters, limit=2, after=after)
        assert page.items == [summary(state, TaskSummary) for state in whole.items]
        assert page.next == whole.next
        after = page.next
        if after is None:
            break
    assert after is None


def test_they_hold_no_documents() -> None:
    for kind in (WorkflowSummary, TaskSummary):
        assert not {"input", "output", "usage"} & {field.name for field in msgspec.structs.fields(kind)}


def test_a_page_of_tasks_may_be_large_but_not_without_bound(filled: Database) -> None:
    assert len(filled.tasks.summaries("w0", limit=MOST_SUMMARIES).items) == 5
    with pytest.raises(InvalidValue, match="from 1 to 10000"):
        filled.tasks.summaries("w0", limit=MOST_SUMMARIES + 1)
    with pytest.raises(InvalidValue, match=r"from 1 to 1000$"):
        filled.workflows.summaries(limit=1001)
