"""Workflow executions: list, write, read, complete, with their tasks as a list or a tree."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, delete, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from diglot.statestore.models import ExecutionType, Page, Status, TaskState, Tree, TreeNode, WorkflowState
from diglot.statestore.repositories.paging import DEFAULT_LIMIT, MAX_LIMIT
from diglot.statestore.server.auth.who import Me
from diglot.statestore.server.openapi.description import CREATED_WORKFLOW, IF_MATCH, IF_NONE_MATCH
from diglot.statestore.server.problems import responses
from diglot.statestore.server.routes.answers import met, paged, versioned, wanted_version, written
from diglot.statestore.server.routes.bodies import Body, Sent, UsageAdded, WorkflowBody
from diglot.statestore.server.routes.parameters import After, Limit, OpenDatabase, moment
from diglot.statestore.server.routes.sizes import PAGE_BYTES, refuse_large

_TIME = {"format": "date-time"}
MOST_NODES = 10_000
"""The most tasks in the tree of an execution."""


@get("/workflows", summary="List executions", tags=["Workflows"], responses=responses(), sync_to_thread=True)
def list_workflows(
    request: Me,
    database: OpenDatabase,
    status: FromQuery[Status | None] = None,
    workflow_id: FromQuery[str | None] = None,
    ids: Annotated[list[str] | None, QueryParameter(description="Only these executions.", max_items=MAX_LIMIT)] = None,
    created_from: Annotated[str | None, QueryParameter(description="Created at or after.", schema_extra=_TIME)] = None,
    created_before: Annotated[str | None, QueryParameter(description="Created before.", schema_extra=_TIME)] = None,
    with_tasks: Annotated[bool, QueryParameter(description="With the latest state of each task.")] = False,
    limit: Limit = DEFAULT_LIMIT,
    after: After = None,
) -> Response[Page[WorkflowState]]:
    """Newest first, those that match every given filter."""
    page = database.workflows.list(
        max_bytes=PAGE_BYTES,
        status=status,
        workflow_id=workflow_id,
        ids=ids,
        created_from=moment(created_from, "created_from"),
        created_before=moment(created_before, "created_before"),
        limit=limit,
        after=after,
    )
    if with_tasks and page.items:
        exec_ids = [state.workflow_exec_id for state in page.items]
        refuse_large(database, exec_ids)
        whole = database.workflows.list(ids=exec_ids, with_tasks=True, limit=len(exec_ids))
        page = Page(whole.items, page.next)
    return paged(request, page)


@put("/workflows/{exec_id:str}", summary="Write an execution", tags=["Workflows"], dto=Body[WorkflowBody],
     return_dto=None, responses={**CREATED_WORKFLOW, **responses(412, 413, 415)}, sync_to_thread=True)  # fmt: skip
def put_workflow(
    request: Me,
    exec_id: FromPath[str],
    data: JSONBody[Sent[WorkflowBody]],
    database: OpenDatabase,
    if_match: IF_MATCH = None,
    if_none_match: IF_NONE_MATCH = None,
) -> Response[WorkflowState]:
    """Creates it (201), or replaces all but its time of creation (200).

    Without a condition the last writer wins. With If-Match only the version with this ETag is replaced, with
    ``If-None-Match: *`` only a new one is created; else 412.
    """
    workflows, state = database.workflows, data.read().state(exec_id)
    version = wanted_version(if_match, if_none_match, lambda: workflows.get(exec_id, with_tasks=False))
    stored = workflows.upsert(state) if version is None else met(lambda: workflows.save(state.replace(version=version)))
    return written(stored, request.url.path)


@get("/workflows/{exec_id:str}", summary="Get an execution", tags=["Workflows"], responses=responses(404),
     sync_to_thread=True)  # fmt: skip
def get_workflow(
    exec_id: FromPath[str],
    database: OpenDatabase,
    with_tasks: Annotated[bool, QueryParameter(description="With the latest state of each task.")] = False,
) -> Response[WorkflowState]:
    """Its version is the ETag. With tasks there is no ETag: they change without a new version."""
    if with_tasks:
        refuse_large(database, [exec_id])
    state = database.workflows.get(exec_id, with_tasks=with_tasks)
    return Response(state) if with_tasks else versioned(state)


@delete("/workflows/{exec_id:str}", summary="Delete an execution", tags=["Workflows"], responses=responses(404, 412),
        sync_to_thread=True)  # fmt: skip
def delete_workflow(exec_id: FromPath[str], database: OpenDatabase, if_match: IF_MATCH = None) -> None:
    """Also deletes its tasks. With If-Match only the version with this ETag; else 412."""
    version = wanted_version(if_match, None, lambda: database.workflows.get(exec_id, with_tasks=False))
    if version is None:
        database.workflows.delete(exec_id)
        return
    with database.transaction() as tx:
        # Saving takes the row's lock and compares the version: nobody can change it before it is gone.
        met(lambda: tx.workflows.save(tx.workflows.get(exec_id, with_tasks=False).replace(version=version)))
        tx.workflows.delete(exec_id)


@get("/workflows/{exec_id:str}/tasks", summary="List its tasks", tags=["Workflows"], responses=responses(404),
     sync_to_thread=True)  # fmt: skip
def list_tasks(
    request: Me,
    exec_id: FromPath[str],
    database: OpenDatabase,
    status: FromQuery[Status | None] = None,
    task_id: FromQuery[str | None] = None,
    parent_state_id: FromQuery[str | None] = None,
    no_parent: Annotated[bool, QueryParameter(description="Only tasks without a parent.")] = False,
    agent_id: FromQuery[str | None] = None,
    action_id: FromQuery[str | None] = None,
    tool_id: FromQuery[str | None] = None,
    execution_type: FromQuery[ExecutionType | None] = None,
    limit: Limit = DEFAULT_LIMIT,
    after: After = None,
) -> Response[Page[TaskState]]:
    """Oldest first, those that match every given filter."""
    page = database.tasks.list(
        max_bytes=PAGE_BYTES,
        workflow_exec_id=exec_id,
        status=status,
        task_id=task_id,
        parent_state_id=parent_state_id,
        no_parent=no_parent,
        agent_id=agent_id,
        action_id=action_id,
        tool_id=tool_id,
        execution_type=execution_type,
        limit=limit,
        after=after,
    )
    if not page.items:
        database.workflows.get(exec_id, with_tasks=False)
    return paged(request, page)


@get("/workflows/{exec_id:str}/tree", summary="Get its tasks as a tree", tags=["Workflows"], responses=responses(404),
     sync_to_thread=True)  # fmt: skip
def workflow_tree(exec_id: FromPath[str], database: OpenDatabase) -> Tree:
    """Parents before children, siblings by creation; ``truncated`` if there are more than 10,000 tasks, or more bytes
    than a response may have.
    """
    tasks: list[TaskState] = []
    after: str | None = None
    while len(tasks) < MOST_NODES:
        page = database.tasks.list(workflow_exec_id=exec_id, limit=MAX_LIMIT, after=after, max_bytes=PAGE_BYTES)
        tasks += page.items
        after = page.next
        if after is None or len(page.items) < MAX_LIMIT:
            break
    if not tasks:
        database.workflows.get(exec_id, with_tasks=False)
    return Tree(_nodes(tasks), truncated=after is not None)


@post("/workflows/{exec_id:str}/complete", summary="End an execution", tags=["Workflows"], status_code=200,
      responses=responses(404, 409, 413), sync_to_thread=True)  # fmt: skip
def complete_workflow(exec_id: FromPath[str], database: OpenDatabase) -> Response[WorkflowState]:
    """SUCCESS or FAILED, by the latest states of its root tasks; 409 while one of them is unfinished.

    An execution that has already ended is returned unchanged.
    """
    return versioned(database.workflows.complete(exec_id))


@post("/workflows/{exec_id:str}/cancel", summary="Cancel an execution", tags=["Workflows"], status_code=200,
      responses=responses(404), sync_to_thread=True)  # fmt: skip
def cancel_workflow(exec_id: FromPath[str], database: OpenDatabase) -> Response[WorkflowState]:
    """CANCELED, with its unfinished tasks; the engine that runs it is not informed.

    An execution that has already ended is returned unchanged.
    """
    return versioned(database.workflows.end(exec_id, "CANCELED"))


@post("/workflows/{exec_id:str}/usage", summary="Add token usage", tags=["Workflows"], dto=Body[UsageAdded],
      return_dto=None, status_code=200, responses=responses(404, 413, 415), sync_to_thread=True)  # fmt: skip
def add_workflow_usage(
    exec_id: FromPath[str], data: JSONBody[Sent[UsageAdded]], database: OpenDatabase
) -> Response[WorkflowState]:
    """Adds to the stored usage, atomically: concurrent calls all count."""
    return versioned(database.workflows.merge_usage(exec_id, list(data.read().usage)))


def _nodes(tasks: list[TaskState]) -> list[TreeNode]:
    """Each task with its depth, children after their parent; tasks whose parent is not among them are roots."""
    known = {task.task_exec_id for task in tasks}
    children: dict[str | None, list[TaskState]] = {}
    for task in tasks:
        children.setdefault(task.parent_state_id if task.parent_state_id in known else None, []).append(task)
    nodes: list[TreeNode] = []
    waiting = [(0, task) for task in reversed(children.pop(None, []))]
    while waiting:
        depth, task = waiting.pop()
        nodes.append(TreeNode(depth, task))
        waiting += [(depth + 1, child) for child in reversed(children.pop(task.task_exec_id, []))]
    return nodes


HANDLERS = [
    list_workflows,
    put_workflow,
    get_workflow,
    delete_workflow,
    list_tasks,
    workflow_tree,
    complete_workflow,
    cancel_workflow,
    add_workflow_usage,
]
