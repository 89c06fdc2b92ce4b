"""Reads WfFormat 1.5, the JSON format of workflow execution traces (https://wfcommons.org/format).

The result is complete and valid: every parent exists, nothing waits for itself, every task has a record of how it ran,
and the store accepts every value. Anything else raises a TraceError with the reason and the place, before anything is
written. Real traces are looser than the format's schema (paths as file ids, ``machines`` for ``machine``): what can be
kept is kept.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Sequence
from importlib import resources
from os import PathLike, fspath
from pathlib import Path

from msgspec import Struct

from diglot.errors import InvalidValue
from diglot.statestore.errors import TraceError
from diglot.statestore.repositories.validation import check_id
from diglot.statestore.trace.document import (
    MAX_BYTES,
    Command,
    Document,
    ExecutedTask,
    RuntimeSystem,
    SpecifiedTask,
    decode,
)

BUNDLED = "own-test-run.json"


class TraceTask(Struct, frozen=True):
    """One task: its specification and how it ran. ``runtime`` is in seconds; None: not recorded."""

    id: str
    name: str
    parents: tuple[str, ...]
    input_files: tuple[str, ...]
    output_files: tuple[str, ...]
    runtime: float
    executed_at: str | None
    program: str | None
    arguments: tuple[str, ...]
    machines: tuple[str, ...]
    measured: dict[str, float | int]
    """Other measurements, under the format's own names: avgCPU (%), memoryInBytes, readBytes …"""


class Trace(Struct, frozen=True):
    """A recorded execution; tasks in the order of the file, ``sizes`` in bytes by file id."""

    name: str
    tasks: tuple[TraceTask, ...]
    sizes: dict[str, int]
    makespan: float
    executed_at: str
    description: str | None = None
    created_at: str | None = None
    runtime_system: str | None = None
    machines: tuple[str, ...] = ()


