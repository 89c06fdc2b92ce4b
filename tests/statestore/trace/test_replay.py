"""A replay on each database: what it leaves there, and what happens when it is cut short or disturbed."""

from __future__ import annotations

import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from diglot import statestore
from diglot.errors import StoreClosed
from diglot.statestore.database import Database
from diglot.statestore.errors import TaskNotFound, WorkflowNotReady
from diglot.statestore.models import TaskState, WorkflowState
from diglot.statestore.trace.execution import Sizes
from diglot.statestore.trace.plan import plan
from diglot.statestore.trace.replay import Result, replay
from tests.statestore.trace.test_plan import graphs
from tests.statestore.trace.traces import DIAMOND, Graph, trace

LONG = dict.fromkeys(DIAMOND, 40.0)


def _replay(db: Database, graph: Graph = DIAMOND, runtimes: dict[str, float] | None = None, **how: Any) -> Result:
    if "clock" in how:
        how["longest_wait"] = 0.005
    return replay(db, plan(trace(graph, runtimes=runtimes)), new_id=statestore.new_id, **how)


def _tasks(db: Database, workflow_exec_id: str) -> dict[str, TaskState]:
    page = db.tasks.list(workflow_exec_id=workflow_exec_id, limit=1000)
    assert page.next is None
    return {task.task_id: task for task in page.items}


def _statuses(db: Database, workflow_exec_id: str) -> dict[str, str]:
    return {name: task.status for name, task in _tasks(db, workflow_exec_id).items()}


def _only_run(result: Result) -> str:
    assert len(result.runs) == 1
    return result.runs[0].workflow_exec_id


def _interrupt(when: Callable[[int], bool]) -> Callable[[int], None]:
    """As a person does, who presses Ctrl-C when so many steps are done."""

    def watch(steps: int) -> None:
        if when(steps):
            raise KeyboardInterrupt

    return watch


# --- to its end --------------------------------------------------------------------------------------------------


def test_a_replay_leaves_what_the_engine_would_have_left(db: Database) -> None:
    result = _replay(db)
    run = db.workflows.get(_only_run(result))
    assert (run.status, run.workflow_id, run.error) == ("SUCCESS", "diamond", None)
    assert run.input == {
        "trace": {
            "name": "diamond",
            "description": "made for a test",
            "createdAt": "2026-01-31T09:05:07Z",
            "runtimeSystem": "pytest 9",
            "executedAt": "2026-01-31T09:05:07Z",
            "makespanInSeconds": 1.5,
            "machines": ["worker-1"],
            "tasks": 5,
            "groups": 3,
            "files": 5,
        }
    }
    work_output = {"runtimeInSeconds": 0.5, "tasks": 3, "completionRate": 1.0}
    assert run.output is not None
    assert run.output["runtimeInSeconds"] == 1.5
    assert run.output["groups"]["work"] == work_output

    tasks = _tasks(db, run.workflow_exec_id)
    assert set(tasks) == {*DIAMOND, "split", "work", "merge"}
    group = tasks["work"]
    assert (group.component, group.execution_type, group.status) == ("task", "collection", "SUCCESS")
    assert (group.parent_state_id, group.input, group.output) == (None, {"tasks": 3}, work_output)
    merge = tasks["merge_ID05"]
    assert (merge.component, merge.execution_type, merge.status) == ("tool", "basic", "SUCCESS")
    assert (merge.tool_id, merge.parent_state_id) == ("merge", tasks["merge"].task_exec_id)
    assert merge.input == {
        "program": "/opt/bin/merge",
        "arguments": ["-o", "merge_ID05.out"],
        "parents": ["work_ID02", "work_ID03", "work_ID04"],
        "files": [{"id": f"work_ID0{n}.out", "sizeInBytes": 100} for n in (2, 3, 4)],
    }
    assert merge.output == {
        "runtimeInSeconds": 0.5,
        "avgCPU": 87.5,
        "memoryInBytes": 14692000,
        "readBytes": 1024,
        "writtenBytes": 2048,
        "machines": ["worker-1"],
        "files": [{"id": "merge_ID05.out", "sizeInBytes": 100}],
    }
    assert {task.version for task in tasks.values()} == {3}, "PENDING, RUNNING, SUCCESS: three writes each"
    for name, parents in DIAMOND.items():
        assert all(tasks[parent].updated_at < tasks[name].updated_at for parent in parents)
    assert (result.error, result.interrupt, result.runs[0].error) == (None, None, None)


