"""Workflow executions: upserted or saved optimistically, read with their tasks in one snapshot, completed once."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from diglot.errors import InvalidValue
from diglot.sql.session import Session
from diglot.sql.together import call, together
from diglot.statestore.errors import ConcurrentUpdate, WorkflowNotFound
from diglot.statestore.models import TERMINAL, Page, Status, TaskState, Usage, WorkflowState, WorkflowSummary
from diglot.statestore.repositories.base import Context, always, page_parameters
from diglot.statestore.repositories.completion import Outcome, Transform, default_output, final_status, transformed
from diglot.statestore.repositories.deep import cut_all
from diglot.statestore.repositories.paging import DEFAULT_LIMIT, fitting, page, part, position
from diglot.statestore.repositories.pruning import ENDED, Pruned, prune
from diglot.statestore.repositories.rows import Stored, TaskStatus
from diglot.statestore.repositories.usage import merge_usage
from diglot.statestore.repositories.validation import check_id, check_optional_id, check_status, workflow_parameters

if TYPE_CHECKING:
    from diglot.statestore.queries.workflows import ListWorkflowsParameters

_COMPLETE_ATTEMPTS = 50


class Ending(msgspec.Struct, frozen=True):
    """An execution as it is now, its status before, and whether this call ended it."""

    state: WorkflowState
    was: Status
    ended: bool


class WorkflowRepository:
    """``db.workflows``"""

    def __init__(self, context: Context) -> None:
        self._session = context.session
        self._queries = context.queries
        self._workflows = context.queries.workflows
        self._tasks = context.queries.tasks
        self._clock = context.clock
        self._max_document = context.max_document

    # --- write ---

    def upsert(self, state: WorkflowState) -> WorkflowState:
        """Insert, or update all but created_at; the last writer wins. Returns the stored state, version one higher."""
        state, parameters = workflow_parameters(state, self._clock())
        stored = self._workflows.upsert_workflow(self._session, **parameters)
        return _stored(state, always(stored, "workflows.upsert_workflow"))

    def save(self, state: WorkflowState) -> WorkflowState:
        """Optimistic: insert if the version is unset or 0, else update only if the stored version is the given one.

        Raises ConcurrentUpdate if somebody else was faster, WorkflowNotFound if there is nothing to update.
        """
        state, parameters = workflow_parameters(state, self._clock())
        if not state.version:
            stored = self._workflows.insert_workflow(self._session, **parameters)
        else:
            stored = self._workflows.update_workflow(self._session, version=state.version, **parameters)
            if stored is None:
                self.get(state.workflow_exec_id, with_tasks=False)
        if stored is None:
            raise ConcurrentUpdate(
                f"workflow execution {state.workflow_exec_id!r} was changed by somebody else: "
                "read it again and repeat the change"
            )
        return _stored(state, stored)

    def update_status(self, exec_id: str, status: Status) -> WorkflowState:
        """Change the status. Raises WorkflowNotFound."""
        return _found(
            self._workflows.set_workflow_status(
                self._session,
                workflow_exec_id=check_id(exec_id, "workflow_exec_id"),
                status=check_status(status),
                now=self._clock(),
            ),
            exec_id,
        )

    def merge_usage(self, exec_id: str, usage: Usage) -> WorkflowState:
        """Add token usage, atomically: concurrent calls all count. Raises WorkflowNotFound."""
        check_id(exec_id, "workflow_exec_id")
        merge_usage(None, usage)
        with self._session.transaction() as tx:
            state = _found(self._workflows.lock_workflow(tx, workflow_exec_id=exec_id), exec_id)
            merged = merge_usage(state.usage, usage)
            changed = self._workflows.set_workflow_usage(tx, workflow_exec_id=exec_id, usage=merged, now=self._clock())
            return _found(changed, exec_id)

    def delete(self, exec_id: str) -> None:
        """Delete an execution with its tasks. Raises WorkflowNotFound."""
        check_id(exec_id, "workflow_exec_id")
        if self._tasks.deep_tasks(self._session, workflow_exec_id=exec_id, task_exec_id=None, no_parent=True):
            with self._session.transaction() as tx:
                cut_all(tx, self._tasks, exec_id)
                found = self._workflows.delete_workflow(tx, workflow_exec_id=exec_id)
        else:
            found = self._workflows.delete_workflow(self._session, workflow_exec_id=exec_id)
        if not found:
            raise WorkflowNotFound(exec_id)

    def prune(
        self,
        before: datetime,
        *,
        statuses: Iterable[Status] = ENDED,
        keep_last: int | None = None,
        dry_run: bool = False,
        progress: Callable[[int], None] = lambda _done: None,
    ) -> Pruned:
        """Delete the executions that have ended and have not changed since ``before``, in many small steps.

        ``statuses``: only executions with one of these. ``keep_last``: keep this many of the newest of each workflow.
        ``progress`` gets the number of deleted executions. It can be interrupted and repeated. Raises InvalidValue for
        a status that is not terminal.
        """
        wanted = list(statuses)
        running = [status for status in wanted if check_status(status) not in TERMINAL]
        if running:
            raise InvalidValue("statuses", f"{running[0]} is not the end of an execution: use {', '.join(ENDED)}")
        if keep_last is not None and keep_last < 0:
            raise InvalidValue("keep_last", f"{keep_last} is not a number of 0 or more")
        return prune(
            self._session,
            self._queries,
            before,
            statuses=wanted,
            keep_last=keep_last or None,
            dry_run=dry_run,
            progress=progress,
        )

    # --- read ---

    def get(self, exec_id: str, with_tasks: bool = True) -> WorkflowState:
        """One execution with the latest state of each of its tasks (if ``with_tasks``), in one snapshot."""
        check_id(exec_id, "workflow_exec_id")
        if not with_tasks:
            return _found(self._workflows.get_workflow(self._session, workflow_exec_id=exec_id), exec_id)
        state, tasks = together(
            self._session,
            call(self._workflows.get_workflow, workflow_exec_id=exec_id),
            call(self._tasks.latest_tasks, workflow_exec_id=exec_id),
        )
        return _found(state, exec_id).replace(tasks=_by_task_id(tasks))

    def get_latest(self, workflow_id: str, with_tasks: bool = True) -> WorkflowState:
        """The execution of a workflow that changed last (then the greatest id). Raises WorkflowNotFound."""
        check_id(workflow_id, "workflow_id")
        return self._first(
            lambda session: self._workflows.latest_workflow(session, workflow_id=workflow_id), workflow_id, with_tasks
        )

    def find_by_task(self, workflow_id: str, task_id: str, with_tasks: bool = True) -> WorkflowState:
        """The execution of a workflow that has the newest state of this task. Raises WorkflowNotFound."""
        check_id(workflow_id, "workflow_id")
        check_id(task_id, "task_id")
        return self._first(
            lambda session: self._workflows.find_by_task(session, workflow_id=workflow_id, task_id=task_id),
            task_id,
            with_tasks,
        )

    def find_by_agent(self, workflow_id: str, agent_id: str, with_tasks: bool = True) -> WorkflowState:
        """The execution of a workflow that has the newest task of this agent. Raises WorkflowNotFound."""
        check_id(workflow_id, "workflow_id")
        check_id(agent_id, "agent_id")
        return self._first(
            lambda session: self._workflows.find_by_agent(session, workflow_id=workflow_id, agent_id=agent_id),
            agent_id,
            with_tasks,
        )

    def find_by_tool(self, workflow_id: str, tool_id: str, with_tasks: bool = True) -> WorkflowState:
        """The execution of a workflow that has the newest task of this tool. Raises WorkflowNotFound."""
        check_id(workflow_id, "workflow_id")
        check_id(tool_id, "tool_id")
        return self._first(
            lambda session: self._workflows.find_by_tool(session, workflow_id=workflow_id, tool_id=tool_id),
            tool_id,
            with_tasks,
        )

    def list(
        self,
        status: Status | None = None,
        workflow_id: str | None = None,
        ids: Iterable[str] | None = None,
        created_from: datetime | None = None,
        created_before: datetime | None = None,
        with_tasks: bool = False,
        limit: int = DEFAULT_LIMIT,
        after: str | None = None,
        max_bytes: int | None = None,
    ) -> Page[WorkflowState]:
        """One page of 1 to 1,000 executions that match every given filter, newest first.

        ``created_from`` is inclusive, ``created_before`` exclusive; ``after`` is the ``next`` of the previous page.
        Tasks take one more query for the whole page, in the same snapshot. With ``max_bytes``, a page ends before its
        documents, without those of tasks, exceed this size, but has at least one execution.
        """
        limit, ask = page_parameters(limit)
        wanted = None if ids is None else [check_id(id, f"ids[{i}]") for i, id in enumerate(ids)]
        created_at, id = position(after)
        filters: ListWorkflowsParameters = {
            "status": None if status is None else check_status(status),
            "workflow_id": None if workflow_id is None else check_id(workflow_id, "workflow_id"),
            "ids": wanted,
            "created_from": created_from,
            "created_before": created_before,
            "after_created_at": created_at,
            "after_id": id,
            "limit": ask,
        }

        def read(session: Session) -> Page[WorkflowState]:
            if max_bytes is not None:
                sizes = self._workflows.size_workflows(session, **filters)
                filters["limit"], more = fitting(sizes, limit, max_bytes)
                fitted = self._workflows.list_workflows(session, **filters)
                return part(fitted, more, lambda state: (state.created_at, state.workflow_exec_id))
            states = self._workflows.list_workflows(session, **filters)
            return page(states, limit, lambda state: (state.created_at, state.workflow_exec_id))

        if wanted is not None and not wanted:
            return Page([], None)
        if not with_tasks:
            return read(self._session)
        with self._session.snapshot() as snapshot:
            found = read(snapshot)
            if not found.items:
                return found
            exec_ids = [state.workflow_exec_id for state in found.items]
            tasks: dict[str, dict[str, TaskState]] = {exec_id: {} for exec_id in exec_ids}
            for task in self._tasks.latest_tasks_of(snapshot, ids=exec_ids):
                tasks[task.workflow_exec_id][task.task_id] = task
            items = [state.replace(tasks=tasks[state.workflow_exec_id]) for state in found.items]
            return Page(items, found.next)

    def summaries(
        self,
        status: Status | None = None,
        workflow_id: str | None = None,
        limit: int = DEFAULT_LIMIT,
        after: str | None = None,
    ) -> Page[WorkflowSummary]:
        """Like ``list``, without the executions' documents: for callers that often read many."""
        limit, ask = page_parameters(limit)
        created_at, id = position(after)
        found = self._workflows.summarize_workflows(
            self._session,
            status=None if status is None else check_status(status),
            workflow_id=check_optional_id(workflow_id, "workflow_id"),
            limit=ask,
            after_created_at=created_at,
            after_id=id,
        )
        return page(found, limit, lambda state: (state.created_at, state.workflow_exec_id))

    # --- end ---

    def stale(
        self, before: datetime, status: Status = "RUNNING", limit: int = DEFAULT_LIMIT, after: str | None = None
    ) -> Page[WorkflowSummary]:
        """One page of the executions with this status that have not changed since ``before``, and neither have their
        tasks, oldest first: their engine is probably gone."""
        limit, ask = page_parameters(limit)
        created_at, id = position(after)
        found = self._workflows.stale_workflows(
            self._session,
            status=check_status(status),
            before=before,
            after_created_at=created_at,
            after_id=id,
            limit=ask,
        )
        return page(found, limit, lambda state: (state.created_at, state.workflow_exec_id))

    def end(self, exec_id: str, status: Status = "CANCELED", *, stale_since: datetime | None = None) -> WorkflowState:
        """End an execution and its unfinished tasks with this status, in one transaction.

        An execution that has already ended is returned unchanged, and so is one that has changed, or whose tasks have,
        since ``stale_since``. Raises InvalidValue for a status that is not terminal, WorkflowNotFound.
        """
        return self.try_end(exec_id, status, stale_since=stale_since).state

    def try_end(self, exec_id: str, status: Status = "CANCELED", *, stale_since: datetime | None = None) -> Ending:
        """Like ``end``; also returns the status before, and whether this call ended it."""
        check_id(exec_id, "workflow_exec_id")
        if check_status(status) not in TERMINAL:
            raise InvalidValue("status", f"{status} is not the end of an execution: use {', '.join(ENDED)}")
        with self._session.transaction() as tx:
            state = _found(self._workflows.lock_workflow(tx, workflow_exec_id=exec_id), exec_id)
            if state.status in TERMINAL or (stale_since is not None and not self._is_stale(tx, state, stale_since)):
                return Ending(state, state.status, ended=False)
            now = self._clock()
            self._tasks.end_tasks(tx, workflow_exec_id=exec_id, status=status, now=now)
            ended = self._workflows.set_workflow_status(tx, workflow_exec_id=exec_id, status=status, now=now)
            return Ending(_found(ended, exec_id), state.status, ended=True)

    def _is_stale(self, tx: Session, state: WorkflowState, before: datetime) -> bool:
        changed = self._tasks.changed_since(tx, workflow_exec_id=state.workflow_exec_id, before=before)
        return bool(state.updated_at and state.updated_at < before and not changed)

    # --- complete ---

    def complete(self, exec_id: str, transform: Transform | None = None) -> WorkflowState:
        """End an execution by the latest states of its root tasks; one that has already ended is returned unchanged.

        Raises WorkflowNotReady, with nothing changed, while a root task is not terminal, or if there are tasks but no
        root: then their parents form a ring, and nothing says how the execution ended. The status is FAILED if a root
        task is FAILED, TIMED_OUT or CANCELED, else SUCCESS, also without tasks. The output is
        ``{task_id: {"output": …}}``, or what ``transform`` returns for the state with its tasks. ``transform`` runs
        outside the lock, and again if the execution has changed meanwhile; if it raises, the execution is FAILED with
        the code OUTPUT_TRANSFORMATION_FAILED and the default output. Raises WorkflowNotFound.
        """
        check_id(exec_id, "workflow_exec_id")
        for _ in range(_COMPLETE_ATTEMPTS):
            before: WorkflowState | None = None
            outcome: Outcome | None = None
            if transform is not None:
                before, roots = self._with_roots(exec_id)
                if before.status in TERMINAL:
                    return before.replace(tasks=None)
                status = final_status(exec_id, roots, any_tasks=bool(before.tasks))
                outcome = transformed(before, status, transform, self._max_document)
            with self._session.transaction() as tx:
                state = _found(self._workflows.lock_workflow(tx, workflow_exec_id=exec_id), exec_id)
                if state.status in TERMINAL:
                    return state
                roots = self._tasks.root_statuses(tx, workflow_exec_id=exec_id)
                tasks = _by_task_id(self._tasks.latest_tasks(tx, workflow_exec_id=exec_id))
                status = final_status(exec_id, roots, any_tasks=bool(tasks))
                if before is not None and (before.version != state.version or before.tasks != tasks):
                    continue
                outcome = outcome or Outcome(status, default_output(tasks, self._max_document), None)
                finished = self._workflows.finish_workflow(
                    tx,
                    workflow_exec_id=exec_id,
                    status=outcome.status,
                    output=outcome.output,
                    error=outcome.error,
                    now=self._clock(),
                )
                return _found(finished, exec_id)
        raise ConcurrentUpdate(
            f"workflow execution {exec_id!r} changed {_COMPLETE_ATTEMPTS} times while its output was transformed: "
            "try again when it changes less often"
        )

    def _with_roots(self, exec_id: str) -> tuple[WorkflowState, builtins.list[TaskStatus]]:
        """An execution with its tasks, and the statuses of its root tasks, in one snapshot."""
        state, tasks, roots = together(
            self._session,
            call(self._workflows.get_workflow, workflow_exec_id=exec_id),
            call(self._tasks.latest_tasks, workflow_exec_id=exec_id),
            call(self._tasks.root_statuses, workflow_exec_id=exec_id),
        )
        return _found(state, exec_id).replace(tasks=_by_task_id(tasks)), roots

    def _first(self, find: Callable[[Session], WorkflowState | None], key: str, with_tasks: bool) -> WorkflowState:
        if not with_tasks:
            return _found(find(self._session), key)
        with self._session.snapshot() as snapshot:
            state = _found(find(snapshot), key)
            tasks = self._tasks.latest_tasks(snapshot, workflow_exec_id=state.workflow_exec_id)
            return state.replace(tasks=_by_task_id(tasks))


def _by_task_id(tasks: list[TaskState]) -> dict[str, TaskState]:
    return {task.task_id: task for task in tasks}


def _stored(state: WorkflowState, stored: Stored) -> WorkflowState:
    return state.replace(version=stored.version, created_at=stored.created_at, updated_at=stored.updated_at, tasks=None)


def _found(state: WorkflowState | None, key: str) -> WorkflowState:
    if state is None:
        raise WorkflowNotFound(key)
    return state
