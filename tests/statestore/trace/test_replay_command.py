"""``diglot workflow replay`` as people and scripts use it: output, exit codes, Ctrl-C and being killed."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from diglot import statestore
from diglot.errors import DatabaseUnavailable
from diglot.statestore.cli.replay import end
from diglot.statestore.trace.latency import latencies
from diglot.statestore.trace.replay import Result, Run
from tests.cli.running import diglot, in_terminal, started, terminal
from tests.statestore.trace.traces import DIAMOND, document, text

LONG = {**dict.fromkeys(DIAMOND, 40.0), "split_ID01": 0.0}
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
DEADLINE = 120.0


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _file(graph: Any = DIAMOND, **options: Any) -> str:
    Path("trace.json").write_bytes(text(document(graph, **options)))
    return "trace.json"


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


# --- what it prints ----------------------------------------------------------------------------------------------


def test_it_says_what_was_played_and_how_long_the_calls_took(migrated_url: str) -> None:
    done = diglot("workflow", "replay", _file(), "--database-url", migrated_url)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert re.fullmatch(r"diamond: 5 tasks in 3 groups, played once in [\d.]+ m?s", lines[0])
    assert lines[2].split() == ["EXECUTION", "STATUS", "TIME"]
    assert re.fullmatch(rf"{UUID}  SUCCESS  [\d.]+ m?s", lines[3])
    assert lines[5].split() == ["CALLS", "COUNT", "P50", "MS", "P99", "MS", "MAX", "MS"]
    assert re.fullmatch(r"reads +9( +\d+\.\d\d){3}", lines[6])
    assert re.fullmatch(r"writes +16( +\d+\.\d\d){3}", lines[7])
    assert [line.split("  ")[1] for line in lines[8:]] == [
        "complete the workflow", "create tasks", "create the workflow", "finish a group",
        "finish a task", "read the parents", "read the progress", "start a task",
    ]  # fmt: skip


def test_its_json_is_stable_and_all_there_is(migrated_url: str) -> None:
    done = diglot(
        "workflow", "replay", _file(), "--concurrency", "2", "--repeat", "3",
        "--database-url", migrated_url, "--format", "json",
    )  # fmt: skip
    assert (done.code, done.err) == (0, "")
    answer = done.json
    assert list(answer) == [
        "trace", "tasks", "groups", "seconds", "interrupted", "runs", "latencies_ms", "concurrency", "repeat", "speed",
    ]  # fmt: skip
    assert (answer["trace"], answer["tasks"], answer["groups"], answer["interrupted"]) == ("diamond", 5, 3, False)
    assert (answer["concurrency"], answer["repeat"], answer["speed"]) == (2, 3, 0)
    assert list(answer["latencies_ms"]) == ["read", "write", "operations"]
    assert list(answer["latencies_ms"]["read"]) == ["count", "p50", "p99", "max"]
    assert answer["latencies_ms"]["write"]["count"] == 6 * 16
    assert len({run["workflow_exec_id"] for run in answer["runs"]}) == 6
    assert {run["status"] for run in answer["runs"]} == {"SUCCESS"}
    with statestore.open(migrated_url) as db:
        assert {state.workflow_exec_id for state in db.workflows.list(status="SUCCESS").items} == {
            run["workflow_exec_id"] for run in answer["runs"]
        }


def test_several_executions_are_counted() -> None:
    done = diglot("workflow", "replay", _file(), "--concurrency", "3", "--repeat", "2", "--db-path", ":memory:")
    assert re.match(r"diamond: 5 tasks in 3 groups, played 6 times, 3 at once in ", done.out)


def test_without_a_file_it_plays_the_recording_that_comes_with_diglot() -> None:
    done = diglot("workflow", "replay", "--db-path", ":memory:", "--format", "json")
    assert done.json["trace"] == "own-test-run"
    assert done.json["runs"][0]["status"] == "SUCCESS"


def test_a_minus_reads_standard_input() -> None:
    whole = text(document()).decode()
    done = diglot("workflow", "replay", "-", "--db-path", ":memory:", "--format", "json", stdin=whole)
    assert done.json["runs"][0]["status"] == "SUCCESS"


def test_many_at_once_on_sqlite_are_warned_about_and_played() -> None:
    done = diglot("workflow", "replay", _file(), "--concurrency", "11", "--db-path", ":memory:", "--format", "json")
    assert len(done.json["runs"]) == 11
    assert done.err == (
        "diglot: warning: 11 workflows at once on SQLite wait for each other's writes: PostgreSQL is recommended for "
        "more than 10\n"
    )


@pytest.mark.parametrize("columns", [100, 60])
def test_on_a_terminal_a_bar_shows_how_far_it_is(columns: int) -> None:
    path = _file(runtimes=dict.fromkeys(DIAMOND, 0.2))
    code, shown = terminal("workflow", "replay", path, "--speed", "1", "--db-path", ":memory:", columns=columns)
    assert code == 0, shown
    assert "\x1b[?25h" in shown, "the cursor is shown again"
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
    assert re.search(r"recording ━+ +\d+/10 0:00:0\d", plain)


# --- what it refuses ---------------------------------------------------------------------------------------------


def test_a_broken_trace_is_refused_before_there_is_a_database() -> None:
    Path("broken.json").write_bytes(text(document({"a": ["b"], "b": ["a"]})))
    done = diglot("workflow", "replay", "broken.json")
    assert done == (
        1,
        "",
        "diglot: trace 'broken.json': its tasks wait for each other in a cycle: a → b → a\n",
    )
    assert not Path("data").exists()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--concurrency", "0"], "0 is not in the range 1<=x<=256"),
        (["--concurrency", "257"], "257 is not in the range 1<=x<=256"),
        (["--repeat", "0"], "0 is not in the range"),
        (["--speed", "-1"], "-1.0 is not in the range x>=0"),
        (["--speed", "nan"], "nan is not a finite number"),
        (["--speed", "inf"], "inf is not a finite number"),
        (["--speed", "fast"], "'fast' is not a valid float"),
    ],
)
def test_impossible_options_are_usage_errors(options: list[str], why: str) -> None:
    done = diglot("workflow", "replay", _file(), *options)
    assert done.code == 2
    assert why in done.err
    assert not Path("data").exists()


def test_a_database_that_is_not_there_is_exit_code_3() -> None:
    done = diglot("workflow", "replay", _file(), "--database-url", "postgresql://nobody@127.0.0.1:9/none")
    assert (done.code, done.out) == (3, "")


def test_what_ended_a_replay_is_said_with_what_it_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trigger refuses the third task that ends: the execution is FAILED, the error is the answer."""
    assert diglot("migrate", "up", "--db-path", "app.db").code == 0
    with sqlite3.connect("app.db") as connection:
        connection.execute(
            "create trigger no_merge before update on task_states when new.task_id = 'merge_ID05' "
            "and new.status = 'SUCCESS' begin select raise(abort, 'not this one'); end"
        )
    connection.close()
    done = diglot("workflow", "replay", _file(), "--db-path", "app.db", "--format", "json")
    assert done.code == 1
    (run,) = done.json["runs"]
    assert run["status"] == "FAILED"
    lines = done.err.splitlines()
    assert lines[0] == f"execution {run['workflow_exec_id']} is FAILED"
    assert lines[1] == "what was unfinished is CANCELED; the database is consistent"
    assert lines[2].startswith("diglot: ")
    assert len(lines) == 3


