"""How the calls of one execution grow with its tasks: 100, 1,000 and 10,000, on a new database.

Where the answer is ten times as large, a call may cost ten times as much; where it stays the same, what it did before.
Once as a running engine has it, without statistics, and once with statistics that are made after each load.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from contextlib import closing
from time import perf_counter
from typing import Any, NamedTuple

from benchmarks.contenders import open_contender
from benchmarks.databases import Place
from diglot import statestore
from diglot.sql.session import Statement
from diglot.statestore.database import Database
from diglot.statestore.models import TaskState, WorkflowState

SIZES = (100, 1_000, 10_000)
FAN = 8
_ANALYZE = Statement("growth.analyze", "analyze workflow_states; analyze task_states;")


class Growth(NamedTuple):
    """Milliseconds by size: the medians of a few calls, of one where the call changes something."""

    call: str
    with_statistics: bool
    milliseconds: dict[int, float]


def measure(place: Place, sizes: tuple[int, ...] = SIZES) -> list[Growth]:
    return [
        Growth(call, with_statistics, milliseconds)
        for with_statistics in (False, True)
        for call, milliseconds in _measure(place.new(), sizes, with_statistics).items()
    ]


def _measure(url: str, sizes: tuple[int, ...], with_statistics: bool) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {}
    with statestore.open(url) as db, closing(open_contender("hand", url)) as hand:
        for n in sizes:
            tasks = _execution(db, f"tree-{n}", n, FAN)
            exec_id, ids = tasks[0].workflow_exec_id, [task.task_exec_id for task in tasks]
            found.setdefault("write them at once", {})[n] = _took(lambda: db.tasks.upsert_many(tasks))  # noqa: B023
            if with_statistics:
                db.store.script(_ANALYZE)
            calls: dict[str, Callable[[], Any]] = {
                "tree": lambda: db.tasks.tree(ids[0], workflow_exec_id=exec_id),  # noqa: B023
                "tree, by hand": lambda: hand.tree(exec_id, ids[0]),  # noqa: B023
                "tree of 9 of them": lambda: db.tasks.tree(ids[n // 9], workflow_exec_id=exec_id),  # noqa: B023
                "execution with its tasks": lambda: db.workflows.get(exec_id),  # noqa: B023
                "page of 50": lambda: db.tasks.list(workflow_exec_id=exec_id),  # noqa: B023
                "progress of 8 children": lambda: db.tasks.progress(ids[3], exec_id),  # noqa: B023
            }
            for name, call in calls.items():
                found.setdefault(name, {})[n] = statistics.median(_took(call) for _ in range(11 if n < 10_000 else 5))
            found.setdefault("complete", {})[n] = _took(lambda: db.workflows.complete(exec_id))  # noqa: B023
            found.setdefault("delete an eighth", {})[n] = _took(lambda: db.tasks.delete(ids[1], exec_id))  # noqa: B023
            found.setdefault("delete the execution", {})[n] = _took(lambda: db.workflows.delete(exec_id))  # noqa: B023
            chain = _execution(db, f"chain-{n}", n, 1)
            db.tasks.upsert_many(chain)
            top = chain[0].task_exec_id, chain[0].workflow_exec_id
            found.setdefault("delete a chain", {})[n] = _took(lambda: db.tasks.delete(*top))  # noqa: B023
    return found


def _execution(db: Database, exec_id: str, n: int, fan: int) -> list[TaskState]:
    """Stored, and n tasks of it that are not: each has ``fan`` children."""
    db.workflows.upsert(WorkflowState(exec_id, "growth", "RUNNING"))
    return [
        TaskState(
            workflow_exec_id=exec_id,
            task_exec_id=f"{exec_id}-{number}",
            task_id=f"step-{number}",
            workflow_id="growth",
            component="task",
            status="SUCCESS" if number % 7 else "FAILED",
            parent_state_id=f"{exec_id}-{(number - 1) // fan}" if number else None,
            tool_id=f"tool-{number % 5}",
            input={"number": number},
            output={"text": "x" * 50},
        )
        for number in range(n)
    ]


def _took(call: Callable[[], Any]) -> float:
    started = perf_counter()
    call()
    return (perf_counter() - started) * 1000
