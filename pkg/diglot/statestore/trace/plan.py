"""The plan of a replay, worked out from a trace before anything is written: the groups, and the steps in order.

Groups: tasks of one kind, which get a common parent task. The kind is the task's name without the number of the
instance (``mProject_ID0000001`` → ``mProject``; a plain trailing number is removed only if name and id are the same,
because otherwise the name is already the kind). If more than half of the tasks would be alone in their group (names
that include a sample or a chunk), the kind is the program. Steps: each task starts when its parents have finished (and
not before its recorded time, if every task has one) and finishes after its recorded runtime.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from heapq import heappop, heappush

from msgspec import Struct

from diglot.statestore.trace.program import as_id, program_name
from diglot.statestore.trace.wfformat import Trace, TraceTask

_INSTANCE = re.compile(r"_ID\d+$")
_NUMBER = re.compile(r"[._-]\d+$")


class Group(Struct, frozen=True):
    """Tasks of one kind; ``members`` are positions in the trace's tasks."""

    task_id: str
    members: tuple[int, ...]


class Step(Struct, frozen=True):
    """A task starts or finishes, ``at`` seconds after the start of the execution."""

    at: float
    task: int
    starts: bool


class Plan(Struct, frozen=True):
    """A trace that is ready to replay: ``group_of`` and ``tools`` by the task's position, ``steps`` in order."""

    trace: Trace
    groups: tuple[Group, ...]
    group_of: tuple[int, ...]
    tools: tuple[str, ...]
    steps: tuple[Step, ...]


def plan(trace: Trace) -> Plan:
    """The plan for a valid trace. The same trace always has the same plan."""
    kinds = _kinds(trace.tasks)
    members: dict[str, list[int]] = {}
    for number, kind in enumerate(kinds):
        members.setdefault(kind, []).append(number)
    position = {kind: number for number, kind in enumerate(members)}
    names = _distinct_names(members, {task.id for task in trace.tasks})
    return Plan(
        trace=trace,
        groups=tuple(Group(name, tuple(found)) for name, found in zip(names, members.values(), strict=True)),
        group_of=tuple(position[kind] for kind in kinds),
        tools=tuple(program_name(task.program) or kind for task, kind in zip(trace.tasks, kinds, strict=True)),
        steps=tuple(_steps(trace.tasks)),
    )


def _kinds(tasks: Sequence[TraceTask]) -> list[str]:
    names = [_without_instance(task) for task in tasks]
    sizes = Counter(names)
    alone = sum(count for count in sizes.values() if count == 1)
    if alone * 2 <= len(tasks):
        return names
    programs = [program_name(task.program) or name for task, name in zip(tasks, names, strict=True)]
    return programs if len(set(programs)) < len(sizes) else names


def _without_instance(task: TraceTask) -> str:
    name = _INSTANCE.sub("", task.name)
    if name == task.name == task.id:
        name = _NUMBER.sub("", name)
    return name or task.name


def _distinct_names(kinds: Sequence[str] | dict[str, list[int]], taken: set[str]) -> list[str]:
    """A task_id for each group. A kind may also be the id of a task: the two must differ."""
    taken = set(taken)
    names = []
    for kind in kinds:
        name, number = kind, 1
        while name in taken:
            mark = " (group)" if number == 1 else f" (group {number})"
            name, number = as_id(kind, mark), number + 1
        taken.add(name)
        names.append(name)
    return names


def _steps(tasks: Sequence[TraceTask]) -> list[Step]:
    """A simulation: always the earliest of the starts and finishes that are due; ties in the trace's order."""
    number_of = {task.id: number for number, task in enumerate(tasks)}
    children: list[list[int]] = [[] for _ in tasks]
    missing = [len(task.parents) for task in tasks]
    for number, task in enumerate(tasks):
        for parent in task.parents:
            children[number_of[parent]].append(number)
    earliest = _recorded_starts(tasks)
    due: list[tuple[float, int, int, bool]] = []
    order = 0
    for number, count in enumerate(missing):
        if not count:
            heappush(due, (earliest[number], order, number, True))
            order += 1
    steps = []
    while due:
        at, _, number, starts = heappop(due)
        steps.append(Step(at, number, starts))
        if starts:
            heappush(due, (at + tasks[number].runtime, order, number, False))
            order += 1
            continue
        for child in children[number]:
            missing[child] -= 1
            if not missing[child]:
                heappush(due, (max(at, earliest[child]), order, child, True))
                order += 1
    return steps


def _recorded_starts(tasks: Sequence[TraceTask]) -> list[float]:
    """Seconds after the first start; all zero unless every task has a readable time."""
    moments = []
    for task in tasks:
        try:
            moment = datetime.fromisoformat(task.executed_at or "")
        except ValueError:
            return [0.0] * len(tasks)
        moments.append(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    first = min(moments)
    return [(moment - first).total_seconds() for moment in moments]
