"""The tree in the terminal: what each line says, what is collapsed, and that it fits the width."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console

from diglot.statestore.cli.tree import workflow_tree
from diglot.statestore.durations import duration_of, duration_text
from diglot.statestore.models import Status, TaskState, TreeNode, WorkflowState

START = datetime(2026, 1, 31, 9, 5, 7, tzinfo=UTC)
RUN = WorkflowState(
    "exec", "montage", "SUCCESS", created_at=START, updated_at=START + timedelta(seconds=2, milliseconds=500)
)


def _task(name: str, parent: str | None = None, status: Status = "SUCCESS", seconds: float | None = 1.0) -> TaskState:
    output = None if seconds is None else {"runtimeInSeconds": seconds}
    return TaskState("exec", name, name, "montage", "tool", status, parent_state_id=parent, output=output)


def _shown(tasks: list[TaskState], *, columns: int = 100, width: int = 8, max_depth: int = 100) -> list[str]:
    out = StringIO()
    Console(file=out, width=columns).print(workflow_tree(RUN, tasks, width=width, max_depth=max_depth))
    return out.getvalue().splitlines()


def test_each_line_says_name_status_and_duration() -> None:
    assert _shown([_task("mAdd"), _task("mAdd_1", "mAdd", "RUNNING"), _task("mAdd_2", "mAdd", seconds=90)]) == [
        "montage  SUCCESS  2.5 s  3 tasks",
        "└── mAdd  SUCCESS  1.0 s  2 tasks: 1 RUNNING, 1 SUCCESS",
        "    ├── mAdd_1  RUNNING",
        "    └── mAdd_2  SUCCESS  1 min 30 s",
    ]


def test_where_it_is_wide_it_is_collapsed_into_one_line() -> None:
    tasks = [_task("group")] + [_task(f"t{n}", "group", seconds=n) for n in range(20)]
    assert _shown(tasks, width=3) == [
        "montage  SUCCESS  2.5 s  21 tasks",
        "└── group  SUCCESS  1.0 s  20 tasks",
        "    ├── t0  SUCCESS  0.0 ms",
        "    ├── t1  SUCCESS  1.0 s",
        "    ├── t2  SUCCESS  2.0 s",
        "    └── … 17 more: 17 SUCCESS, 3.0 s to 19.0 s",
    ]


def test_one_too_many_is_shown_rather_than_counted() -> None:
    assert [line.split()[1] for line in _shown([_task(f"t{n}") for n in range(4)], width=3)[1:]] == [
        "t0", "t1", "t2", "t3",
    ]  # fmt: skip


def test_the_first_level_may_be_wider_than_the_others() -> None:
    tasks = [_task(f"g{n}") for n in range(4)] + [_task(f"t{n}", "g0") for n in range(4)]
    out = StringIO()
    Console(file=out, width=100).print(workflow_tree(RUN, tasks, width=1, top=4))
    shown = [line.strip("│├└─ ").split("  ")[0] for line in out.getvalue().splitlines()[1:]]
    assert shown == ["g0", "t0", "… 3 more: 3 SUCCESS, 1.0 s to 1.0 s", "g1", "g2", "g3"]


def test_what_did_not_succeed_is_never_hidden_behind_what_did() -> None:
    tasks = [_task(f"t{n}", status="FAILED" if n in (7, 9) else "SUCCESS") for n in range(12)]
    assert _shown(tasks, width=3)[1:] == [
        "├── t0  SUCCESS  1.0 s",
        "├── t7  FAILED  1.0 s",
        "├── t9  FAILED  1.0 s",
        "└── … 9 more: 9 SUCCESS, 1.0 s to 1.0 s",
    ]


def test_more_failures_than_there_is_room_for_are_counted() -> None:
    tasks = [_task(f"t{n}", status="TIMED_OUT" if n % 2 else "PENDING", seconds=None) for n in range(6)]
    assert _shown(tasks, width=0)[1:] == ["├── t0  PENDING", "└── … 5 more: 2 PENDING, 3 TIMED_OUT"]


@pytest.mark.parametrize("columns", [100, 60, 40])
def test_status_and_duration_stay_in_sight_at_any_width(columns: int) -> None:
    name = "tests.trace.test_replay.test_that_has_a_name[sqlite-file]_which_is_longer_than_the_terminal_is_wide"
    lines = _shown([_task("group"), _task(name, "group", seconds=0.123)], columns=columns)
    assert all(len(line) <= columns for line in lines)
    assert len(lines) == 3
    assert lines[2].startswith("    └── tests.trace")
    assert lines[2].endswith("…  SUCCESS  123 ms")


def test_ids_are_text_not_markup() -> None:
    assert _shown([_task("[bold]x[/bold]", seconds=None)])[1] == "└── [bold]x[/bold]  SUCCESS"


def test_a_task_whose_parent_is_not_there_hangs_from_the_workflow() -> None:
    assert _shown([_task("t", "elsewhere")])[1] == "└── t  SUCCESS  1.0 s"


def test_tree_nodes_are_taken_as_well_as_tasks() -> None:
    tasks = [_task("a"), _task("b", "a")]
    nodes = [TreeNode(0, tasks[0]), TreeNode(1, tasks[1])]
    out = StringIO()
    Console(file=out, width=100).print(workflow_tree(RUN, nodes))
    assert out.getvalue().splitlines() == _shown(tasks)


def test_a_chain_deeper_than_pythons_stack_is_built_and_cut_where_asked() -> None:
    chain = [_task(f"t{n}", f"t{n - 1}" if n else None) for n in range(3000)]
    assert workflow_tree(RUN, chain).children
    assert _shown(chain, max_depth=2) == [
        "montage  SUCCESS  2.5 s  3,000 tasks",
        "└── t0  SUCCESS  1.0 s  1 task",
        "    └── t1  SUCCESS  1.0 s  1 task",
    ]


def test_the_duration_is_what_the_engine_recorded_or_else_from_creation_to_end() -> None:
    times = {"created_at": START, "updated_at": START + timedelta(seconds=4)}
    assert duration_of(_task("t", seconds=7)) == 7.0
    assert duration_of(_task("t", seconds=None).replace(**times)) == 4.0
    assert duration_of(_task("t", seconds=None).replace(output={"runtimeInSeconds": True}, **times)) == 4.0
    assert duration_of(_task("t", status="RUNNING", seconds=7).replace(**times)) is None
    assert duration_of(_task("t", seconds=None)) is None


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.0 ms"),
        (0.00084, "0.8 ms"),
        (0.0099, "9.9 ms"),
        (0.00999, "10 ms"),
        (0.345, "345 ms"),
        (0.9996, "1.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (192, "3 min 12 s"),
        (3599.6, "1 h 00 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_durations_are_written_for_people(seconds: float, shown: str) -> None:
    assert duration_text(seconds) == shown
