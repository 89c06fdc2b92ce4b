"""What is shown of an execution's tasks: bounded, what went wrong first, and bars that stand where they belong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from diglot.statestore.models import STATUSES, StateError, TaskSummary
from diglot.statestore.server.pages.outline import (
    DEEPEST,
    MOST_CHILDREN,
    MOST_ROOTS,
    MOST_ROWS,
    Branch,
    Outline,
    counts,
    outline,
    percent,
    rows,
    span,
)

START = datetime(2026, 1, 31, tzinfo=UTC)


def task(id: str, parent: str | None = None, status: Any = "SUCCESS", begin: float = 0, end: float = 1) -> TaskSummary:
    at = [START + timedelta(seconds=seconds) for seconds in (begin, end)]
    error = StateError("it broke", "BROKEN") if status == "FAILED" else None
    return TaskSummary(id, id, "task", status, "basic", parent, error, *at)


def group(id: str, *statuses: str) -> list[TaskSummary]:
    return [task(id), *(task(f"{id}.{number}", id, status) for number, status in enumerate(statuses))]


def shown(branches: list[Branch]) -> list[str]:
    return [name for each in branches for name in (each.task.task_id, *shown(each.branches))]


def only(shape: Outline) -> Branch:
    assert len(shape.branches) == 1
    return shape.branches[0]


def test_what_failed_is_shown_before_what_runs_before_what_succeeded_in_the_order_of_creation() -> None:
    statuses = ["SUCCESS"] * 20 + ["RUNNING", "PENDING", "TIMED_OUT"] + ["SUCCESS"] * 20
    branch = only(outline(group("g", *statuses)))
    wanted = [*range(MOST_CHILDREN - 3), 20, 21, 22]
    assert [child.task.task_id for child in branch.branches] == [f"g.{number}" for number in wanted]
    assert branch.rest is not None
    assert (branch.rest.mixed, branch.rest.total) == ("35 SUCCESS", 35)
    assert branch.beneath is not None
    assert (branch.beneath.total, branch.beneath.done) == (43, 41)


def test_one_line_for_a_single_task_is_never_better_than_the_task() -> None:
    assert only(outline(group("g", *["SUCCESS"] * (MOST_CHILDREN + 1)))).rest is None
    assert only(outline(group("g", *["SUCCESS"] * (MOST_CHILDREN + 2)))).rest_of != []


def test_however_many_tasks_the_outline_is_bounded() -> None:
    many = [each for number in range(300) for each in group(f"g{number}", *["SUCCESS"] * 30)]
    shape = outline(many)
    assert len(shown(shape.branches)) <= MOST_ROWS + MOST_ROOTS
    assert shape.counts.total == len(many)
    assert shape.rest is not None
    assert shape.rest.total == 300 - MOST_ROOTS
    everything = sum(1 + (each.beneath.total if each.beneath else 0) for each in shape.branches)
    counted = len(shown(shape.branches)) + sum(each.rest.total for each in shape.branches if each.rest)
    assert counted == everything, "what is not shown is counted"


def test_when_no_row_is_left_a_group_only_counts_its_tasks() -> None:
    shape = outline([*group("a", *["SUCCESS"] * 4), *group("b", *["FAILED"])], most_rows=6)
    assert shown(shape.branches) == ["a", "a.0", "a.1", "a.2", "a.3", "b"]
    assert shape.branches[1].rest is not None
    assert shape.branches[1].rest.mixed == "1 FAILED"


def test_a_deep_chain_ends_in_a_count() -> None:
    chain = [task(f"t{number}", f"t{number - 1}" if number else None) for number in range(5000)]
    shape = outline(chain)
    assert len(shown(shape.branches)) == DEEPEST
    assert [row.tasks[0].task_id for row in rows(shape, {each.task_exec_id for each in chain})] == [
        f"t{number}" for number in range(DEEPEST + 1)
    ]


def test_a_task_whose_parent_is_not_among_them_is_a_root() -> None:
    assert shown(outline([task("a", "gone"), task("b", "a")]).branches) == ["a", "b"]


def test_groups_are_open_where_something_is_to_be_seen() -> None:
    quiet, busy = group("quiet", *["SUCCESS"] * 40), group("busy", "RUNNING")
    assert [each.open for each in outline([*quiet, *busy]).branches] == [False, True]
    assert only(outline(group("small", "SUCCESS"))).open, "where there are few rows anyway, all are seen"


def test_a_timeline_shows_groups_first_and_what_was_opened() -> None:
    shape = outline([*group("a", *["SUCCESS"] * 40), *group("b", "FAILED")])
    seen = [(row.depth, row.tasks[0].task_id, row.shut) for row in rows(shape)]
    assert seen == [(0, "a", True), (0, "b", False), (1, "b.0", False)]
    opened = rows(shape, ["a"])
    assert [row.depth for row in opened] == [0, *[1] * (MOST_CHILDREN + 1), 0, 1]
    assert len(opened[MOST_CHILDREN + 1].tasks) == 40 - MOST_CHILDREN
    assert opened[MOST_CHILDREN + 1].parent == "a"


def test_roots_that_are_not_shown_are_one_line_of_the_timeline() -> None:
    last = rows(outline([task(f"t{number}") for number in range(MOST_ROOTS + 10)]))[-1]
    assert (last.depth, len(last.tasks), last.branch, last.parent) == (0, 10, None, None)


def test_counts_fill_their_bar_and_stand_in_one_order() -> None:
    found = counts([task(str(number), None, status) for number, status in enumerate([*STATUSES, "SUCCESS"])])
    assert set(found.by_status) == set(STATUSES)
    assert next(iter(found.by_status)) == "SUCCESS"
    assert list(found.by_status)[-1] == "PENDING"
    parts = [(float(part.start[:-1]), float(part.width[:-1])) for part in found.parts]
    for (start, width), (following, _) in pairwise(parts):
        assert start + width == pytest.approx(following, abs=0.01)
    assert sum(parts[-1]) == pytest.approx(100, abs=0.01)


def test_bars_stand_where_they_belong() -> None:
    tasks = [task("a", None, "SUCCESS", 0, 5), task("b", None, "RUNNING", 5, 6)]
    now = START + timedelta(seconds=10)
    scale = span(START, tasks, now)
    assert scale.seconds == 10
    a, b, both = scale.part(tasks[:1], now), scale.part(tasks[1:], now), scale.part(tasks, now)
    assert (a.status, a.start, a.width) == ("SUCCESS", "0%", "50%")
    assert (b.status, b.start, b.width) == ("RUNNING", "50%", "50%")
    assert (both.status, both.start, both.width) == ("several", "0%", "100%")
    assert [(at, seconds) for at, seconds in scale.ticks][::2] == [("0%", 0), ("50%", 5), ("100%", 10)]


def test_a_bar_is_always_seen_and_never_beyond_the_end() -> None:
    tasks = [task("a", None, "SUCCESS", 0, 1000), task("b", None, "SUCCESS", 1000, 1000)]
    part = span(START, tasks, START).part(tasks[1:], START)
    assert float(part.width[:-1]) > 0
    assert float(part.start[:-1]) + float(part.width[:-1]) == pytest.approx(100)


def test_a_run_without_any_time_has_a_scale() -> None:
    assert span(START, [task("a", None, "SUCCESS", 0, 0)], START).part([task("a", None, "SUCCESS", 0, 0)], START)
    assert span(START, [], START).seconds > 0


def test_percents_are_short() -> None:
    assert [percent(value) for value in (0.0, 50.0, 33.33333, 0.0004)] == ["0%", "50%", "33.333%", "0%"]


def test_an_error_is_one_line() -> None:
    assert only(outline([task("a", None, "FAILED")])).error == "BROKEN: it broke"
    assert only(outline([task("a")])).error == ""
