"""Old executions go in small steps, and only those; abandoned ones are found and ended."""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString

import pytest

from diglot import statestore
from diglot.errors import InvalidValue
from diglot.sql.session import Statement
from diglot.statestore.database import Database
from diglot.statestore.errors import WorkflowNotFound
from diglot.statestore.models import STATUSES, TERMINAL, Status, TaskState, WorkflowState
from diglot.statestore.repositories.pruning import FIRST, Pruned, prune

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


def days(count: float) -> datetime:
    return NOW - timedelta(days=count)


def record(
    db: Database,
    id: str,
    age: float,
    status: Status = "SUCCESS",
    *,
    tasks: int = 2,
    workflow: str = "flow",
    task_age: float | None = None,
    deep: bool = False,
) -> None:
    """An execution that did not change for so many days."""
    db.workflows.upsert(WorkflowState(workflow_exec_id=id, workflow_id=workflow, status=status))
    db.tasks.upsert_many(
        [
            TaskState(
                task_exec_id=f"{id}-{number:05d}",
                task_id=f"t{number}",
                workflow_exec_id=id,
                workflow_id=workflow,
                component="task",
                status=status,
                parent_state_id=f"{id}-{number - 1:05d}" if deep and number else None,
            )
            for number in range(tasks)
        ]
    )
    age_of(db, "workflow_states", id, age)
    age_of(db, "task_states", id, age if task_age is None else task_age)


def age_of(db: Database, table: str, id: str, age: float) -> None:
    at = days(age)
    value: Any = at if db.store.dialect == "postgres" else f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"
    marks = ("$1", "$2") if db.store.dialect == "postgres" else ("?1", "?2")
    text = f"update {table} set created_at = {marks[0]}, updated_at = {marks[0]} where workflow_exec_id = {marks[1]}"
    db.store.count(Statement("test.age", text, writes=True), (value, id))


def left(db: Database) -> set[str]:
    return {state.workflow_exec_id for state in db.workflows.list(limit=1000).items}


def tasks_left(db: Database) -> int:
    return int(db.store.rows(Statement("test.tasks", "select count(*) from task_states"))[0][0])


def test_prunes_what_ended_long_ago_and_nothing_else(db: Database) -> None:
    for status in STATUSES:
        record(db, f"old-{status}", 40, status)
        record(db, f"new-{status}", 10, status)
    assert db.workflows.prune(days(30), dry_run=True) == Pruned(4, 8)
    assert len(left(db)) == 16
    assert db.workflows.prune(days(30)).workflows == 4
    assert left(db) == {f"new-{status}" for status in STATUSES} | {
        f"old-{status}" for status in STATUSES if status not in TERMINAL
    }
    assert tasks_left(db) == 24
    assert db.workflows.prune(days(30)).workflows == 0


def test_prunes_only_the_statuses_that_are_asked_for(db: Database) -> None:
    record(db, "a", 40, "SUCCESS")
    record(db, "b", 40, "FAILED")
    db.workflows.prune(days(30), statuses=["FAILED"])
    assert left(db) == {"a"}
    with pytest.raises(InvalidValue, match="RUNNING is not the end of an execution"):
        db.workflows.prune(days(30), statuses=["RUNNING"])


def test_keeps_the_newest_of_each_workflow(db: Database) -> None:
    for number in range(5):
        record(db, f"a{number}", 50 - number, workflow="a", tasks=1)
    record(db, "b0", 50, workflow="b", tasks=1)
    record(db, "c0", 50, workflow="c", tasks=1)
    record(db, "c1", 1, "RUNNING", workflow="c", tasks=1)
    assert db.workflows.prune(days(30), keep_last=2, dry_run=True).workflows == 3
    db.workflows.prune(days(30), keep_last=2)
    assert left(db) == {"a3", "a4", "b0", "c0", "c1"}
    db.workflows.prune(days(30), keep_last=1)
    assert left(db) == {"a4", "b0", "c1"}


