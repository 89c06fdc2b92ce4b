"""One execution of a workflow in the database, written with the calls that an engine makes.

First everything is created, the workflow RUNNING and its tasks PENDING; then each step is one transaction that locks
the row, changes it and commits. A task starts only when the database says that its parents have succeeded, and a group
ends when the database says that all its tasks have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from diglot.statestore.errors import WorkflowNotFound, WorkflowNotReady
from diglot.statestore.models import TERMINAL, JsonObject, Status, TaskState, WorkflowState
from diglot.statestore.repositories.paging import MAX_LIMIT
from diglot.statestore.trace.latency import Meter
from diglot.statestore.trace.plan import Plan, Step

if TYPE_CHECKING:
    from diglot.statestore.database import Database, Transaction

UNFINISHED: tuple[Status, ...] = ("PENDING", "RUNNING", "WAITING", "PAUSED")


class Sizes(NamedTuple):
    """How much is written or read at once. A group's progress is read after each of its tasks, but not much more often
    than ``progress_reads`` times: the cost grows with its size."""

    batch: int = 500
    page: int = MAX_LIMIT
    progress_reads: int = 1000


SIZES = Sizes()


class Execution:
    """One execution in the database, with the calls that an engine makes."""

    def __init__(self, db: Database, plan: Plan, meter: Meter, new_id: Callable[[], str], sizes: Sizes) -> None:
        self._sizes = sizes
        self._db, self._plan, self._meter = db, plan, meter
        self.id = new_id()
        self.created = False
        self._groups = [new_id() for _ in plan.groups]
        self._tasks = [new_id() for _ in plan.trace.tasks]
        self._number_of = {task.id: number for number, task in enumerate(plan.trace.tasks)}
        self._started_at: list[float | None] = [None] * len(plan.groups)
        self._finished = [0] * len(plan.groups)

    def creation(self) -> Iterator[Callable[[], None]]:
        """The writes that create everything: the workflow RUNNING, then its tasks PENDING, in batches."""
        yield self._create_workflow
        states = self._pending()
        while batch := list(islice(states, self._sizes.batch)):
            yield partial(self._create_tasks, batch)

    def step(self, step: Step) -> None:
        if step.starts:
            self._start(step)
        else:
            self._finish(step)

    def complete(self) -> Status:
        state = self._meter.write(
            "complete the workflow",
            lambda: self._db.workflows.complete(self.id, transform=self._workflow_output),
        )
        return state.status

    def leave(self, status: Status) -> Status | None:
        """In one transaction, give the workflow this status and its unfinished tasks CANCELED; None if not stored."""

        def work(tx: Transaction) -> Status | None:
            state = tx.workflows.get(self.id, with_tasks=False)
            if state.status in TERMINAL:
                return state.status
            for unfinished in UNFINISHED:
                while tasks := tx.tasks.list(workflow_exec_id=self.id, status=unfinished, limit=self._sizes.page).items:
                    tx.tasks.upsert_many([task.replace(status="CANCELED") for task in tasks])
            return tx.workflows.update_status(self.id, status).status

        try:
            return self._db.run(work)
        except WorkflowNotFound:
            return None

    # --- the writes -------------------------------------------------------------------------------------------

    def _create_workflow(self) -> None:
        trace = self._plan.trace
        described: JsonObject = {
            "name": trace.name,
            "description": trace.description,
            "createdAt": trace.created_at,
            "runtimeSystem": trace.runtime_system,
            "executedAt": trace.executed_at,
            "makespanInSeconds": trace.makespan,
            "machines": list(trace.machines),
            "tasks": len(trace.tasks),
            "groups": len(self._plan.groups),
            "files": len(trace.sizes),
        }
        state = WorkflowState(
            workflow_exec_id=self.id,
            workflow_id=trace.name,
            status="RUNNING",
            input={"trace": {name: value for name, value in described.items() if value is not None}},
        )
        self._meter.write("create the workflow", lambda: self._db.workflows.upsert(state))
        self.created = True

    def _create_tasks(self, states: list[TaskState]) -> None:
        self._meter.write("create tasks", lambda: self._db.tasks.upsert_many(states))

    def _pending(self) -> Iterator[TaskState]:
        """Groups before their tasks: a parent must exist first."""
        trace = self._plan.trace
        for group, group_id in zip(self._plan.groups, self._groups, strict=True):
            yield TaskState(
                workflow_exec_id=self.id,
                task_exec_id=group_id,
                task_id=group.task_id,
                workflow_id=trace.name,
                component="task",
                status="PENDING",
                execution_type="collection",
                input={"tasks": len(group.members)},
            )
        for number, task in enumerate(trace.tasks):
            yield TaskState(
                workflow_exec_id=self.id,
                task_exec_id=self._tasks[number],
                task_id=task.id,
                workflow_id=trace.name,
                component="tool",
                status="PENDING",
                execution_type="basic",
                parent_state_id=self._groups[self._plan.group_of[number]],
                tool_id=self._plan.tools[number],
                input={
                    "program": task.program,
                    "arguments": list(task.arguments),
                    "parents": list(task.parents),
                    "files": self._files(task.input_files),
                },
            )

    def _start(self, step: Step) -> None:
        number, group = step.task, self._plan.group_of[step.task]
        task_id = self._tasks[number]
        parents = [self._tasks[self._number_of[parent]] for parent in self._plan.trace.tasks[number].parents]
        page = self._sizes.page
        for begin in range(0, len(parents), page):
            self._check_parents(number, parents[begin : begin + page])
        first = self._started_at[group] is None

        def work(tx: Transaction) -> None:
            if first:
                self._change(tx, self._groups[group], "RUNNING")
            self._change(tx, task_id, "RUNNING")

        self._meter.write("start a task", lambda: self._db.run(work))
        if first:
            self._started_at[group] = step.at

    def _check_parents(self, number: int, parents: list[str]) -> None:
        """An engine decides by the database, not from memory, whether to start a task."""
        for parent in self._meter.read("read the parents", lambda: self._db.tasks.get_many(parents)):
            if parent.status != "SUCCESS":
                raise WorkflowNotReady(
                    f"task {self._plan.trace.tasks[number].id!r} of execution {self.id} can't start: its parent "
                    f"{parent.task_id!r} is {parent.status}; somebody else has changed it"
                )

    def _finish(self, step: Step) -> None:
        number, group = step.task, self._plan.group_of[step.task]
        task = self._plan.trace.tasks[number]
        output: JsonObject = {
            "runtimeInSeconds": task.runtime,
            **task.measured,
            "machines": list(task.machines),
            "files": self._files(task.output_files),
        }
        self._meter.write(
            "finish a task",
            lambda: self._db.run(lambda tx: self._change(tx, self._tasks[number], "SUCCESS", output)),
        )
        self._finished[group] += 1
        size, done = len(self._plan.groups[group].members), self._finished[group]
        if done == size or done % max(1, size // self._sizes.progress_reads) == 0:
            self._progress(group, step)

    def _progress(self, group: int, step: Step) -> None:
        """Read a group's progress, and finish the group when all its tasks have succeeded."""
        group_id = self._groups[group]
        progress = self._meter.read(
            "read the progress", lambda: self._db.tasks.progress(group_id, workflow_exec_id=self.id)
        )
        if progress.overall("wait_all") != "SUCCESS":
            return
        output: JsonObject = {
            "runtimeInSeconds": step.at - (self._started_at[group] or 0.0),
            "tasks": progress.total,
            "completionRate": progress.completion_rate,
        }
        self._meter.write(
            "finish a group", lambda: self._db.run(lambda tx: self._change(tx, group_id, "SUCCESS", output))
        )

    def _change(self, tx: Transaction, task_exec_id: str, status: Status, output: JsonObject | None = None) -> None:
        state = tx.tasks.get_for_update(task_exec_id, workflow_exec_id=self.id)
        tx.tasks.save(state.replace(status=status, output=output))

    def _workflow_output(self, state: WorkflowState) -> JsonObject:
        tasks = state.tasks or {}
        return {
            "runtimeInSeconds": self._plan.trace.makespan,
            "groups": {group.task_id: tasks[group.task_id].output for group in self._plan.groups},
        }

    def _files(self, ids: Sequence[str]) -> list[JsonObject]:
        sizes = self._plan.trace.sizes
        return [{"id": id, "sizeInBytes": sizes[id]} if id in sizes else {"id": id} for id in ids]
