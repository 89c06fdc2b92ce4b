"""An execution's tasks for people: a tree in which wide groups and deep levels are shortened.

If a task has many children, only some are shown: first those that did not succeed, then the earliest; one line counts
the rest and links to all of them. A page thus has a bounded size, however many tasks there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from diglot.statestore.models import TERMINAL, TaskSummary

MOST_ROOTS = 40
MOST_CHILDREN = 8
MOST_ROWS = 400
DEEPEST = 12
FEW_ROWS = 30
_ORDER = ("SUCCESS", "FAILED", "TIMED_OUT", "CANCELED", "RUNNING", "WAITING", "PAUSED", "PENDING")
_INTEREST = {"FAILED": 0, "TIMED_OUT": 0, "RUNNING": 1, "WAITING": 1, "PAUSED": 1, "CANCELED": 2, "PENDING": 2}


class Part(msgspec.Struct, frozen=True):
    """A part of a bar: its ``start`` and ``width`` in percent."""

    status: str
    start: str
    width: str


class Counts(msgspec.Struct, frozen=True):
    """How many tasks have which status; statuses of ended tasks come first."""

    total: int
    by_status: dict[str, int]

    @property
    def done(self) -> int:
        return sum(number for status, number in self.by_status.items() if status in TERMINAL)

    @property
    def mixed(self) -> str:
        """``3 FAILED, 42 SUCCESS``"""
        return ", ".join(f"{number:,} {status}" for status, number in self.by_status.items())

    @property
    def parts(self) -> list[Part]:
        """The parts of one bar, side by side."""
        found, begin = [], 0.0
        for status, number in self.by_status.items():
            width = 100 * number / self.total
            found.append(Part(status, percent(begin), percent(width)))
            begin += width
        return found


class Branch(msgspec.Struct, frozen=True):
    """A task with the children that are shown; ``rest`` counts the others, ``beneath`` counts all children."""

    task: TaskSummary
    beneath: Counts | None
    branches: list[Branch]
    rest: Counts | None
    rest_of: list[TaskSummary]
    open: bool

    @property
    def error(self) -> str:
        """Why it failed, in one line."""
        error = self.task.error
        return "" if error is None else ": ".join(text for text in (error.code, error.message) if text)


class Outline(msgspec.Struct, frozen=True):
    counts: Counts
    branches: list[Branch]
    rest: Counts | None
    rest_of: list[TaskSummary]


def outline(tasks: Sequence[TaskSummary], most_rows: int = MOST_ROWS) -> Outline:
    """``tasks`` are in the order of siblings; a task whose parent is not among them is a root."""
    known = {task.task_exec_id for task in tasks}
    children: dict[str | None, list[TaskSummary]] = {}
    for task in tasks:
        parent = task.parent_state_id
        children.setdefault(parent if parent in known else None, []).append(task)
    roots, rest = _cut(children.get(None, []), MOST_ROOTS)
    budget = _Budget(most_rows - len(roots), few=len(tasks) <= FEW_ROWS)
    branches = [_branch(task, children, 1, budget) for task in roots]
    return Outline(counts(tasks), branches, counts(rest) if rest else None, rest)


class Row(msgspec.Struct, frozen=True):
    """A line of a timeline: a task, or several below ``parent`` that are not shown individually; ``shut``: the tasks
    below it are not shown."""

    depth: int
    tasks: list[TaskSummary]
    branch: Branch | None
    parent: str | None
    shut: bool


def rows(shape: Outline, opened: Collection[str] = ()) -> list[Row]:
    """The tree from top to bottom; nothing is shown below a task that is neither open nor in ``opened``."""
    found = list(_rows(shape.branches, 0, opened))
    return [*found, Row(0, shape.rest_of, None, None, False)] if shape.rest_of else found


def _rows(branches: list[Branch], depth: int, opened: Collection[str]) -> Iterator[Row]:
    for branch in branches:
        id = branch.task.task_exec_id
        shut = branch.beneath is not None and not branch.open and id not in opened
        yield Row(depth, [branch.task], branch, None, shut)
        if not shut:
            yield from _rows(branch.branches, depth + 1, opened)
            if branch.rest_of:
                yield Row(depth + 1, branch.rest_of, None, id, False)


def counts(tasks: Iterable[TaskSummary]) -> Counts:
    found = Counter(str(task.status) for task in tasks)
    return Counts(found.total(), {status: found[status] for status in _ORDER if found[status]})


def percent(value: float) -> str:
    """Three decimals are less than a pixel of any screen."""
    return f"{value:.3f}".rstrip("0").rstrip(".") + "%"


class Span(msgspec.Struct, frozen=True):
    """The time that a timeline shows."""

    begin: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        return max((self.end - self.begin).total_seconds(), 1e-6)

    def part(self, tasks: Sequence[TaskSummary], now: datetime) -> Part:
        """The bar of a task, or of several together: from the first creation to the last end."""
        begin = min(task.created_at for task in tasks)
        end = max(_end(task, now) for task in tasks)
        start = 100 * (begin - self.begin).total_seconds() / self.seconds
        width = max(100 * (end - begin).total_seconds() / self.seconds, 0.35)
        start = min(max(start, 0.0), 100.0 - width)
        return Part(tasks[0].status if len(tasks) == 1 else "several", percent(start), percent(width))

    @property
    def ticks(self) -> list[tuple[str, float]]:
        """Its quarters: the position, and the seconds from the beginning."""
        return [(percent(25.0 * quarter), self.seconds * quarter / 4) for quarter in range(5)]


def span(created_at: datetime, tasks: Sequence[TaskSummary], now: datetime) -> Span:
    """From the execution's start to its last task's end, which is now for a running task."""
    begin = min([created_at, *(task.created_at for task in tasks)])
    return Span(begin, max([begin, *(_end(task, now) for task in tasks)]))


# --- how it is shortened -------------------------------------------------------------------------------------------


class _Budget:
    """How many rows are left for children."""

    def __init__(self, rows: int, *, few: bool) -> None:
        self.rows = rows
        self.few = few


def _branch(task: TaskSummary, children: Mapping[str | None, list[TaskSummary]], depth: int, budget: _Budget) -> Branch:
    below = children.get(task.task_exec_id, [])
    if not below:
        return Branch(task, None, [], None, [], False)
    room = max(min(MOST_CHILDREN, budget.rows), 0) if depth < DEEPEST else 0
    shown, rest = _cut(below, room)
    budget.rows -= len(shown)
    beneath = counts(below)
    return Branch(
        task,
        beneath,
        [_branch(child, children, depth + 1, budget) for child in shown],
        counts(rest) if rest else None,
        rest,
        open=budget.few or not beneath.by_status.keys() <= {"SUCCESS", "PENDING"},
    )


def _cut(tasks: list[TaskSummary], most: int) -> tuple[list[TaskSummary], list[TaskSummary]]:
    """The tasks to show, in their order, and the rest. A rest of one task is shown as the task itself."""
    if len(tasks) <= most + (most > 0):
        return tasks, []
    by_interest = sorted(tasks, key=lambda task: _INTEREST.get(task.status, 3))
    chosen = {task.task_exec_id for task in by_interest[:most]}
    shown = [task for task in tasks if task.task_exec_id in chosen]
    return shown, [task for task in tasks if task.task_exec_id not in chosen]


def _end(task: TaskSummary, now: datetime) -> datetime:
    return task.updated_at if task.status in TERMINAL else max(now, task.updated_at)