def test_every_kind_of_call_is_measured(db: Database) -> None:
    found = _replay(db).latencies
    counts = {name: summary.count for name, summary in found.operations.items()}
    assert counts == {
        "create the workflow": 1,
        "create tasks": 1,
        "read the parents": 4,
        "start a task": 5,
        "finish a task": 5,
        "read the progress": 5,
        "finish a group": 3,
        "complete the workflow": 1,
    }
    assert (found.read.count, found.write.count) == (9, 16)
    for summary in (found.read, found.write, *found.operations.values()):
        assert 0 < summary.p50 <= summary.p99 <= summary.max < 5000


def test_many_executions_at_once_are_each_whole(db: Database) -> None:
    result = _replay(db, concurrency=4, repeat=3)
    assert len({run.workflow_exec_id for run in result.runs}) == 12
    assert {run.status for run in result.runs} == {"SUCCESS"}
    listed = db.workflows.list(workflow_id="diamond").items
    assert {state.workflow_exec_id for state in listed} == {run.workflow_exec_id for run in result.runs}
    for run in result.runs:
        assert set(_statuses(db, run.workflow_exec_id).values()) == {"SUCCESS"}
    assert result.latencies.write.count == 12 * 16


def test_files_without_a_size_and_commands_without_a_program_are_played_too(db: Database) -> None:
    from diglot.statestore.trace.wfformat import parse_trace
    from tests.statestore.trace.traces import document, executed, text

    value = document({"only": []})
    del value["workflow"]["specification"]["files"], executed(value)[0]["command"]
    result = replay(db, plan(parse_trace(text(value), "x")), new_id=statestore.new_id)
    task = _tasks(db, _only_run(result))["only"]
    assert task.tool_id == "only"
    assert task.input == {"program": None, "arguments": [], "parents": [], "files": []}
    assert task.output is not None
    assert task.output["files"] == [{"id": "only.out"}]


def test_what_is_much_is_written_and_read_in_parts(db: Database) -> None:
    leaves = [f"leaf_ID{n}" for n in range(10)]
    result = _replay(db, {**{leaf: [] for leaf in leaves}, "end_ID10": leaves}, sizes=Sizes(4, 4, 3))
    counts = {name: summary.count for name, summary in result.latencies.operations.items()}
    assert result.runs[0].status == "SUCCESS"
    assert counts["create tasks"] == 4, "13 tasks by 4"
    assert counts["read the parents"] == 3, "10 parents by 4"
    assert counts["read the progress"] == 4 + 1, "after each third leaf and the last, and after the end"


@pytest.fixture(scope="module")
def memory() -> Iterator[Database]:
    with statestore.open("sqlite://:memory:", migrate=True) as database:
        yield database


@given(graphs())
@settings(max_examples=15, deadline=None)
def test_every_task_of_any_graph_succeeds_exactly_once(memory: Database, drawn: tuple[Graph, dict[str, float]]) -> None:
    result = _replay(memory, *drawn)
    tasks = _tasks(memory, _only_run(result))
    assert set(drawn[0]) <= set(tasks)
    assert Counter((task.status, task.version) for task in tasks.values()) == {("SUCCESS", 3): len(tasks)}
    assert memory.workflows.get(_only_run(result)).status == "SUCCESS"


# --- time --------------------------------------------------------------------------------------------------------


