"""Deletes old executions in small steps, so that nobody who writes has to wait for long.

An execution goes as a whole, with its tasks, unless it has very many of them: then its newest tasks go first, some at a
time, and the execution itself at the end. Whoever reads it meanwhile, or after an interruption, sees it with fewer
tasks; the next pruning goes on with it. Each statement asks again whether the execution has ended and is old enough.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

import msgspec

from diglot.statestore.models import TERMINAL, Status
from diglot.statestore.repositories.deep import cut_all
from diglot.statestore.repositories.rows import Prunable

if TYPE_CHECKING:
    from diglot.statestore.queries import Queries
    from diglot.stores.session import Session

T = TypeVar("T")
GOAL = 0.04
"""Seconds that a step is to take: others wait for it, on SQLite."""
ENDED: tuple[Status, ...] = ("SUCCESS", "FAILED", "TIMED_OUT", "CANCELED")
FIRST, LEAST, MOST = 200, 20, 5_000
"""Rows of the first step, and of the smallest and the largest."""
DEEP = 64
"""Tasks from which on an execution may have so many levels."""
_CANDIDATES = 500


class Pruned(msgspec.Struct, frozen=True):
    """How many executions were deleted, or would be; ``tasks`` of a trial are counted up to 5,000 for each."""

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
    """Delete the executions with these statuses that did not change since ``before``, but for the newest ``keep_last``
    of each workflow. ``progress`` gets the number of those that are gone."""
    step = _Step(session, queries, before, clock)
    workflows = tasks = 0
    for status in statuses:
        for found in _candidates(session, queries, status, before, keep_last):
            if dry_run:
                workflows += len(found)
                tasks += sum(one.task_count for one in found)
                continue
            for batch in step.batches(found):
                workflows += step.delete(batch)
                tasks += sum(one.task_count for one in batch)
                progress(workflows)
    return Pruned(workflows, tasks)


def _candidates(
    session: Session, queries: Queries, status: Status, before: datetime, keep_last: int | None
) -> Iterator[list[Prunable]]:
    after: Prunable | None = None
    while True:
        found = queries.workflows.prunable_workflows(
            session,
            status=status,
            before=before,
            keep_last=keep_last,
            after_created_at=after.created_at if after is not None else None,
            after_id=after.workflow_exec_id if after is not None else None,
            most=MOST,
            limit=_CANDIDATES,
        )
        if found:
            yield found
        if len(found) < _CANDIDATES:
            return
        after = found[-1]


class _Step:
    """Deletes some rows at a time, as many as fit into the goal."""

    def __init__(self, session: Session, queries: Queries, before: datetime, clock: Callable[[], float]) -> None:
        self._session = session
        self._queries = queries
        self._before = before
        self._clock = clock
        self._rows = FIRST

    def batches(self, found: Sequence[Prunable]) -> Iterator[list[Prunable]]:
        """Executions that are deleted by one statement; one with more tasks than fit is alone."""
        batch: list[Prunable] = []
        rows = 0
        for one in found:
            if batch and rows + one.task_count + 1 > self._rows:
                yield batch
                batch, rows = [], 0
            batch.append(one)
            rows += one.task_count + 1
        if batch:
            yield batch

    def delete(self, batch: Sequence[Prunable]) -> int:
        """The number of executions that are gone."""
        for one in batch:
            if one.task_count >= DEEP:
                self._cut_if_deep(one)
        if batch[0].task_count + 1 > self._rows:
            while self._timed(self._rows, self._delete_tasks, batch[0]):
                pass
        rows = sum(one.task_count + 1 for one in batch)
        return self._timed(min(rows, self._rows), self._delete_workflows, batch)

    def _cut_if_deep(self, one: Prunable) -> None:
        """A foreign key does not delete as many levels as tasks may have (deep.py)."""
        tasks, id = self._queries.tasks, one.workflow_exec_id
        if not tasks.deep_tasks(self._session, workflow_exec_id=id, task_exec_id=None, no_parent=True):
            return
        with self._session.transaction() as tx:
            state = self._queries.workflows.lock_workflow(tx, workflow_exec_id=id)
            if state is not None and state.status in TERMINAL and state.updated_at and state.updated_at < self._before:
                cut_all(tx, tasks, id)

    def _delete_tasks(self, one: Prunable) -> int:
        tasks, id = self._queries.tasks, one.workflow_exec_id
        newest = tasks.newest_tasks(self._session, workflow_exec_id=id, limit=self._rows)
        if not newest:
            return 0
        return tasks.prune_tasks(self._session, workflow_exec_id=id, ids=newest, before=self._before)

    def _delete_workflows(self, batch: Sequence[Prunable]) -> int:
        ids = [one.workflow_exec_id for one in batch]
        return self._queries.workflows.prune_workflows(self._session, ids=ids, before=self._before)

    def _timed(self, rows: int, delete: Callable[[T], int], what: T) -> int:
        began = self._clock()
        count = delete(what)
        seconds = max(self._clock() - began, 0.000_1)
        fitting = int(rows * GOAL / seconds)
        self._rows = min(max(fitting, LEAST), MOST, 2 * self._rows)
        return count