def test_one_with_more_tasks_than_a_step_goes_in_steps(db: Database) -> None:
    record(db, "large", 40, tasks=700)
    record(db, "small", 40, tasks=1)
    record(db, "kept", 10, tasks=1)
    steps: list[float] = []

    def slow() -> float:
        steps.append(float(len(steps)))
        return steps[-1]

    pruned = prune(db.store, db._context.queries, days(30), clock=slow)
    assert pruned.workflows == 2
    assert len(steps) > 20, "a step that takes a second is followed by smaller ones"
    assert left(db) == {"kept"}
    assert tasks_left(db) == 1


@pytest.mark.parametrize("levels", [70, 1200])
def test_prunes_tasks_that_are_nested_deeply(db: Database, levels: int) -> None:
    record(db, "deep", 40, tasks=levels, deep=True)
    db.workflows.prune(days(30))
    assert (left(db), tasks_left(db)) == (set(), 0)


def test_one_that_changes_before_its_turn_is_left_alone(db: Database) -> None:
    for number in range(3):
        record(db, f"w{number}", 40, tasks=150)
    changed: list[int] = []

    def revive(done: int) -> None:
        if not changed:
            changed.append(done)
            db.workflows.upsert(WorkflowState(workflow_exec_id="w2", workflow_id="flow", status="RUNNING"))

    assert db.workflows.prune(days(30), progress=revive).workflows == 2
    assert left(db) == {"w2"}
    assert tasks_left(db) == 150


def test_a_file_shrinks_after_it_was_pruned(db: Database) -> None:
    for number in range(40):
        record(db, f"w{number}", 40, tasks=50)
    assert db.workflows.prune(days(30)).workflows == 40
    freed = db.store.shrink()
    if db.store.dialect == "postgres":
        assert freed is None
    elif db.store.location != ":memory:":
        assert freed is not None
        assert freed > 100_000
        assert db.store.shrink() == 0
    assert db.health().ok


