"""Task states: a tree below each workflow execution, written one by one or in batches, and read by their parents.

A call by task id also takes ``workflow_exec_id``; without it the execution is looked up first. Each statement thus
touches one execution, as a PostgreSQL database that is distributed by execution requires.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from typing import TYPE_CHECKING

from diglot.errors import ForeignKeyViolation, InvalidValue, NotNullViolation, TransactionError, UniqueViolation
from diglot.statestore.errors import ConcurrentUpdate, TaskInOtherWorkflow, TaskNotFound, UnknownReference
from diglot.statestore.models import (
    STATUSES,
    ExecutionType,
    JsonObject,
    Page,
    Progress,
    Status,
    TaskState,
    TaskSummary,
    Tree,
    Usage,
)
from diglot.statestore.repositories.base import Context, always, page_parameters
from diglot.statestore.repositories.deep import delete_in_parts
from diglot.statestore.repositories.paging import DEFAULT_LIMIT, MAX_LIMIT, fitting, page, part, position
from diglot.statestore.repositories.parents import Key, parents_first, refuse_rings
from diglot.statestore.repositories.rows import Stored
from diglot.statestore.repositories.usage import merge_usage
from diglot.statestore.repositories.validation import (
    check_documents,
    check_execution_type,
    check_id,
    check_optional_id,
    check_status,
    task_parameters,
)

if TYPE_CHECKING:
    from diglot.statestore.queries.tasks import (
        DeleteTasksParameters,
        InsertTaskParameters,
        ListTasksParameters,
        ProgressParameters,
        UpsertTasksParameters,
    )

MAX_DEPTH = 100
MOST_SUMMARIES = 10_000


class TaskRepository:
    """``db.tasks``"""

    def __init__(self, context: Context) -> None:
        self._session = context.session
        self._tasks = context.queries.tasks
        self._clock = context.clock
        self._max_document = context.max_document

    # --- write ---

    def upsert(self, state: TaskState) -> TaskState:
        """Insert, or update all but created_at; the last writer wins. Returns the stored state, its version one higher.

        Raises UnknownReference if its execution or its parent does not exist, TaskInOtherWorkflow, or InvalidValue if
        the task would become its own ancestor with this parent.
        """
        state, parameters = task_parameters(state, self._clock())
        try:
            stored = self._tasks.upsert_task(self._session, same_parent=True, **parameters)
            if stored is None:  # the stored task has another parent
                with self._session.transaction() as tx:
                    refuse_rings(tx, self._tasks, _parents(parameters))
                    stored = self._tasks.upsert_task(tx, same_parent=None, **parameters)
        except (ForeignKeyViolation, UniqueViolation) as error:
            raise _conflict(state, error) from error
        return _stored(state, always(stored, "tasks.upsert_task"))

    def upsert_many(self, states: Iterable[TaskState]) -> int:
        """Like ``upsert`` for many states, all or none; returns how many were written.

        One round trip, unless a stored task gets another parent. If two states have the same id, the last one counts.
        Parents may come after their children.
        """
        now = self._clock()
        batch: dict[Key, InsertTaskParameters] = {}
        for i, state in enumerate(states):
            try:
                _, parameters = task_parameters(state, now)
            except InvalidValue as error:
                raise InvalidValue(f"states[{i}].{error.path}".rstrip("."), error.problem) from error
            check_documents(parameters, self._max_document, f"states[{i}].")
            batch[parameters["workflow_exec_id"], parameters["task_exec_id"]] = parameters
        parents = {key: parameters["parent_state_id"] for key, parameters in batch.items()}
        ordered = [batch[key] for key in parents_first(parents)]
        try:
            try:
                self._upsert_all(ordered)
            except NotNullViolation:  # a stored task has another parent
                with self._session.transaction() as tx:
                    refuse_rings(tx, self._tasks, parents)
                    self._tasks.upsert_tasks(tx, [{**each, "same_parent": None} for each in ordered])
        except ForeignKeyViolation as error:
            raise UnknownReference(
                "a task in this batch names an execution or a parent task that does not exist; nothing was written"
            ) from error
        except UniqueViolation as error:
            raise TaskInOtherWorkflow(
                "a task in this batch has an id that exists in another workflow execution; nothing was written"
            ) from error
        return len(batch)

    def _upsert_all(self, batch: builtins.list[InsertTaskParameters]) -> None:
        rows: builtins.list[UpsertTasksParameters] = [{**each, "same_parent": True} for each in batch]
        if not self._session.in_transaction:
            self._tasks.upsert_tasks(self._session, rows)
            return
        with self._session.transaction() as savepoint:  # if this fails, the caller tries another way
            self._tasks.upsert_tasks(savepoint, rows)

    def save(self, state: TaskState) -> TaskState:
        """Optimistic: insert if the version is unset or 0, else update only if the stored version is the given one.

        Raises ConcurrentUpdate if somebody else was faster, TaskNotFound if there is nothing to update,
        UnknownReference, TaskInOtherWorkflow, or InvalidValue if the task would become its own ancestor.
        """
        state, parameters = task_parameters(state, self._clock())
        try:
            if not state.version:
                stored = self._tasks.insert_task(self._session, **parameters)
            else:
                stored = self._tasks.update_task(
                    self._session, version=state.version, same_parent=True, **parameters
                ) or self._move(parameters, state.version)
        except (ForeignKeyViolation, UniqueViolation) as error:
            raise _conflict(state, error) from error
        if stored is None:
            raise ConcurrentUpdate(
                f"task {state.task_exec_id!r} was changed by somebody else: read it again and repeat the change"
            )
        return _stored(state, stored)

    def _move(self, parameters: InsertTaskParameters, version: int) -> Stored | None:
        """Save a task that gets another parent; None if that is not why it was not saved. Raises TaskNotFound."""
        if self.get(parameters["task_exec_id"], parameters["workflow_exec_id"]).version != version:
            return None
        with self._session.transaction() as tx:
            refuse_rings(tx, self._tasks, _parents(parameters))
            return self._tasks.update_task(tx, version=version, same_parent=None, **parameters)

    def merge_usage(self, task_exec_id: str, usage: Usage, workflow_exec_id: str | None = None) -> TaskState:
        """Add token usage, atomically: concurrent calls all count. Raises TaskNotFound."""
        merge_usage(None, usage)
        keys = self._keys(task_exec_id, workflow_exec_id)
        with self._session.transaction() as tx:
            state = _found(self._tasks.lock_task(tx, **keys), task_exec_id)
            merged = merge_usage(state.usage, usage)
            return _found(self._tasks.set_task_usage(tx, usage=merged, now=self._clock(), **keys), task_exec_id)

    def delete(self, task_exec_id: str, workflow_exec_id: str | None = None) -> None:
        """Delete a task state with all its descendants. Raises TaskNotFound."""
        keys = self._keys(task_exec_id, workflow_exec_id)
        if self._tasks.deep_tasks(self._session, no_parent=None, **keys):
            with self._session.transaction() as tx:
                found = delete_in_parts(tx, self._tasks, keys)
        else:
            found = self._tasks.delete_tasks(self._session, [keys])
        if not found:
            raise TaskNotFound(task_exec_id)

    # --- read one ---

    def get(self, task_exec_id: str, workflow_exec_id: str | None = None) -> TaskState:
        """One task state. Raises TaskNotFound."""
        found = self._tasks.get_task(
            self._session,
            task_exec_id=check_id(task_exec_id, "task_exec_id"),
            workflow_exec_id=check_optional_id(workflow_exec_id, "workflow_exec_id"),
        )
        return _found(found, task_exec_id)

    def get_for_update(self, task_exec_id: str, workflow_exec_id: str | None = None) -> TaskState:
        """One task state that nobody else can change until the transaction ends. Raises TaskNotFound.

        Raises TransactionError outside a transaction. A row lock on PostgreSQL, the write transaction on SQLite.
        """
        if not self._session.in_transaction:
            raise TransactionError("get_for_update needs a transaction: use it inside 'with db.transaction() as tx'")
        return _found(self._tasks.lock_task(self._session, **self._keys(task_exec_id, workflow_exec_id)), task_exec_id)

    def child(self, parent_state_id: str, task_id: str, workflow_exec_id: str | None = None) -> TaskState:
        """The newest state of a task_id under a parent. Raises TaskNotFound."""
        parent = self._parent(parent_state_id, workflow_exec_id)
        found = self._tasks.child(self._session, task_id=check_id(task_id, "task_id"), **parent) if parent else None
        return _found(found, task_id)

    def usage(self, task_exec_id: str, workflow_exec_id: str | None = None) -> Usage:
        """The token usage of a task, [] if there is none. Raises TaskNotFound."""
        return self.get(task_exec_id, workflow_exec_id).usage or []

    # --- read several ---

    def get_many(self, ids: Iterable[str]) -> builtins.list[TaskState]:
        """Task states in the order of their ids (at most 1,000). Raises TaskNotFound for the first missing id."""
        wanted = [check_id(id, f"ids[{i}]") for i, id in enumerate(ids)]
        if len(wanted) > MAX_LIMIT:
            raise InvalidValue("ids", f"{len(wanted)} ids are more than {MAX_LIMIT}: split them over several calls")
        if not wanted:
            return []
        found = {task.task_exec_id: task for task in self._tasks.get_tasks(self._session, ids=list(set(wanted)))}
        return [_found(found.get(id), id) for id in wanted]

    def bytes_of(self, exec_ids: Iterable[str]) -> int:
        """How many bytes the documents of all tasks in these executions have, as text."""
        ids = [check_id(id, f"exec_ids[{i}]") for i, id in enumerate(exec_ids)]
        return self._tasks.size_of_executions(self._session, ids=ids)

    def list(
        self,
        status: Status | None = None,
        workflow_id: str | None = None,
        workflow_exec_id: str | None = None,
        task_id: str | None = None,
        parent_state_id: str | None = None,
        no_parent: bool = False,
        agent_id: str | None = None,
        action_id: str | None = None,
        tool_id: str | None = None,
        execution_type: ExecutionType | None = None,
        limit: int = DEFAULT_LIMIT,
        after: str | None = None,
        max_bytes: int | None = None,
    ) -> Page[TaskState]:
        """One page of 1 to 1,000 task states that match every given filter, oldest first.

        ``no_parent`` selects root tasks; ``after`` is the ``next`` of the previous page. With ``max_bytes``, a page
        ends before its documents exceed this size, but has at least one task.
        """
        limit, ask = page_parameters(limit)
        if no_parent and parent_state_id is not None:
            raise InvalidValue("no_parent", "a task can't have this parent and no parent: use one of the two filters")
        created_at, id = position(after)
        filters: ListTasksParameters = {
            "status": None if status is None else check_status(status),
            "workflow_id": check_optional_id(workflow_id, "workflow_id"),
            "workflow_exec_id": check_optional_id(workflow_exec_id, "workflow_exec_id"),
            "task_id": check_optional_id(task_id, "task_id"),
            "parent_state_id": check_optional_id(parent_state_id, "parent_state_id"),
            "no_parent": True if no_parent else None,
            "agent_id": check_optional_id(agent_id, "agent_id"),
            "action_id": check_optional_id(action_id, "action_id"),
            "tool_id": check_optional_id(tool_id, "tool_id"),
            "execution_type": None if execution_type is None else check_execution_type(execution_type),
            "after_created_at": created_at,
            "after_id": id,
            "limit": ask,
        }
        if parent_state_id is not None and workflow_exec_id is None:
            # A parent is in the same execution, and the index of children begins with the execution.
            filters["workflow_exec_id"] = self._execution_of(parent_state_id)
            if filters["workflow_exec_id"] is None:
                return Page([], None)
        if max_bytes is not None:
            sizes = self._tasks.size_tasks(self._session, **filters)
            filters["limit"], more = fitting(sizes, limit, max_bytes)
            fitted = self._tasks.list_tasks(self._session, **filters)
            return part(fitted, more, lambda task: (task.created_at, task.task_exec_id))
        tasks = self._tasks.list_tasks(self._session, **filters)
        return page(tasks, limit, lambda task: (task.created_at, task.task_exec_id))

    def summaries(
        self,
        workflow_exec_id: str,
        parent_state_id: str | None = None,
        status: Status | None = None,
        limit: int = DEFAULT_LIMIT,
        after: str | None = None,
    ) -> Page[TaskSummary]:
        """One page of an execution's tasks, or of a parent's children, oldest first, without their documents.

        They are small, so a page may have up to 10,000.
        """
        limit, ask = page_parameters(limit, MOST_SUMMARIES)
        created_at, id = position(after)
        found = self._tasks.summarize_tasks(
            self._session,
            workflow_exec_id=check_id(workflow_exec_id, "workflow_exec_id"),
            parent_state_id=check_optional_id(parent_state_id, "parent_state_id"),
            status=None if status is None else check_status(status),
            limit=ask,
            after_created_at=created_at,
            after_id=id,
        )
        return page(found, limit, lambda task: (task.created_at, task.task_exec_id))

    def latest(self, workflow_exec_id: str) -> dict[str, TaskState]:
        """The newest state of each task_id in an execution; {} if there is none."""
        exec_id = check_id(workflow_exec_id, "workflow_exec_id")
        return {task.task_id: task for task in self._tasks.latest_tasks(self._session, workflow_exec_id=exec_id)}

    # --- children ---

    def children(
        self,
        parent_state_id: str,
        workflow_exec_id: str | None = None,
        limit: int = DEFAULT_LIMIT,
        after: str | None = None,
        max_bytes: int | None = None,
    ) -> Page[TaskState]:
        """One page of the direct children of a task, oldest first; empty if there is no such task."""
        return self.list(
            parent_state_id=check_id(parent_state_id, "parent_state_id"),
            workflow_exec_id=workflow_exec_id,
            limit=limit,
            after=after,
            max_bytes=max_bytes,
        )

    def child_outputs(self, parent_state_id: str, workflow_exec_id: str | None = None) -> dict[str, JsonObject | None]:
        """task_id → output of its newest state, for the direct children of a task; {} if there are none."""
        parent = self._parent(parent_state_id, workflow_exec_id)
        found = self._tasks.child_outputs(self._session, **parent) if parent else []
        return {child.task_id: child.output for child in found}

    def progress(self, parent_state_id: str, workflow_exec_id: str | None = None) -> Progress:
        """The progress of a task's direct children, in one GROUP BY; all zero if there are none."""
        parent = self._parent(parent_state_id, workflow_exec_id)
        found = self._tasks.progress(self._session, **parent) if parent else []
        return Progress(dict.fromkeys(STATUSES, 0) | {row.status: row.children for row in found})

    def tree(self, root: str, max_depth: int = MAX_DEPTH, workflow_exec_id: str | None = None) -> Tree:
        """A task and all its descendants in one query, parents before children, siblings by creation.

        The tree is cut off below ``max_depth`` levels (0 to 1,000), and ``truncated`` says so. In a ring of parents,
        which old data may have, it ends before its first task would be repeated. Raises TaskNotFound.
        """
        if type(max_depth) is not int or not 0 <= max_depth <= 1000:
            raise InvalidValue("max_depth", f"{max_depth!r} is not a number from 0 to 1000")
        nodes = self._tasks.tree(self._session, max_depth=max_depth + 1, **self._keys(root, workflow_exec_id))
        if not nodes:
            raise TaskNotFound(root)
        kept = [node for node in nodes if node.depth <= max_depth]
        return Tree(kept, truncated=len(kept) < len(nodes))

    # --- keys ---

    def _keys(self, task_exec_id: str, workflow_exec_id: str | None) -> DeleteTasksParameters:
        """Both keys of a task; the execution is looked up if it is not given. Raises TaskNotFound."""
        check_id(task_exec_id, "task_exec_id")
        if workflow_exec_id is None:
            workflow_exec_id = self._execution_of(task_exec_id)
            if workflow_exec_id is None:
                raise TaskNotFound(task_exec_id)
        return {"workflow_exec_id": check_id(workflow_exec_id, "workflow_exec_id"), "task_exec_id": task_exec_id}

    def _parent(self, parent_state_id: str, workflow_exec_id: str | None) -> ProgressParameters | None:
        """Both keys of a parent; None if the parent does not exist."""
        try:
            keys = self._keys(check_id(parent_state_id, "parent_state_id"), workflow_exec_id)
        except TaskNotFound:
            return None
        return {"workflow_exec_id": keys["workflow_exec_id"], "parent_state_id": parent_state_id}

    def _execution_of(self, task_exec_id: str) -> str | None:
        return self._tasks.execution_of_task(self._session, task_exec_id=task_exec_id)


def _stored(state: TaskState, stored: Stored) -> TaskState:
    return state.replace(version=stored.version, created_at=stored.created_at, updated_at=stored.updated_at)


def _found(task: TaskState | None, key: str) -> TaskState:
    if task is None:
        raise TaskNotFound(key)
    return task


def _parents(parameters: InsertTaskParameters) -> dict[Key, str | None]:
    return {(parameters["workflow_exec_id"], parameters["task_exec_id"]): parameters["parent_state_id"]}


def _conflict(state: TaskState, error: ForeignKeyViolation | UniqueViolation) -> Exception:
    if isinstance(error, UniqueViolation):
        return TaskInOtherWorkflow(f"task {state.task_exec_id!r} exists in another workflow execution")
    parent = f" or its parent task {state.parent_state_id!r}" if state.parent_state_id is not None else ""
    return UnknownReference(f"workflow execution {state.workflow_exec_id!r}{parent} does not exist")
