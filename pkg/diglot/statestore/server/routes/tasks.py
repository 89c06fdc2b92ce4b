"""Tasks: writing, reading, and the tasks below them."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from diglot.statestore.models import Page, Status, Strategy, TaskState, Tree
from diglot.statestore.repositories.paging import DEFAULT_LIMIT
from diglot.statestore.repositories.tasks import MAX_DEPTH
from diglot.statestore.server.auth.who import Me
from diglot.statestore.server.openapi.description import CREATED_TASK, IF_MATCH, IF_NONE_MATCH
from diglot.statestore.server.problems import responses
from diglot.statestore.server.routes.answers import met, paged, versioned, wanted_version, written
from diglot.statestore.server.routes.bodies import Body, Sent, TaskBody, UsageAdded
from diglot.statestore.server.routes.parameters import After, Limit, OpenDatabase
from diglot.statestore.server.routes.sizes import PAGE_BYTES, refuse_large

ExecId = Annotated[
    str | None,
    QueryParameter(description="Its execution, if you know it: saves a lookup."),
]


class ProgressReport(msgspec.Struct, frozen=True):
    """The progress of a task's direct children, by the latest state of each task_id; ``overall`` by the strategy."""

    total: int
    counts: dict[str, int]
    running: int
    terminal: int
    completion_rate: float
    failure_rate: float
    strategy: Strategy
    overall: Status


@put("/tasks/{task_exec_id:str}", summary="Write a task", tags=["Tasks"], dto=Body[TaskBody], return_dto=None,
     responses={**CREATED_TASK, **responses(409, 412, 413, 415)}, sync_to_thread=True)  # fmt: skip
def put_task(
    request: Me,
    task_exec_id: FromPath[str],
    data: JSONBody[Sent[TaskBody]],
    database: OpenDatabase,
    if_match: IF_MATCH = None,
    if_none_match: IF_NONE_MATCH = None,
) -> Response[TaskState]:
    """Creates it (201), or replaces all but its time of creation (200); conditions as for an execution.

    409 if its execution or its parent does not exist, or if a task in another execution has this id. A parent that
    would make the task its own ancestor is an invalid value.
    """
    tasks, state = database.tasks, data.read().state(task_exec_id)
    version = wanted_version(if_match, if_none_match, lambda: tasks.get(task_exec_id, state.workflow_exec_id))
    stored = tasks.upsert(state) if version is None else met(lambda: tasks.save(state.replace(version=version)))
    return written(stored, request.url.path)


@get("/tasks/{task_exec_id:str}", summary="Get a task", tags=["Tasks"], responses=responses(404), sync_to_thread=True)
def get_task(
    task_exec_id: FromPath[str], database: OpenDatabase, workflow_exec_id: ExecId = None
) -> Response[TaskState]:
    """Its version is the ETag."""
    return versioned(database.tasks.get(task_exec_id, workflow_exec_id))


@get("/tasks/{task_exec_id:str}/children", summary="List its children", tags=["Tasks"], responses=responses(404),
     sync_to_thread=True)  # fmt: skip
def children(
    request: Me,
    task_exec_id: FromPath[str],
    database: OpenDatabase,
    workflow_exec_id: ExecId = None,
    limit: Limit = DEFAULT_LIMIT,
    after: After = None,
) -> Response[Page[TaskState]]:
    """The direct children, oldest first."""
    page = database.tasks.children(task_exec_id, workflow_exec_id, limit=limit, after=after, max_bytes=PAGE_BYTES)
    if not page.items:
        database.tasks.get(task_exec_id, workflow_exec_id)
    return paged(request, page)


@get("/tasks/{task_exec_id:str}/progress", summary="Get the progress of its children", tags=["Tasks"],
     responses=responses(404), sync_to_thread=True)  # fmt: skip
def progress(
    task_exec_id: FromPath[str],
    database: OpenDatabase,
    strategy: FromQuery[Strategy] = "wait_all",
    workflow_exec_id: ExecId = None,
) -> ProgressReport:
    """Counts by status, rates from 0 to 1, and the status that the strategy gives the parent."""
    found = database.tasks.progress(task_exec_id, workflow_exec_id)
    if not found.total:
        database.tasks.get(task_exec_id, workflow_exec_id)
    return ProgressReport(
        found.total,
        found.counts,
        found.running,
        found.terminal,
        found.completion_rate,
        found.failure_rate,
        strategy,
        found.overall(strategy),
    )


@get("/tasks/{task_exec_id:str}/tree", summary="Get it and all below it", tags=["Tasks"], responses=responses(404),
     sync_to_thread=True)  # fmt: skip
def tree(
    task_exec_id: FromPath[str],
    database: OpenDatabase,
    max_depth: Annotated[int, QueryParameter(ge=0, le=1000, description="How many levels below it.")] = MAX_DEPTH,
    workflow_exec_id: ExecId = None,
) -> Tree:
    """Parents before children, siblings by creation; ``truncated`` if there are deeper tasks."""
    exec_id = workflow_exec_id or database.tasks.get(task_exec_id).workflow_exec_id
    refuse_large(database, [exec_id])
    return database.tasks.tree(task_exec_id, max_depth, exec_id)


@post("/tasks/{task_exec_id:str}/usage", summary="Add token usage", tags=["Tasks"], dto=Body[UsageAdded],
      return_dto=None, status_code=200, responses=responses(404, 413, 415), sync_to_thread=True)  # fmt: skip
def add_task_usage(
    task_exec_id: FromPath[str],
    data: JSONBody[Sent[UsageAdded]],
    database: OpenDatabase,
    workflow_exec_id: ExecId = None,
) -> Response[TaskState]:
    """Adds to the stored usage, atomically: concurrent calls all count."""
    return versioned(database.tasks.merge_usage(task_exec_id, list(data.read().usage), workflow_exec_id))


HANDLERS = [put_task, get_task, children, progress, tree, add_task_usage]