class Clock:
    """Stands still until the test sets it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """For ``replay(clock=…)``, which looks at it every few milliseconds."""
    return Clock()


def test_in_real_time_each_step_waits_for_its_moment(memory: Database) -> None:
    began = time.monotonic()
    result = _replay(memory, runtimes=dict.fromkeys(DIAMOND, 2.0), speed=20.0)
    assert result.runs[0].status == "SUCCESS"
    assert time.monotonic() - began >= 6.0 / 20.0, (
        "three tasks of two seconds one after the other, at 20 times the speed"
    )


def test_time_is_taken_from_the_clock_that_was_given(memory: Database, clock: Clock) -> None:
    def go_on(steps: int) -> None:
        clock.now = 100.0 if steps == 1 else clock.now

    result = _replay(memory, speed=1.0, clock=clock, watch=go_on)
    assert (result.runs[0].seconds, result.seconds) == (100.0, 100.0)


def test_a_wait_longer_than_the_systems_longest_is_made_of_several(memory: Database) -> None:
    began = time.monotonic()
    assert _replay(memory, {"a": []}, {"a": 0.2}, speed=1.0, longest_wait=0.01).runs[0].status == "SUCCESS"
    assert time.monotonic() - began >= 0.2


# --- cut short ---------------------------------------------------------------------------------------------------


def test_ctrl_c_ends_what_is_running_and_keeps_what_is_done(db: Database) -> None:
    # split has run at once; the three of work run for long
    result = _replay(
        db, runtimes=LONG | {"split_ID01": 0.0}, speed=1.0, concurrency=2, watch=_interrupt(lambda steps: steps == 10)
    )
    assert isinstance(result.interrupt, KeyboardInterrupt)
    assert result.error is None
    assert [run.status for run in result.runs] == ["CANCELED", "CANCELED"]
    for run in result.runs:
        assert db.workflows.get(run.workflow_exec_id).status == "CANCELED"
        assert _statuses(db, run.workflow_exec_id) == {
            "split": "SUCCESS",
            "split_ID01": "SUCCESS",
            "work": "CANCELED",
            "work_ID02": "CANCELED",
            "work_ID03": "CANCELED",
            "work_ID04": "CANCELED",
            "merge": "CANCELED",
            "merge_ID05": "CANCELED",
        }
    assert _replay(db).runs[0].status == "SUCCESS", "the next replay works"


def test_a_second_ctrl_c_does_not_cut_the_ending_short(tmp_path: Path, clock: Clock) -> None:
    url = f"sqlite:///{tmp_path}/app.db"
    main = threading.main_thread().ident
    assert main is not None
    holds = threading.Event()

    def waits_for_the_end() -> bool:
        frame = sys._current_frames()[main]
        return any(found.f_code.co_name == "_wait_for_all" for found, _ in traceback.walk_stack(frame))

    def keep_the_writer_and_press_again() -> None:
        with statestore.open(url) as other, other.transaction():
            holds.set()
            deadline = time.monotonic() + 120
            while not waits_for_the_end():
                assert time.monotonic() < deadline
                time.sleep(0.01)
            signal.pthread_kill(main, signal.SIGINT)
            time.sleep(0.05)

    presser = threading.Thread(target=keep_the_writer_and_press_again)

    def press() -> None:
        presser.start()
        assert holds.wait(120)
        raise KeyboardInterrupt

    with statestore.open(url, migrate=True) as db:
        result = _replay(db, **_after(1, press, clock))
        presser.join()
        assert result.interrupt is not None
        assert result.runs[0].status == "CANCELED"
        assert set(_statuses(db, _only_run(result)).values()) == {"CANCELED"}


def test_ctrl_c_at_once_leaves_nothing_unfinished(db: Database) -> None:
    result = _replay(db, concurrency=3, repeat=1000, watch=_interrupt(lambda _steps: True))
    assert result.interrupt is not None
    assert len(result.runs) < 3000
    for status in ("PENDING", "RUNNING", "WAITING", "PAUSED"):
        assert db.tasks.list(status=status).items == []
        assert db.workflows.list(status=status).items == []
    canceled = {run.workflow_exec_id for run in result.runs if run.status == "CANCELED"}
    assert {state.workflow_exec_id for state in db.workflows.list(status="CANCELED").items} == canceled


def test_an_unfinished_execution_of_many_tasks_is_ended_as_a_whole(db: Database) -> None:
    graph: Graph = {f"t_ID{n}": [] for n in range(10)}
    interrupted = _interrupt(lambda steps: steps == 10)
    result = _replay(db, graph, dict.fromkeys(graph, 40.0), speed=1.0, watch=interrupted, sizes=Sizes(page=3))
    assert set(_statuses(db, _only_run(result)).values()) == {"CANCELED"}


def test_what_watches_may_fail_and_the_replay_still_ends_in_order(db: Database) -> None:
    def watch(steps: int) -> None:
        if steps == 5:
            raise BrokenPipeError("nobody looks")

    with pytest.raises(BrokenPipeError):
        _replay(db, runtimes=LONG | {"split_ID01": 0.0}, speed=1.0, watch=watch)
    assert [state.status for state in db.workflows.list().items] == ["CANCELED"]


# --- disturbed by somebody else ----------------------------------------------------------------------------------


def _after(steps: int, change: Callable[[], object], clock: Clock) -> dict[str, Any]:
    """Options of a replay that stands still after so many steps until something has been changed."""

    looks = 0

    def watch(done: int) -> None:
        nonlocal looks
        if done == steps and clock.now == 0.0:
            change()
            clock.now = 10.0
        looks += 1
        if looks > 200:
            clock.now += 1000.0  # twenty seconds were enough: what has not ended by now runs to its end

    return {"speed": 1.0, "clock": clock, "watch": watch}


def _running(db: Database) -> WorkflowState:
    (state,) = db.workflows.list(status="RUNNING").items
    return state


def test_a_task_does_not_start_while_the_database_says_that_a_parent_has_not_succeeded(
    db: Database, clock: Clock
) -> None:
    graph: Graph = {"a": [], "slow": [], "b": ["a", "slow"]}

    def fail_a() -> None:
        task = db.tasks.latest(_running(db).workflow_exec_id)["a"]
        db.tasks.upsert(task.replace(status="FAILED"))

    result = _replay(db, graph, {"a": 0.0, "slow": 0.8}, **_after(3, fail_a, clock))
    assert isinstance(result.error, WorkflowNotReady)
    assert "task 'b'" in str(result.error)
    assert "its parent 'a' is FAILED; somebody else has changed it" in str(result.error)
    assert result.runs[0].status == "FAILED"
    assert db.workflows.get(_only_run(result)).status == "FAILED"
    statuses = _statuses(db, _only_run(result))
    assert (statuses["slow"], statuses["a"], statuses["b"]) == ("SUCCESS", "FAILED", "CANCELED")


def test_an_execution_that_was_deleted_meanwhile_is_not_written_again(db: Database, clock: Clock) -> None:
    def delete() -> None:
        db.workflows.delete(_running(db).workflow_exec_id)

    result = _replay(db, **_after(1, delete, clock))
    assert isinstance(result.error, TaskNotFound)
    assert result.runs[0].status is None
    assert db.workflows.list().items == []


def test_an_execution_that_was_ended_meanwhile_stays_as_it_was_ended(db: Database, clock: Clock) -> None:
    def end() -> None:
        db.workflows.update_status(_running(db).workflow_exec_id, "TIMED_OUT")
        raise KeyboardInterrupt

    result = _replay(db, **_after(1, end, clock))
    assert result.interrupt is not None
    assert result.runs[0].status == "TIMED_OUT"
    assert db.workflows.get(_only_run(result)).status == "TIMED_OUT"


def test_a_failure_of_one_execution_ends_the_others_in_order(db: Database, clock: Clock) -> None:
    def delete_one() -> None:
        db.workflows.delete(db.workflows.list(status="RUNNING").items[0].workflow_exec_id)

    result = _replay(db, runtimes={**LONG, "split_ID01": 1.0}, concurrency=3, repeat=2, **_after(3, delete_one, clock))
    assert isinstance(result.error, TaskNotFound)
    assert sorted(str(run.status) for run in result.runs) == ["CANCELED", "CANCELED", "None"]
    assert [state.status for state in db.workflows.list().items] == ["CANCELED", "CANCELED"]
    assert db.tasks.list(status="RUNNING").items == []


def test_where_even_the_end_cant_be_written_the_result_says_what_was_left(tmp_path: Path, clock: Clock) -> None:
    url = f"sqlite:///{tmp_path}/app.db"
    with statestore.open(url, migrate=True) as db:
        result = _replay(db, **_after(1, db.close, clock))
    assert isinstance(result.error, StoreClosed)
    assert result.runs[0].status == "RUNNING"
    assert isinstance(result.runs[0].error, StoreClosed)
    with statestore.open(url) as db:
        assert db.workflows.get(_only_run(result)).status == "RUNNING"
        assert _replay(db).runs[0].status == "SUCCESS", "the next replay works"


def test_a_database_that_takes_nothing_is_left_with_nothing(tmp_path: Path) -> None:
    with statestore.open(f"sqlite:///{tmp_path}/app.db", migrate=True) as db:
        db.close()
        result = _replay(db)
    assert isinstance(result.error, StoreClosed)
    assert result.runs[0].status is None
    assert isinstance(result.runs[0].error, StoreClosed)
