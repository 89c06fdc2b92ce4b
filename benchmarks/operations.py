"""What is measured, and what is to be reached."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from benchmarks import data
from benchmarks.contenders import KINDS, Contender, Kind
from benchmarks.data import Data, changed, task, task_id, workflow_id

Database = Literal["sqlite", "postgres"]
Arguments = list[tuple[Any, ...]]


class Operation(NamedTuple):
    """``method`` of a contender is called with each of ``arguments`` in turn, again and again."""

    name: str
    title: str
    method: str
    arguments: Callable[[Contender, Data], Arguments]
    kinds: tuple[Kind, ...] = KINDS


def _point_read(_: Contender, of: Data) -> Arguments:
    return [(workflow_id(e), task_id(e, n)) for n in range(0, data.TASKS_EACH, 10) for e in of.ordinary]


def _upsert(contender: Contender, of: Data) -> Arguments:
    some = of.ordinary[:40]
    states = [task(e, n) for n in range(5) for e in some]
    return [(contender.prepare(changed(state, step)),) for step in range(1, 3) for state in states]


def _page_of_tasks(_: Contender, of: Data) -> Arguments:
    return [(workflow_id(data.TREE),), (workflow_id(data.PARENT),), *((workflow_id(e),) for e in of.ordinary[:30])]


def _page_of_workflows(_: Contender, __: Data) -> Arguments:
    return [("SUCCESS",)]


def _upsert_many(contender: Contender, of: Data) -> Arguments:
    states = of.batch_of_tasks()
    return [([contender.prepare(changed(state, step)) for state in states],) for step in range(1, 3)]


def _tree(_: Contender, __: Data) -> Arguments:
    return [(workflow_id(data.TREE), task_id(data.TREE, 0))]


def _progress(_: Contender, __: Data) -> Arguments:
    return [(workflow_id(data.PARENT), task_id(data.PARENT, 0))]


def _workflow_with_tasks(_: Contender, of: Data) -> Arguments:
    return [(workflow_id(e),) for e in of.ordinary[:30]]


def _lock_and_save(_: Contender, of: Data) -> Arguments:
    some = of.ordinary[40:60]
    return [
        (workflow_id(e), task_id(e, n), status, {"text": f"{status} {n}", "score": n / 9})
        for status in ("RUNNING", "SUCCESS")
        for n in range(10)
        for e in some
    ]


def _authenticate(_: Contender, of: Data) -> Arguments:
    return [(of.secret,)]


OPERATIONS: tuple[Operation, ...] = (
    Operation("point-read", "read a task by its two keys", "get_task", _point_read),
    Operation("upsert", "upsert a task, answer its version", "upsert_task", _upsert),
    Operation("page-of-tasks", "page of 50 tasks of an execution", "list_tasks", _page_of_tasks),
    Operation("page-of-workflows", "page of 50 workflows by status", "list_workflows", _page_of_workflows),
    Operation("upsert-many", "upsert 1,000 tasks at once", "upsert_tasks", _upsert_many),
    Operation("tree", "tree of 1,000 tasks", "tree", _tree),
    Operation("progress", "progress of 100 children", "progress", _progress),
    Operation("workflow-with-tasks", "workflow with its 50 tasks", "workflow_with_tasks", _workflow_with_tasks),
    Operation("lock-and-save", "transaction: lock a task, save it", "lock_and_save", _lock_and_save),
    Operation("authenticate", "authenticate an API key", "authenticate", _authenticate, ("hand", "diglot")),
)


class Target(NamedTuple):
    """The median over the rounds of ``slower`` ÷ ``faster`` must be at most, or at least, ``limit``."""

    database: Database
    operation: str
    slower: Kind
    faster: Kind
    limit: float
    at_most: bool

    def reached(self, ratio: float) -> bool:
        return ratio <= self.limit if self.at_most else ratio >= self.limit


TARGETS: tuple[Target, ...] = (
    Target("sqlite", "point-read", "diglot", "hand", 1.6, True),
    Target("sqlite", "point-read", "core", "diglot", 2.0, False),
    Target("sqlite", "point-read", "orm", "diglot", 5.0, False),
    Target("sqlite", "upsert", "diglot", "hand", 1.3, True),
    Target("sqlite", "upsert", "core", "diglot", 2.0, False),
    Target("sqlite", "upsert", "orm", "diglot", 5.0, False),
    Target("sqlite", "upsert-many", "diglot", "hand", 1.3, True),
    Target("postgres", "point-read", "diglot", "hand", 1.1, True),
    Target("postgres", "upsert", "diglot", "hand", 1.1, True),
    Target("postgres", "upsert-many", "diglot", "hand", 1.3, True),
)
ONE_STATEMENT = ("point-read", "tree")
"""Operations that must be one statement and one round trip."""
