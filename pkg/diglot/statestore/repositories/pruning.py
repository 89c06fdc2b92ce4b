"""Deletes old executions in small steps: other writers never wait long.

One statement deletes many executions with their tasks. An execution that is too large for a step, or whose tasks are
nested too deeply for a foreign key, is taken apart: it is marked first (its error has the code PRUNED), then its newest
tasks are deleted, some at a time, and finally the execution. An execution that has lost tasks therefore never looks
complete, whether it is read in between or after an interruption, and the next run continues with it. Each statement
checks again whether the execution has ended and is old enough.

A task is deleted before its parent; otherwise the foreign key would delete all of the parent's children in one step.
Newest first is that order, except for tasks that are older than their parents: these are detached from their parents
before anything is deleted, which also opens every ring of parents.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from diglot.statestore.models import TERMINAL, StateError, Status
from diglot.statestore.repositories.rows import Prunable, RowSize

if TYPE_CHECKING:
    from diglot.sql.session import Session
    from diglot.statestore.queries import Queries

GOAL = 0.025
"""Seconds that a step should take: on SQLite, others wait for it."""
ENDED: tuple[Status, ...] = ("SUCCESS", "FAILED", "TIMED_OUT", "CANCELED")
FIRST, LEAST, MOST = 200, 20, 5_000
"""The weight of the first step, the smallest and the largest."""
PAGE_BYTES = 4096
"""Deleting this many bytes of documents takes as long as deleting a row. A row weighs 1 plus its documents."""
DEEP = 64
"""An execution with fewer tasks is never nested too deeply."""
PRUNED = StateError(code="PRUNED", message="'diglot prune' is deleting this execution: tasks of it are missing")
_CANDIDATES = 50


class Pruned(msgspec.Struct, frozen=True):
    """How many executions and tasks were deleted, or would be. ``tasks`` is counted up to 5,000 for each execution that
    would be deleted."""

    workflows: int
    tasks: int


def prune(
    session: Session,
    queries: Queries,
    before: datetime,
    *,
    statuses: Sequence[Status] = ENDED,
    keep_last: int | None = None,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda _done: None,
    clock: Callable[[], float] = time.perf_counter,
) -> Pruned:
    """Delete the executions with these statuses that have not changed since ``before``, except the newest ``keep_last``
    of each workflow. ``progress`` gets the number of executions deleted so far, after each step."""
    step = _Step(session, queries, before, progress, clock)
    workflows = tasks = 0
    for status in statuses:
        for found, weighed in _candidates(session, queries, status, before, keep_last, None if dry_run else step):
            if dry_run:
                workflows += len(found)
                tasks += sum(one.task_count for one in found)
            else:
                step.delete(found, weighed)
    return Pruned(workflows, tasks) if dry_run else Pruned(step.workflows, step.tasks)


def _candidates(
    session: Session,
    queries: Queries,
    status: Status,
    before: datetime,
    keep_last: int | None,
    step: _Step | None,
) -> Iterator[tuple[list[Prunable], int]]:
    """Pages of executions, each with the number of tasks up to which they were weighed: 0 without a ``step``."""
    after: Prunable | None = None
    while True:
        weighed = 0 if step is None else step.room
        found = queries.workflows.prunable_workflows(
            session,
            status=status,
            before=before,
            keep_last=keep_last,
            after_created_at=after.created_at if after is not None else None,
            after_id=after.workflow_exec_id if after is not None else None,
            most=MOST,
            weighed=weighed,
            limit=_CANDIDATES,
        )
        if found:
            yield found, weighed
        if len(found) < _CANDIDATES:
            return
        after = found[-1]


class _Step:
    """Deletes as much at a time as the goal allows. ``workflows`` and ``tasks`` count what was deleted."""

    def __init__(
        self,
        session: Session,
        queries: Queries,
        before: datetime,
        progress: Callable[[int], None],
        clock: Callable[[], float],
    ) -> None:
        self._session = session
        self._queries = queries
        self._before = before
        self._progress = progress
        self._clock = clock
        self.room = FIRST
        self.workflows = self.tasks = 0

    def delete(self, found: Sequence[Prunable], weighed: int) -> None:
        """Deletes small executions together and takes large ones apart. The bytes of one with more tasks than
        ``weighed`` are unknown."""
        batch: list[Prunable] = []
        weight = 0
        for one in found:
            if one.task_count > weighed or _weight(one) > self.room or self._is_nested(one):
                self._take_apart(one)
                continue
            if batch and weight + _weight(one) > self.room:
                self._delete_whole(batch, weight)
                batch, weight = [], 0
            batch.append(one)
            weight += _weight(one)
        if batch:
            self._delete_whole(batch, weight)

    def _is_nested(self, one: Prunable) -> bool:
        """Whether its tasks have more levels than a foreign key should delete (deep.py), or a ring of parents."""
        if one.task_count < DEEP:
            return False
        tasks, id = self._queries.tasks, one.workflow_exec_id
        return bool(
            tasks.tasks_before_parents(self._session, workflow_exec_id=id, after_id="", limit=1)
            or tasks.deep_tasks(self._session, workflow_exec_id=id, task_exec_id=None, no_parent=True)
        )

    def _delete_whole(self, batch: Sequence[Prunable], weight: int) -> None:
        ids = [one.workflow_exec_id for one in batch]
        with self._timed(weight):
            gone = set(self._queries.workflows.prune_workflows(self._session, ids=ids, before=self._before))
        self._count(len(gone), sum(one.task_count for one in batch if one.workflow_exec_id in gone))

    def _take_apart(self, one: Prunable) -> None:
        tasks, workflows, id = self._queries.tasks, self._queries.workflows, one.workflow_exec_id
        if not workflows.mark_pruned(self._session, workflow_exec_id=id, error=PRUNED, before=self._before):
            return
        after = ""
        while found := tasks.tasks_before_parents(self._session, workflow_exec_id=id, after_id=after, limit=MOST):
            if not self._cut(id, found):
                return
            after = found[-1]
        deep = tasks.deep_tasks(self._session, workflow_exec_id=id, task_exec_id=None, no_parent=True)
        if not self._cut(id, deep):
            return
        if deep:
            self.room = LEAST  # the cost of each level grows with the number of levels above it
        while newest := tasks.newest_tasks(self._session, workflow_exec_id=id, limit=self.room):
            ids, weight = _fitting(newest, self.room)
            with self._timed(weight):
                count = tasks.prune_tasks(self._session, workflow_exec_id=id, ids=ids, before=self._before)
            if not count:
                return
            self._count(0, len(ids))  # not count: it excludes tasks that the foreign key deletes with their parent
        with self._timed(_weight(one)):
            gone = workflows.prune_workflows(self._session, ids=[id], before=self._before)
        self._count(len(gone), 0)

    def _cut(self, id: str, ids: Sequence[str]) -> bool:
        """Detach tasks from their parents, in steps; False if the execution must no longer be deleted."""
        tasks = self._queries.tasks
        while ids:
            some, ids = ids[: self.room], ids[self.room :]
            with self._timed(len(some)), self._session.transaction() as tx:
                tasks.lock_parents(tx, workflow_exec_id=id)
                if not self._is_old(tx, id):
                    return False
                tasks.cut_tasks(tx, [{"workflow_exec_id": id, "task_exec_id": task} for task in some])
            self._count(0, 0)
        return True

    def _is_old(self, tx: Session, id: str) -> bool:
        state = self._queries.workflows.get_workflow(tx, workflow_exec_id=id)
        return bool(state and state.status in TERMINAL and state.updated_at and state.updated_at < self._before)

    def _count(self, workflows: int, tasks: int) -> None:
        self.workflows += workflows
        self.tasks += tasks
        self._progress(self.workflows)

    def _timed(self, weight: int) -> _Timed:
        return _Timed(self, weight, self._clock)


class _Timed:
    """Adapts the size of the next step to the time that this one takes."""

    def __init__(self, step: _Step, weight: int, clock: Callable[[], float]) -> None:
        self._step = step
        self._weight = weight
        self._clock = clock

    def __enter__(self) -> None:
        self._began = self._clock()

    def __exit__(self, *exc: object) -> None:
        step = self._step
        seconds = max(self._clock() - self._began, 0.000_1)
        step.room = min(max(int(self._weight * GOAL / seconds), LEAST), MOST, 2 * step.room)


def _weight(one: Prunable) -> int:
    return one.task_count + 1 + one.bytes // PAGE_BYTES


def _fitting(newest: Sequence[RowSize], room: int) -> tuple[list[str], int]:
    """The first of these that fit, at least one task, and their weight."""
    ids: list[str] = []
    weight = 0
    for task in newest:
        more = 1 + task.bytes // PAGE_BYTES
        if ids and weight + more > room:
            break
        ids.append(task.id)
        weight += more
    return ids, weight
