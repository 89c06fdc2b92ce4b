"""How large a document may be: the same on every database and with both SQLite libraries, and the same error."""

from __future__ import annotations

from typing import Any

import pytest

from diglot import statestore
from diglot.database import utc_now
from diglot.errors import ConfigurationError, TooLarge
from diglot.sql.canonical_json import dumps
from diglot.sql.encoding import MAX_DOCUMENT, MAX_DOCUMENT_LIMIT, MIN_DOCUMENT_LIMIT
from diglot.sql.loader import load_text
from diglot.statestore.database import Database, packaged_queries
from diglot.statestore.models import StateError, TaskState, UsageEntry, WorkflowState
from tests.databases import MEMORY
from tests.statestore.repositories.conftest import Make

SMALL = MIN_DOCUMENT_LIMIT


def sized(name: str, size: int, letter: str = "x") -> Any:
    """The value of a field whose JSON text has so many bytes."""

    def of(text: str) -> Any:
        if name == "usage":
            return [UsageEntry(provider="p", model="m", source=text)]
        return StateError(message=text) if name == "error" else {"a": text}

    room = size - len(dumps(of("-"), name).encode()) + 1
    width = len(letter.encode())
    value = of(letter * (room // width) + "-" * (room % width))
    assert len(dumps(value, name).encode()) == size
    return value


@pytest.fixture
def small(db: Database) -> Database:
    """The database with the smallest limit."""
    return Database(
        db.store,
        packaged_queries(db.store.dialect, SMALL),
        clock=utc_now,
    )


def test_the_largest_documents_are_kept_all_four_in_one_row(db: Database) -> None:
    fields = {name: sized(name, MAX_DOCUMENT) for name in ("usage", "input", "output", "error")}
    db.workflows.upsert(WorkflowState("w1", "flow", "RUNNING", **fields))
    found = db.workflows.get("w1", with_tasks=False)
    assert all(getattr(found, name) == value for name, value in fields.items())


def test_large_documents_are_kept_in_one_batch(db: Database, workflow: Make) -> None:
    """A batch is sent in a pipeline, whose end waits until the socket has taken all of it."""
    workflow("w1")
    output = sized("output", MAX_DOCUMENT)
    states = [TaskState("w1", id, "t", "flow", "task", "SUCCESS", output=output) for id in ("t1", "t2")]
    db.tasks.upsert_many(states)
    with db.transaction() as tx:
        tx.tasks.upsert(TaskState("w1", "t3", "t", "flow", "task", "SUCCESS", output=output))
    assert all(task.output == output for task in db.tasks.get_many(["t1", "t2", "t3"]))


@pytest.mark.parametrize("name", ["usage", "input", "output", "error"])
@pytest.mark.parametrize("letter", ["x", "ä", "😀"])
def test_one_byte_more_is_too_large(name: str, letter: str, small: Database) -> None:
    small.workflows.upsert(WorkflowState("w1", "flow", "RUNNING", **{name: sized(name, SMALL, letter)}))
    small.tasks.upsert(TaskState("w1", "t1", "t", "flow", "task", "RUNNING", **{name: sized(name, SMALL, letter)}))
    value = sized(name, SMALL + 1, letter)
    state = WorkflowState("w2", "flow", "RUNNING", **{name: value})
    task = TaskState("w1", "t2", "t", "flow", "task", "RUNNING", **{name: value})
    writes = [
        lambda: small.workflows.upsert(state),
        lambda: small.workflows.save(state),
        lambda: small.tasks.upsert(task),
        lambda: small.tasks.save(task),
    ]
    for write in writes:
        with pytest.raises(TooLarge) as refused:
            write()
        assert str(refused.value) == f"{name}: it has 65,537 bytes, and max_document allows 65,536"
        assert refused.value.path == name
    with pytest.raises(TooLarge) as refused:
        small.tasks.upsert_many([TaskState("w1", "t3", "t", "flow", "task", "RUNNING"), task])
    assert refused.value.path == f"states[1].{name}"
    assert [state.workflow_exec_id for state in small.workflows.list().items] == ["w1"]
    assert [task.task_exec_id for task in small.tasks.list().items] == ["t1"]


def test_usage_that_grows_too_large_changes_nothing(small: Database, workflow: Make) -> None:
    workflow("w1")
    small.workflows.merge_usage("w1", sized("usage", SMALL))
    with pytest.raises(TooLarge, match="usage: it has 65,645 bytes"):
        small.workflows.merge_usage("w1", [UsageEntry(provider="p", model="other", source="another")])
    assert small.workflows.get("w1", with_tasks=False).usage == sized("usage", SMALL)


def test_outputs_that_are_too_large_together_need_a_transform(small: Database, workflow: Make, task: Make) -> None:
    workflow("w1")
    for id in ("a", "b"):
        task(id, status="SUCCESS", output=sized("output", SMALL - 100))
    with pytest.raises(TooLarge, match=r"max_document allows 65,536: .* complete it with a transform that keeps less"):
        small.workflows.complete("w1")
    assert small.workflows.get("w1", with_tasks=False).status == "RUNNING"
    done = small.workflows.complete("w1", lambda state: {"tasks": len(state.tasks or {})})
    assert (done.status, done.output) == ("SUCCESS", {"tasks": 2})


def test_a_transform_that_makes_too_much_has_failed(small: Database, workflow: Make, task: Make) -> None:
    workflow("w1")
    task("a", status="SUCCESS", output={"x": 1})
    done = small.workflows.complete("w1", lambda _: sized("output", SMALL + 1))
    assert (done.status, done.output) == ("FAILED", {"a": {"output": {"x": 1}}})
    assert done.error is not None
    assert done.error.message == "TooLarge: output: it has 65,537 bytes, and max_document allows 65,536"


@pytest.mark.parametrize(
    ("kind", "value"),
    [("text", "x" * 9), ("text", "ä" * 5), ("bytes", b"x" * 9), ("json", ["x" * 5]), ("text[]", ["", "x" * 9])],
)
def test_every_query_has_the_limit(kind: str, value: Any) -> None:
    source = f"-- name: q(v)!\n-- param: v {kind}\n-- Doc.\ndelete from t where x = :v;\n"
    for dialect in ("postgres", "sqlite"):
        query = load_text(source, dialect).q  # type: ignore[arg-type]
        query.bind({"v": value})
        limited = load_text(source, dialect, max_document=8).q  # type: ignore[arg-type]
        if kind == "text" and len(value) < 16:
            value = value * 10_000  # beyond what is short in every case
        with pytest.raises(TooLarge, match=r"v(\[1\])?: it has"):
            limited.bind({"v": value})


def test_the_limit_is_a_setting() -> None:
    with statestore.open(MEMORY, max_document=SMALL) as db:
        db.workflows.upsert(WorkflowState("w1", "flow", "RUNNING", input=sized("input", SMALL)))
        with pytest.raises(TooLarge):
            db.workflows.upsert(WorkflowState("w1", "flow", "RUNNING", input=sized("input", SMALL + 1)))
        with db.transaction() as tx, pytest.raises(TooLarge):
            tx.workflows.upsert(WorkflowState("w1", "flow", "RUNNING", input=sized("input", SMALL + 1)))
    for wrong in (SMALL - 1, MAX_DOCUMENT_LIMIT + 1, "8 MiB"):
        with pytest.raises(ConfigurationError, match=r"max_document.*a whole number of bytes from 65536 to 33554432"):
            statestore.open(MEMORY, max_document=wrong)