class Counted:
    """Notes how many tasks each step deletes."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._left = tasks_left(db)
        self.steps: list[int] = []

    def look(self, _done: int) -> None:
        now = tasks_left(self._db)
        self.steps.append(self._left - now)
        self._left = now


def shape(db: Database, kind: str, count: int) -> None:
    """An execution with as many tasks, all of one time; the ids decide which of them is the newest."""
    record(db, "w", 40, tasks=count)
    marks = ("$1", "$2") if db.store.dialect == "postgres" else ("?1", "?2")
    parent = {
        "parent of all is the newest": lambda number: count - 1 if number < count - 1 else None,
        "ring": lambda number: (number - 1) % count,
        "chain, newest first": lambda number: number + 1 if number < count - 1 else None,
    }[kind]
    text = f"update task_states set parent_state_id = {marks[0]} where task_exec_id = {marks[1]}"
    of = {f"w-{number:05d}": parent(number) for number in range(count)}
    db.store.many(
        Statement("test.shape", text, writes=True),
        [(f"w-{above:05d}", id) for id, above in of.items() if above is not None],
    )


@pytest.mark.parametrize("kind", ["parent of all is the newest", "ring", "chain, newest first"])
def test_no_step_deletes_more_than_fits_whatever_the_tree_of_tasks_is(db: Database, kind: str) -> None:
    shape(db, kind, 1200)
    counted = Counted(db)
    times = iter(range(1_000_000))
    pruned = prune(db.store, db._context.queries, days(30), clock=lambda: next(times), progress=counted.look)
    assert pruned == Pruned(1, 1200)
    assert (left(db), tasks_left(db)) == (set(), 0)
    assert max(counted.steps) <= FIRST
    assert sum(counted.steps) == 1200


def test_large_documents_count_as_rows(db: Database) -> None:
    document = {"text": [hashlib.sha256(str(number).encode()).hexdigest() for number in range(4_000)]}
    for number in range(10):
        record(db, f"w{number}", 40, tasks=0)
        db.workflows.upsert(
            WorkflowState(workflow_exec_id=f"w{number}", workflow_id="flow", status="SUCCESS", input=document)
        )
        age_of(db, "workflow_states", f"w{number}", 40)
    steps: list[int] = []
    times = iter(range(1_000_000))
    prune(db.store, db._context.queries, days(30), clock=lambda: next(times), progress=steps.append)
    assert steps[0] <= 3, "an execution with 264 kB weighs as much as 65 rows"
    assert steps[1:] == list(range(steps[0] + 1, 11)), "after a slow step, each has one of its own"


def test_one_that_lost_tasks_does_not_look_complete(db: Database) -> None:
    record(db, "large", 40, tasks=700)

    class Interrupted(Exception):
        pass

    def interrupt(_done: int) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        prune(db.store, db._context.queries, days(30), progress=interrupt)
    state = db.workflows.get("large", with_tasks=False)
    assert 0 < tasks_left(db) < 700
    assert state.error is not None
    assert state.error.code == "PRUNED"
    assert state.updated_at == days(40), "the next pruning finds it"
    assert db.workflows.prune(days(30)).workflows == 1
    assert (left(db), tasks_left(db)) == (set(), 0)


def test_a_large_one_that_runs_again_keeps_the_tasks_that_are_left(db: Database) -> None:
    record(db, "large", 40, tasks=700)
    kept: list[int] = []

    def revive(_done: int) -> None:
        if not kept:
            db.workflows.update_status("large", "RUNNING")
            kept.append(tasks_left(db))

    assert db.workflows.prune(days(30), progress=revive).workflows == 0
    assert (left(db), tasks_left(db)) == ({"large"}, kept[0])


def test_two_prunings_at_once_delete_each_execution_once(migrated_url: str) -> None:
    with statestore.open(migrated_url) as db:
        for number in range(40):
            record(db, f"w{number}", 40, tasks=20)
        record(db, "large", 40, tasks=700)
        record(db, "kept", 10, tasks=1)
        with ThreadPoolExecutor(2) as pool:
            both = [pool.submit(db.workflows.prune, days(30)) for _ in range(2)]
            done = [one.result() for one in both]
        assert sum(one.workflows for one in done) == 41
        assert (left(db), tasks_left(db)) == ({"kept"}, 1)


PROGRAM = """
import sys
from datetime import datetime
from diglot import statestore
with statestore.open(sys.argv[1]) as db:
    print("ready", flush=True)
    db.workflows.prune(datetime.fromisoformat(sys.argv[2]))
