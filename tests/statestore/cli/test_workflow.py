"""``diglot workflow list|show|delete`` on real databases."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from diglot import statestore
from diglot.statestore.models import StateError, TaskState, WorkflowState
from tests.cli.running import Result, diglot, terminal

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(migrated_url: str) -> Run:
    """The command on a database with three executions: one with a tree of 32 tasks, one failed, one pending."""
    record(migrated_url)
    return lambda *arguments: diglot("workflow", *arguments, "--database-url", migrated_url)


def record(url: str) -> None:
    with statestore.open(url) as db:
        db.workflows.upsert(WorkflowState("wide", "build", "RUNNING"))
        group = TaskState("wide", "group", "compile", "build", "task", "RUNNING", "collection")
        tasks = [
            TaskState(
                "wide", f"t{n:02}", f"file-{n:02}", "build", "tool", "SUCCESS", parent_state_id="group", tool_id="cc"
            )
            for n in range(30)
        ]
        db.tasks.upsert_many(
            [group, *tasks, TaskState("wide", "alone", "link", "build", "tool", "PENDING", tool_id="ld")]
        )
        db.workflows.upsert(
            WorkflowState("bad", "deploy", "FAILED", error=StateError(message="no\x1b[2Jspace", code="E_DISK"))
        )
        db.workflows.upsert(WorkflowState("new", "build", "PENDING", input={"n": 1}))


def ids(done: Result) -> list[str]:
    assert done.code == 0, done.err
    return [run["workflow_exec_id"] for run in done.json["items"]]


def test_list_is_newest_first_and_filters(run: Run) -> None:
    assert ids(run("list", "--format", "json")) == ["new", "bad", "wide"]
    assert ids(run("list", "--format", "json", "--workflow-id", "build")) == ["new", "wide"]
    assert ids(run("list", "--format", "json", "--status", "failed")) == ["bad"]
    assert ids(run("list", "--format", "json", "--status", "RUNNING", "--workflow-id", "build")) == ["wide"]
    assert run("list", "--status", "PAUSED") == (0, "", "no workflow executions\n")


def test_list_is_paged(run: Run) -> None:
    first = run("list", "--format", "json", "--limit", "2")
    assert ids(run("list", "--format", "json", "--after", first.json["next"])) == ["wide"]
    assert "there are more: --after " in run("list", "--limit", "2").err


def test_list_is_a_table_for_people(run: Run) -> None:
    lines = [line.split()[:3] for line in run("list").out.splitlines()]
    assert lines == [
        ["ID", "WORKFLOW", "STATUS"],
        ["new", "build", "PENDING"],
        ["bad", "deploy", "FAILED"],
        ["wide", "build", "RUNNING"],
    ]


def test_show_prints_the_tree_with_wide_levels_collapsed(run: Run) -> None:
    shown = run("show", "wide").out
    assert shown.startswith("id       wide\ncreated  20")
    assert "build  RUNNING" in shown
    assert "compile" in shown
    assert "file-07" in shown
    assert "file-08" not in shown
    assert "22 more" in shown
    assert "link" in shown
    assert "file-29" in run("show", "wide", "--width", "30").out


def test_show_has_every_task_for_scripts(run: Run) -> None:
    data = run("show", "wide", "--format", "json").json
    assert data["workflow"]["workflow_exec_id"] == "wide"
    assert {task["task_exec_id"] for task in data["tasks"]} == {"group", "alone", *(f"t{n:02}" for n in range(30))}


def test_show_says_why_it_failed_and_the_terminal_obeys_nothing_in_it(run: Run) -> None:
    assert "error    E_DISK no\\x1b[2Jspace\n" in run("show", "bad").out


def test_show_reads_more_tasks_than_a_page_holds(run: Run, migrated_url: str) -> None:
    with statestore.open(migrated_url) as db:
        db.tasks.upsert_many([TaskState("new", f"n{n}", f"n{n}", "build", "task", "PENDING") for n in range(1001)])
    assert len(run("show", "new", "--format", "json").json["tasks"]) == 1001


def test_show_stops_at_a_number_of_tasks_and_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diglot.statestore.cli.workflow.MOST_TASKS", 1)
    monkeypatch.setattr("diglot.statestore.cli.workflow.PAGE", 1)
    done = run("show", "wide", "--format", "json")
    assert len(done.json["tasks"]) == 1
    assert done.err == "only the first 1 tasks are shown\n"


def test_delete_takes_the_tasks_too(run: Run, migrated_url: str) -> None:
    refused = run("delete", "wide")
    assert refused.code == 1
    assert refused.err.splitlines()[-1].endswith("and all its tasks): confirm with --yes")
    assert run("show", "wide").code == 0
    assert run("delete", "wide", "--yes") == (0, "deleted wide and its tasks\n", "")
    assert run("show", "wide") == (1, "", "diglot: no workflow execution 'wide'\n")
    assert run("delete", "wide").code == 1
    with statestore.open(migrated_url) as db:
        assert db.tasks.list(workflow_exec_id="wide").items == []


@pytest.mark.sqlite
@pytest.mark.parametrize("columns", [60, 100])
def test_show_fits_the_terminal(columns: int, tmp_path: Path) -> None:
    record("app.db")
    surroundings = {"NO_COLOR": "1", "DB_PATH": "app.db"}
    code, shown = terminal("workflow", "show", "wide", columns=columns, env=surroundings, cwd=tmp_path)
    assert code == 0
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()
    assert max(map(len, lines)) <= columns
    assert any("compile" in line and "RUNNING" in line for line in lines)