def test_what_is_not_known_of_an_execution_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    lost = DatabaseUnavailable("the server went away")
    nothing = latencies([])
    runs = [Run("a", "RUNNING", 1.0, lost), Run("b", None, 1.0, lost), Run("c", None, 1.0), Run("d", "SUCCESS", 1.0)]
    with pytest.raises(DatabaseUnavailable):
        end(Result(runs, nothing, 1.0, None, lost))
    assert capsys.readouterr().err.splitlines() == [
        "execution a may be left RUNNING: the server went away",
        "execution b may be left RUNNING: the server went away",
        "execution c is not there: nothing of it was written",
    ]


# --- Ctrl-C and worse --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "code", "word"),
    [
        ([signal.SIGINT], 130, "interrupted"),
        ([signal.SIGTERM], 143, "terminated"),
        ([signal.SIGHUP], 129, "terminated"),
        ([signal.SIGHUP, signal.SIGHUP], 129, "terminated"),  # of a terminal that closes and of its shell
    ],
    ids=["Ctrl-C", "SIGTERM", "SIGHUP", "two SIGHUP"],
)
def test_an_interrupted_replay_leaves_no_task_unfinished_and_says_so(
    migrated_url: str, sent: list[signal.Signals], code: int, word: str
) -> None:
    arguments = ["workflow", "replay", "--database-url", migrated_url]
    child = started(*arguments, _file(runtimes=LONG), "--concurrency", "2", "--speed", "1", "--format", "json")
    with statestore.open(migrated_url) as db:
        _until(lambda: len(db.tasks.list(status="RUNNING", tool_id="work").items) == 6)
        for each in sent:
            child.send_signal(each)
        out, err = child.communicate(timeout=DEADLINE)
        assert child.returncode == code
        ids = re.findall(rf"execution ({UUID}) is CANCELED", err)
        assert len(ids) == 2
        assert err.splitlines()[2:] == [
            "what was unfinished is CANCELED; the database is consistent",
            f"diglot: {word}",
        ]
        assert '"interrupted": true' in out
        for id in ids:
            state = db.workflows.get(id)
            assert state.tasks is not None
            assert state.status == "CANCELED"
            assert Counter(task.status for task in state.tasks.values()) == {"SUCCESS": 2, "CANCELED": 6}
    again = diglot(*arguments, _file(), "--format", "json")
    assert [run["status"] for run in again.json["runs"]] == ["SUCCESS"]


