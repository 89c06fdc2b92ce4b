"""examples/record_trace.py records real pytest runs: of one process and of several, and nothing that is private."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from diglot.statestore.trace.plan import plan
from diglot.statestore.trace.wfformat import Trace, read_trace

SCRIPT = Path(__file__).parents[3] / "examples" / "record_trace.py"
TESTS = """
import time, pytest

@pytest.fixture(scope="session")
def server(tmp_path_factory):
    return tmp_path_factory.mktemp("server")

@pytest.fixture(scope="module")
def table(server):
    time.sleep(0.5)
    return bytearray(30_000_000)

@pytest.fixture
def late(request):
    return request.getfixturevalue("table")

@pytest.mark.parametrize("size", [1, 2, "a / b"])
def test_with(table, size):
    assert table

def test_late(late):
    assert late

class TestClass:
    def test_with(self):
        sum(range(300_000))
"""


def _record(folder: Path, tests: str, *arguments: str) -> tuple[int, str]:
    (folder / "test_things.py").write_text(tests)
    command = [sys.executable, SCRIPT, "run.json", "test_things.py", "-q", "-p", "no:cacheprovider", *arguments]
    env = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    ran = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=180)
    return ran.returncode, ran.stdout + ran.stderr


@pytest.fixture(scope="module", params=[[], ["-p", "xdist", "-n", "2"]], ids=["one process", "two workers"])
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trace:
    folder = tmp_path_factory.mktemp("recorded")
    code, output = _record(folder, TESTS, *request.param)
    assert code == 0, output
    return read_trace(folder / "run.json")


def test_every_test_is_a_task_that_says_what_it_used(recorded: Trace) -> None:
    tests = {task.id: task for task in recorded.tasks if task.arguments}
    assert set(tests) == {
        "test_with-1",
        "test_with-2",
        "test_with-a-b",
        "test_late",
        "TestClass.test_with",
    }
    assert tests["TestClass.test_with"].arguments == ("test_things.py::TestClass::test_with",)
    for test in tests.values():
        assert test.name == "test_things.py"
        assert test.program == "pytest"
        assert test.input_files == ("test_things.py",)
        assert test.machines[0] in recorded.machines
        assert 0 <= test.runtime < 60
        assert test.measured["memoryInBytes"] > 10_000_000
    assert recorded.sizes == {"test_things.py": len(TESTS)}


def test_edges_are_what_a_test_really_needed(recorded: Trace) -> None:
    parents = {task.id: task.parents for task in recorded.tasks}
    worker = {task.id: task.machines[0] for task in recorded.tasks}
    for test in ("test_with-1", "test_with-2", "test_with-a-b", "test_late"):
        assert set(parents[test]) == {f"collection.{worker[test]}", f"table.{worker[test]}"} | {
            parent for parent in parents[test] if parent.startswith(("server.", "tmp_path_factory."))
        }
    assert parents["TestClass.test_with"] == (f"collection.{worker['TestClass.test_with']}",)
    for fixture in (id for id in parents if id.startswith("table.")):
        assert f"server.{worker[fixture]}" in parents[fixture]
    assert set(parents["gathering"]) == {task.id for task in recorded.tasks if task.arguments}


def test_the_set_up_of_a_wide_fixture_is_no_part_of_the_test_that_came_first(recorded: Trace) -> None:
    tasks = {task.id: task for task in recorded.tasks}
    assert all(task.runtime >= 0.5 for id, task in tasks.items() if id.startswith("table."))
    assert all(task.runtime < 0.5 for id, task in tasks.items() if id.startswith("test_with"))


def test_a_replay_keeps_the_order_of_the_run(recorded: Trace) -> None:
    planned = plan(recorded)
    last = planned.trace.tasks[planned.steps[-1].task]
    assert last.id == "gathering"
    assert planned.steps[-1].at == pytest.approx(recorded.makespan, abs=0.05)
    assert {group.task_id for group in planned.groups} >= {"collection", "fixtures", "results"}


def test_a_run_that_failed_is_not_recorded(tmp_path: Path) -> None:
    code, output = _record(tmp_path, "def test_no():\n    assert False\n")
    assert code == 1
    assert "run.json was not written: 1 tests failed" in output
    assert not (tmp_path / "run.json").exists()


def test_a_run_without_tests_is_not_recorded(tmp_path: Path) -> None:
    assert "run.json was not written: no tests" in _record(tmp_path, "")[1]
    assert not (tmp_path / "run.json").exists()


def test_what_tells_of_the_machine_is_not_written(tmp_path: Path) -> None:
    tests = "import os, pytest\n@pytest.mark.parametrize('path', [os.getcwd()])\ndef test_here(path): pass\n"
    code, output = _record(tmp_path, tests)
    assert code == 0
    assert "run.json was not written: it would tell" in output
    assert not (tmp_path / "run.json").exists()


def test_without_a_file_it_says_how_it_is_used(tmp_path: Path) -> None:
    ran = subprocess.run([sys.executable, SCRIPT], cwd=tmp_path, capture_output=True, text=True, timeout=180)
    assert (ran.returncode, ran.stderr.split()[0]) == (2, "usage:")
