"""Completing an execution: once, by the root tasks, and never with an output of a state that is gone."""

import threading

import pytest

from diglot.statestore.errors import WorkflowNotReady
from diglot.statestore.models import StateError
from diglot.statestore.repositories.completion import TRANSFORMATION_FAILED


def test_without_tasks_it_succeeds(db, workflow, clock):
    before = workflow("w1")
    clock.forward(seconds=1)
    done = db.workflows.complete("w1")
    assert done == before.replace(status="SUCCESS", output={}, version=2, updated_at=clock.now)
    assert db.workflows.get("w1", with_tasks=False) == done


STATUSES = [
    (["SUCCESS", "SUCCESS"], "SUCCESS"),
    (["SUCCESS", "FAILED"], "FAILED"),
    (["TIMED_OUT", "SUCCESS"], "FAILED"),
    (["CANCELED"], "FAILED"),
]


@pytest.mark.parametrize(("roots", "status"), STATUSES, ids=["-".join(s[0]) for s in STATUSES])
def test_the_root_tasks_decide(db, workflow, task, roots, status):
    workflow("w1")
    for i, root in enumerate(roots):
        task(f"t{i}", status=root)
    assert db.workflows.complete("w1").status == status


@pytest.mark.parametrize("unfinished", ["PENDING", "RUNNING", "WAITING", "PAUSED"])
@pytest.mark.parametrize("transform", [None, lambda state: {}], ids=["plain", "transform"])
def test_it_is_not_ready_while_a_root_is_not_finished(db, workflow, task, unfinished, transform):
    before = workflow("w1")
    task("t1", status="FAILED")
    task("t2", status=unfinished)
    with pytest.raises(WorkflowNotReady, match=f"task t2 is {unfinished}"):
        db.workflows.complete("w1", transform)
    assert db.workflows.get("w1", with_tasks=False) == before


def test_only_the_latest_state_of_a_root_counts(db, workflow, task):
    workflow("w1")
    task("t1", task_id="a", status="FAILED")
    task("t2", task_id="a", status="SUCCESS")
    assert db.workflows.complete("w1").status == "SUCCESS"


def test_children_do_not_decide(db, workflow, task):
    workflow("w1")
    task("t1", status="SUCCESS", execution_type="parallel")
    task("t2", status="RUNNING", parent_state_id="t1")
    assert db.workflows.complete("w1").status == "SUCCESS"


def test_a_child_with_the_task_id_of_a_root_does_not_hide_it(db, workflow, task):
    workflow("w1")
    task("t1", task_id="a", status="FAILED")
    task("t2", task_id="b", status="SUCCESS")
    task("t3", task_id="a", status="SUCCESS", parent_state_id="t2")
    assert db.workflows.complete("w1").status == "FAILED"


def test_the_output_is_that_of_the_latest_tasks(db, workflow, task):
    workflow("w1")
    task("t1", task_id="a", status="FAILED", output={"old": 1})
    task("t2", task_id="a", status="SUCCESS", output={"new": [1]}, execution_type="collection")
    task("t3", task_id="b", status="SUCCESS", parent_state_id="t2")
    assert db.workflows.complete("w1").output == {
        "a": {"output": {"new": [1]}, "execution_type": "collection"},
        "b": {"output": None, "parent_state_id": "t2"},
    }


def test_an_output_of_64_levels_still_fits(db, workflow, task):
    deep = {}
    for _ in range(63):
        deep = {"x": deep}
    workflow("w1")
    task("t1", status="SUCCESS", output=deep)
    done = db.workflows.complete("w1")
    assert done.output == {"t1": {"output": deep}}
    assert db.workflows.save(done).output == done.output


@pytest.mark.parametrize("status", ["SUCCESS", "FAILED", "TIMED_OUT", "CANCELED"])
def test_what_has_ended_comes_back_unchanged(db, workflow, task, status):
    ended = workflow("w1", status=status, output={"kept": True})
    task("t1", status="RUNNING")
    assert db.workflows.complete("w1") == ended
    assert db.workflows.complete("w1", lambda state: {"other": 1}) == ended
    assert db.workflows.get("w1", with_tasks=False) == ended


def test_a_transform_gets_the_state_with_its_tasks_and_makes_the_output(db, workflow, task):
    workflow("w1", input={"n": 2})
    root = task("t1", status="SUCCESS", output={"x": 20})
    seen = []

    def transform(state):
        seen.append(state)
        return {"sum": state.input["n"] + state.tasks["t1"].output["x"]}

    done = db.workflows.complete("w1", transform)
    assert (done.status, done.output, done.error) == ("SUCCESS", {"sum": 22}, None)
    assert [state.tasks for state in seen] == [{"t1": root}]


def test_a_transform_that_gives_nothing_leaves_the_default_output(db, workflow, task):
    workflow("w1")
    task("t1", status="SUCCESS", output={"x": 1})
    assert db.workflows.complete("w1", lambda state: None).output == {"t1": {"output": {"x": 1}}}


BROKEN = [
    ("raises", lambda state: {}["no\0thing\ud800"], "KeyError"),
    ("gives no object", lambda state: [1], "a JSON object"),
    ("gives no JSON", lambda state: {"x": float("nan")}, r"output\.x: nan"),
]


@pytest.mark.parametrize(("transform", "message"), [b[1:] for b in BROKEN], ids=[b[0] for b in BROKEN])
def test_a_transform_that_fails_fails_the_execution_with_the_default_output(db, workflow, task, transform, message):
    workflow("w1")
    task("t1", status="SUCCESS", output={"x": 1})
    done = db.workflows.complete("w1", transform)
    assert (done.status, done.output, done.error.code) == (
        "FAILED",
        {"t1": {"output": {"x": 1}}},
        TRANSFORMATION_FAILED,
    )
    assert message.replace("\\", "") in done.error.message
    assert db.workflows.get("w1", with_tasks=False) == done


def test_an_error_that_was_there_stays(db, workflow):
    workflow("w1", error=StateError("before"))
    assert db.workflows.complete("w1").error == StateError("before")


def test_a_transform_runs_outside_of_the_lock_and_again_when_the_state_has_changed(db, workflow, task):
    workflow("w1")
    task("t1", status="SUCCESS", output={"x": 1})
    seen = []

    def transform(state):
        seen.append((state.input, state.tasks["t1"].output))
        if len(seen) == 1:  # somebody else changes the execution meanwhile: no lock may be in the way
            in_another_thread(lambda: workflow("w1", input={"n": 1}))
        if len(seen) == 2:  # … or one of its tasks
            in_another_thread(lambda: task("t1", status="SUCCESS", output={"x": 2}))
        return {"runs": len(seen)}

    assert db.workflows.complete("w1", transform).output == {"runs": 3}
    assert seen == [(None, {"x": 1}), ({"n": 1}, {"x": 1}), ({"n": 1}, {"x": 2})]


def test_of_many_that_complete_at_once_one_does(db, workflow, task):
    workflow("w1")
    task("t1", status="SUCCESS")
    done = []
    threads = [threading.Thread(target=lambda: done.append(db.workflows.complete("w1"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 6
    assert {state.version for state in done} == {2}


def in_another_thread(call):
    thread = threading.Thread(target=call)
    thread.start()
    thread.join(20)
    assert not thread.is_alive(), "the other thread waits for a lock"