"""


def test_a_killed_pruning_leaves_nothing_half_that_looks_complete(migrated_url: str) -> None:
    with statestore.open(migrated_url) as db:
        for number in range(60):
            record(db, f"w{number:02d}", 40, tasks=20)
        record(db, "x", 40, tasks=900)
        record(db, "kept", 10, tasks=3)
        for _ in range(10):
            process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, migrated_url, days(30).isoformat()], stdout=subprocess.PIPE, text=True
            )
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(random.uniform(0.0, 0.05))  # the moment is the case, not something to wait for
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdout.close()
            for state in db.workflows.list(limit=1000, with_tasks=True).items:
                whole = {"x": 900, "kept": 3}.get(state.workflow_exec_id, 20)
                pruned = state.error is not None and state.error.code == "PRUNED"
                assert len(state.tasks or {}) == whole or pruned, state.workflow_exec_id
        db.workflows.prune(days(30))
        assert (left(db), tasks_left(db)) == ({"kept"}, 3)


@pytest.mark.sqlite
def test_a_pruning_without_room_on_the_disk_loses_nothing(tmp_path: Path) -> None:
    """A limit on the size of files takes the place of a full disk."""
    url = f"sqlite:///{tmp_path}/app.db"
    limited = f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (70_000, 70_000))\n{PROGRAM}"
    with statestore.open(url) as db:
        record(db, "old", 40, tasks=20)
        record(db, "kept", 10, tasks=3)
    done = subprocess.run(
        [sys.executable, "-c", limited, url, days(30).isoformat()], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("diglot.errors.DatabaseFull: "), done.stderr
    with statestore.open(url) as db:
        assert (left(db), tasks_left(db)) == ({"old", "kept"}, 23)
        db.workflows.prune(days(30))
        assert (left(db), tasks_left(db)) == ({"kept"}, 3)


# --- abandoned executions ----------------------------------------------------------------------------------


def test_finds_executions_that_nobody_writes_any_more(db: Database) -> None:
    record(db, "gone", 2, "RUNNING")
    record(db, "task-alive", 2, "RUNNING", task_age=0.1)
    record(db, "alive", 0.1, "RUNNING")
    record(db, "ended", 2, "SUCCESS")
    record(db, "waits", 2, "WAITING")
    assert [run.workflow_exec_id for run in db.workflows.stale(days(1)).items] == ["gone"]
    assert [run.workflow_exec_id for run in db.workflows.stale(days(1), "WAITING").items] == ["waits"]
    page = db.workflows.stale(days(0), limit=2)
    assert page.next is not None
    assert len(page.items) + len(db.workflows.stale(days(0), limit=2, after=page.next).items) == 3


def test_ends_an_execution_with_its_tasks(db: Database) -> None:
    record(db, "w", 2, "RUNNING", tasks=3)
    db.tasks.upsert(
        TaskState(
            task_exec_id="done",
            task_id="d",
            workflow_exec_id="w",
            workflow_id="flow",
            component="task",
            status="SUCCESS",
        )
    )
    before = db.workflows.get("w")
    ended = db.workflows.end("w", "CANCELED")
    assert (ended.status, ended.version) == ("CANCELED", (before.version or 0) + 1)
    statuses = {task.task_exec_id: task.status for task in db.tasks.list(workflow_exec_id="w").items}
    assert statuses == {"done": "SUCCESS", **{f"w-{number:05d}": "CANCELED" for number in range(3)}}
    assert db.workflows.end("w", "FAILED").status == "CANCELED", "one that has ended stays as it is"
    with pytest.raises(WorkflowNotFound):
        db.workflows.end("none")
    with pytest.raises(InvalidValue, match="PAUSED is not the end of an execution"):
        db.workflows.end("w", "PAUSED")


def test_does_not_end_one_that_came_alive_again(db: Database) -> None:
    record(db, "workflow", 2, "RUNNING")
    record(db, "task", 2, "RUNNING")
    record(db, "neither", 2, "RUNNING")
    assert len(db.workflows.stale(days(1)).items) == 3
    age_of(db, "workflow_states", "workflow", 0.1)
    age_of(db, "task_states", "task", 0.1)
    names = ("workflow", "task", "neither")
    ended = {id: db.workflows.end(id, "TIMED_OUT", stale_since=days(1)).status for id in names}
    assert ended == {"workflow": "RUNNING", "task": "RUNNING", "neither": "TIMED_OUT"}


def test_says_whether_this_call_ended_it(db: Database) -> None:
    record(db, "w", 2, "WAITING")
    first, second = db.workflows.try_end("w", "CANCELED"), db.workflows.try_end("w", "CANCELED")
    assert (first.was, first.ended) == ("WAITING", True)
    assert (second.was, second.ended, second.state) == ("CANCELED", False, first.state)


def test_ending_a_stale_execution_waits_for_a_task_that_is_being_written(migrated_url: str) -> None:
    with statestore.open(migrated_url) as db, statestore.open(migrated_url) as other, ThreadPoolExecutor(1) as pool:
        record(db, "w", 2, "RUNNING")
        task = db.tasks.get("w-00001")
        with db.transaction() as tx:
            tx.tasks.upsert(task)
            ending = pool.submit(other.workflows.try_end, "w", "TIMED_OUT", stale_since=days(1))
            until = time.monotonic() + 20
            while not ending.done() and not waits_for_a_lock(other) and time.monotonic() < until:
                pass
        assert not ending.result().ended
        assert db.workflows.get("w").status == "RUNNING"
        assert db.tasks.get("w-00001").status == "RUNNING"


def waits_for_a_lock(db: Database) -> bool:
    """Whether a statement waits for another session; SQLite has one writer at a time anyway."""
    text: LiteralString = (
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    )
    return db.store.dialect == "sqlite" or bool(db.store.rows(Statement("test.waits", text))[0][0])