def test_a_replay_whose_terminal_is_closed_leaves_no_task_unfinished(migrated_url: str) -> None:
    """Nothing can be shown there any more, not even that it ended."""
    command = ["workflow", "replay", "--database-url", migrated_url, _file(runtimes=LONG), "--speed", "1"]
    child, screen = in_terminal(*command)
    with statestore.open(migrated_url) as db:
        _until(lambda: len(db.tasks.list(status="RUNNING", tool_id="work").items) == 3)
        os.close(screen)
        assert child.wait(DEADLINE) == 128 + signal.SIGHUP
        (run,) = db.workflows.list().items
        assert run.status == "CANCELED"
        statuses = Counter(task.status for task in db.tasks.list(workflow_exec_id=run.workflow_exec_id).items)
        assert set(statuses) == {"SUCCESS", "CANCELED"}


ACKNOWLEDGING = """
import sys
from diglot import statestore
from diglot.statestore.trace.plan import plan
from diglot.statestore.trace.replay import replay
from diglot.statestore.trace.wfformat import read_trace

with statestore.open(sys.argv[1]) as db:
    replay(db, plan(read_trace(sys.argv[2])), new_id=statestore.new_id, concurrency=2, repeat=1000,
           watch=lambda steps: print(steps, flush=True))
"""


def test_a_killed_replay_loses_nothing_that_was_acknowledged(migrated_url: str) -> None:
    graph = {f"t_ID{n}": [f"t_ID{n - 1}"] if n % 10 else [] for n in range(60)}
    child = subprocess.Popen(
        [sys.executable, "-c", ACKNOWLEDGING, migrated_url, _file(graph)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    acknowledged = 0
    while acknowledged < 150:
        line = child.stdout.readline()
        assert line, "it ended by itself"
        acknowledged = int(line)
    child.kill()
    acknowledged = [acknowledged, *map(int, child.stdout.read().split())][-1]
    child.stdout.close()
    child.wait()

    with statestore.open(migrated_url) as db:
        steps = 0
        for run in db.workflows.list(with_tasks=True).items:
            assert run.tasks is not None
            tasks = [task for task in run.tasks.values() if task.execution_type == "basic"]
            steps += sum({"PENDING": 0, "RUNNING": 1, "SUCCESS": 2}[task.status] for task in tasks)
            for task in tasks:
                if task.status != "PENDING":
                    assert task.input is not None
                    parents = [run.tasks[parent].status for parent in task.input["parents"]]
                    assert set(parents) <= {"SUCCESS"}, "no task has started before its parents had succeeded"
            assert run.status in ("RUNNING", "SUCCESS")
            if run.status == "SUCCESS":
                assert {task.status for task in run.tasks.values()} == {"SUCCESS"}
        assert steps >= acknowledged
    again = diglot("workflow", "replay", _file(), "--database-url", migrated_url, "--format", "json")
    assert again.json["runs"][0]["status"] == "SUCCESS"
