"""How an execution ends, without a database: its status by its root tasks, its output by its tasks or the caller."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diglot.errors import InvalidValue
from diglot.statestore.errors import WorkflowNotReady
from diglot.statestore.models import STATUSES, TERMINAL, StateError, TaskState, WorkflowState
from diglot.statestore.repositories.completion import TRANSFORMATION_FAILED, default_output, final_status, transformed
from diglot.statestore.repositories.rows import TaskStatus
from tests.parity.strategies import MANY

STATE = WorkflowState("w1", "w", "RUNNING")
MOST = 1_000_000


def roots(*statuses):
    return [TaskStatus(f"task {i}", status) for i, status in enumerate(statuses)]


def task(task_id, **fields):
    return TaskState("w1", f"{task_id}-1", task_id, "w", "task", "SUCCESS", **fields)


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        ([], "SUCCESS"),
        (["SUCCESS", "SUCCESS"], "SUCCESS"),
        (["SUCCESS", "FAILED"], "FAILED"),
        (["TIMED_OUT"], "FAILED"),
        (["SUCCESS", "CANCELED"], "FAILED"),
    ],
)
def test_the_root_tasks_decide(statuses, status):
    assert final_status("w1", roots(*statuses), any_tasks=bool(statuses)) == status


@pytest.mark.parametrize("unfinished", sorted(set(STATUSES) - TERMINAL))
def test_one_that_is_not_finished_is_named(unfinished):
    with pytest.raises(WorkflowNotReady) as error:
        final_status("w1", roots("FAILED", unfinished), any_tasks=True)
    assert str(error.value) == f"workflow execution 'w1' is not ready: task task 1 is {unfinished}"


def test_of_many_that_are_not_finished_three_are_named():
    with pytest.raises(WorkflowNotReady, match=r"task task 0 is RUNNING, task task 1 .*, task task 2 .* and 2 more$"):
        final_status("w1", roots(*["RUNNING"] * 5), any_tasks=True)


def test_tasks_without_a_root_do_not_end_it():
    with pytest.raises(WorkflowNotReady, match="has tasks, but none without a parent, so their parents form a ring"):
        final_status("w1", [], any_tasks=True)


@MANY
@given(st.lists(st.sampled_from(STATUSES)))
def test_it_ends_exactly_when_every_root_has(statuses):
    if set(statuses) <= TERMINAL:
        assert final_status("w1", roots(*statuses), any_tasks=bool(statuses)) in ("SUCCESS", "FAILED")
    else:
        with pytest.raises(WorkflowNotReady):
            final_status("w1", roots(*statuses), any_tasks=bool(statuses))


def test_the_default_output_has_each_task_with_what_is_not_usual():
    tasks = {
        "a": task("a", output={"x": 1.0}),
        "b": task("b", parent_state_id="a-1", execution_type="collection"),
        "c": task("c", output={}),
    }
    assert json.loads(default_output(tasks, MOST)) == {
        "a": {"output": {"x": 1.0}},
        "b": {"output": None, "parent_state_id": "a-1", "execution_type": "collection"},
        "c": {"output": {}},
    }
    assert default_output({}, MOST) == "{}"


def test_a_transform_makes_the_output():
    outcome = transformed(STATE.replace(tasks={"a": task("a")}), "SUCCESS", lambda state: {"n": len(state.tasks)}, MOST)
    assert (outcome.status, json.loads(outcome.output), outcome.error) == ("SUCCESS", {"n": 1}, None)


def test_a_transform_that_gives_nothing_leaves_the_default_output():
    outcome = transformed(STATE.replace(tasks={"a": task("a")}), "FAILED", lambda state: None, MOST)
    assert (outcome.status, json.loads(outcome.output), outcome.error) == ("FAILED", {"a": {"output": None}}, None)


def raising(error):
    def transform(state):
        raise error

    return transform


class Broken(Exception):
    def __str__(self):
        raise RuntimeError("no")


FAILING = [
    ("it raises what can't be printed", raising(Broken()), "Broken: its message can't be read"),
    ("it raises", raising(ValueError("no\0thing")), "ValueError: no\ufffdthing"),
    ("it raises a lone surrogate", raising(RuntimeError("a\ud800")), "RuntimeError: a?"),
    ("no object", lambda state: [1], None),
    ("NaN", lambda state: {"a": float("nan")}, "InvalidValue: output.a: nan is not a JSON number"),
    ("67 levels", lambda state: {"a": deep(66)}, None),
]


def deep(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(("transform", "message"), [c[1:] for c in FAILING], ids=[c[0] for c in FAILING])
def test_a_transform_that_fails_fails_the_execution(transform, message):
    outcome = transformed(STATE.replace(tasks={"a": task("a")}), "SUCCESS", transform, MOST)
    assert (outcome.status, json.loads(outcome.output)) == ("FAILED", {"a": {"output": None}})
    assert outcome.error == StateError(message=message or outcome.error.message, code=TRANSFORMATION_FAILED)
    outcome.error.message.encode()


def test_an_interruption_of_a_transform_is_none_of_ours():
    with pytest.raises(KeyboardInterrupt):
        transformed(STATE, "SUCCESS", raising(KeyboardInterrupt()), MOST)


def test_tasks_whose_output_cant_be_kept_are_named():
    with pytest.raises(InvalidValue, match=r"^output\.a\.output\.x: "):
        default_output({"a": task("a", output={"x": float("inf")})}, MOST)