def read_trace(path: str | PathLike[str], max_bytes: int = MAX_BYTES) -> Trace:
    """The trace in this file; ``-`` is standard input. Raises TraceError if it can't be read or replayed."""
    if fspath(path) == "-":
        return parse_trace(sys.stdin.buffer.read(max_bytes + 1), "standard input", max_bytes)
    source = repr(fspath(path))
    try:
        with Path(path).open("rb") as file:
            text = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise TraceError(f"there is no file {source}: name a WfFormat trace") from None
    except IsADirectoryError:
        raise TraceError(f"trace {source} is a folder: name the JSON file in it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TraceError(f"trace {source} can't be read: {reason}") from error
    return parse_trace(text, source, max_bytes)


def bundled_trace() -> Trace:
    """The trace that comes with the package: a small run of the project's tests, made by examples/record_trace.py."""
    recording = resources.files("diglot.statestore.trace") / BUNDLED
    return parse_trace(recording.read_bytes(), f"{BUNDLED!r} of the package")


def parse_trace(text: bytes, source: str, max_bytes: int = MAX_BYTES) -> Trace:
    """The trace in this text; ``source`` is its name in errors."""
    try:
        return _trace(decode(text, max_bytes))
    except TraceError as error:
        raise TraceError(f"trace {source}: {error}") from error.__cause__


def _trace(document: Document) -> Trace:
    specified, files = document.workflow.specification.tasks, document.workflow.specification.files
    execution = document.workflow.execution
    if execution is None:
        raise TraceError("it has no $.workflow.execution: a replay needs to know how each task ran")
    if not specified:
        raise TraceError("$.workflow.specification.tasks is empty: there is nothing to replay")
    _check_id(document.name, "$.name")
    places = "$.workflow.specification.tasks"
    for number, task in enumerate(specified):
        _check_id(task.id, f"{places}[{number}].id")
        _check_id(task.name, f"{places}[{number}].name")
    _no_duplicates([task.id for task in specified], places)
    _no_duplicates([file.id for file in files], "$.workflow.specification.files")
    _check_edges(specified, places)
    _check_order(specified)
    executed = _by_task(execution.tasks, specified)
    return Trace(
        name=document.name,
        tasks=tuple(_task(task, executed[task.id]) for task in specified),
        sizes={file.id: file.size_in_bytes for file in files},
        makespan=float(execution.makespan_in_seconds),
        executed_at=execution.executed_at,
        description=document.description,
        created_at=document.created_at,
        runtime_system=_system_name(document.runtime_system),
        machines=tuple(machine.node_name for machine in execution.machines),
    )


def _check_id(value: str, place: str) -> None:
    try:
        check_id(value, place)
    except InvalidValue as error:
        raise TraceError(str(error)) from None


def _no_duplicates(ids: Sequence[str], place: str) -> None:
    first: dict[str, int] = {}
    for number, found in enumerate(ids):
        if first.setdefault(found, number) != number:
            raise TraceError(f"{place}[{number}]: the id {found!r} is already at [{first[found]}]")


def _check_edges(tasks: Sequence[SpecifiedTask], place: str) -> None:
    """Checks that every parent and child exists, and that the two lists agree."""
    parents = {task.id: set(task.parents) for task in tasks}
    children = {task.id: set(task.children) for task in tasks}
    for number, task in enumerate(tasks):
        for kind, named in (("parent", task.parents), ("child", task.children)):
            for other in named:
                if other not in parents:
                    raise TraceError(f"{place}[{number}]: the {kind} {other!r} of {task.id!r} is not a task")
    for number, task in enumerate(tasks):
        for kind, named, back, among in (
            ("parent", task.parents, children, "children"),
            ("child", task.children, parents, "parents"),
        ):
            for other in named:
                if task.id not in back[other]:
                    raise TraceError(
                        f"{place}[{number}]: {task.id!r} names {other!r} as its {kind}, "
                        f"but {other!r} does not have it among its {among}"
                    )


def _check_order(tasks: Sequence[SpecifiedTask]) -> None:
    """Checks that there is an order in which every task comes after its parents."""
    missing = {task.id: len(set(task.parents)) for task in tasks}
    children = {task.id: set(task.children) for task in tasks}
    free = deque(id for id, count in missing.items() if not count)
    while free:
        done = free.popleft()
        del missing[done]
        for child in children[done]:
            missing[child] -= 1
            if not missing[child]:
                free.append(child)
    if missing:
        circle = _circle({task.id: task.parents for task in tasks if task.id in missing})
        shown = circle if len(circle) <= 12 else [*circle[:6], "…", *circle[-5:]]
        raise TraceError(f"its tasks wait for each other in a cycle: {' → '.join(shown)}")


def _circle(parents: dict[str, list[str]]) -> list[str]:
    """A cycle among tasks that each have a parent among them, in the order in which they run, first = last."""
    path: dict[str, None] = {}
    at = next(iter(parents))
    while at not in path:
        path[at] = None
        at = next(parent for parent in parents[at] if parent in parents)
    names = list(path)
    return [at, *reversed(names[names.index(at) :])]


def _by_task(executed: Sequence[ExecutedTask], specified: Sequence[SpecifiedTask]) -> dict[str, ExecutedTask]:
    place = "$.workflow.execution.tasks"
    _no_duplicates([task.id for task in executed], place)
    known = {task.id for task in specified}
    for number, entry in enumerate(executed):
        if entry.id not in known:
            raise TraceError(f"{place}[{number}]: {entry.id!r} is not a task of the specification")
    found = {task.id: task for task in executed}
    for task in specified:
        if task.id not in found:
            raise TraceError(f"{place} has no entry for {task.id!r}: how did it run?")
    return found


def _task(specified: SpecifiedTask, executed: ExecutedTask) -> TraceTask:
    command = executed.command or Command()
    return TraceTask(
        id=specified.id,
        name=specified.name,
        parents=tuple(dict.fromkeys(specified.parents)),
        input_files=tuple(specified.input_files),
        output_files=tuple(specified.output_files),
        runtime=float(executed.runtime_in_seconds),
        executed_at=executed.executed_at,
        program=command.program,
        arguments=tuple(command.arguments),
        machines=tuple(executed.machines) or ((executed.machine,) if executed.machine else ()),
        measured=executed.measured(),
    )


def _system_name(system: RuntimeSystem | None) -> str | None:
    return None if system is None else f"{system.name} {system.version or ''}".strip()
