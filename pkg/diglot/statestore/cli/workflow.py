"""``diglot workflow list|show|cancel|stale|delete``: the recorded executions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from diglot.cli.confirm import confirm, yes_option
from diglot.cli.output import cell, console
from diglot.statestore.cli.app import StoreApp, note, pass_app
from diglot.statestore.cli.pages import page_options, print_page
from diglot.statestore.cli.prune import Age
from diglot.statestore.models import STATUSES, Status, TaskState, WorkflowState, WorkflowSummary

if TYPE_CHECKING:
    from diglot.statestore.database import Database

MOST_TASKS = 100_000
PAGE = 1000
execution_argument: Callable[..., Callable[..., None]] = click.argument("workflow_exec_id", metavar="ID")


@click.command("list")
@click.option("--status", type=click.Choice(STATUSES, case_sensitive=False), help="Only executions with this status.")
@click.option("--workflow-id", metavar="NAME", help="Only executions of this workflow.")
@page_options
@pass_app
def list_workflows(
    app: StoreApp, status: Status | None, workflow_id: str | None, limit: int, after: str | None
) -> None:
    """List the recorded executions, newest first, one page at a time.

    \b
    Example:
      diglot workflow list --status FAILED --limit 20
    """
    with app.open() as db:
        page = db.workflows.list(status=status, workflow_id=workflow_id, limit=limit, after=after)
    rows = [[run.workflow_exec_id, run.workflow_id, run.status, run.created_at, run.updated_at] for run in page.items]
    print_page(app.out, ["ID", "WORKFLOW", "STATUS", "CREATED", "UPDATED"], rows, page, "no workflow executions")


@click.command()
@execution_argument
@click.option(
    "--width",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="How many children of each task to show; a last line counts the others.",
)
@pass_app
def show(app: StoreApp, workflow_exec_id: str, width: int) -> None:
    """Show one execution with its tasks as a tree; a wide level is shortened, and the rest is counted.

    \b
    Example:
      diglot workflow show 01987b2c-4c1e-7d0a-9f3e-5a6b7c8d9e0f
    """
    with app.open() as db:
        state = db.workflows.get(workflow_exec_id, with_tasks=False)
        tasks = _all_tasks(db, workflow_exec_id)
    app.out.answer({"workflow": state, "tasks": tasks}, lambda: _print_run(state, tasks, width))


@click.command()
@execution_argument
@yes_option
@pass_app
def delete(app: StoreApp, workflow_exec_id: str, yes: bool) -> None:
    """Delete one execution and all its tasks. It asks first.

    \b
    Example:
      diglot workflow delete 01987b2c-4c1e-7d0a-9f3e-5a6b7c8d9e0f
    """
    with app.open() as db:
        if not yes:
            found = db.workflows.get(workflow_exec_id, with_tasks=False)
            confirm(
                [f"execution {workflow_exec_id} of {found.workflow_id} ({found.status}) and all its tasks"],
                doing="deleting",
                question="Delete anyway?",
                undone="nothing was deleted",
            )
        db.workflows.delete(workflow_exec_id)
    app.out.line(f"deleted {workflow_exec_id} and its tasks", {"deleted": workflow_exec_id})


@click.command()
@execution_argument
@pass_app
def cancel(app: StoreApp, workflow_exec_id: str) -> int:
    """End an execution as CANCELED, and its unfinished tasks with it. The engine that runs it is not informed.

    \b
    Example:
      diglot workflow cancel 01987b2c-4c1e-7d0a-9f3e-5a6b7c8d9e0f
    """
    with app.open() as db:
        ending = db.workflows.try_end(workflow_exec_id, "CANCELED")
    if not ending.ended:
        note(f"{workflow_exec_id} has already ended ({ending.was}): nothing was changed")
        return 1
    app.out.line(f"canceled {workflow_exec_id} (it was {ending.was})", ending.state)
    return 0


@click.command()
@click.option("--older-than", type=Age(), required=True, metavar="AGE", help="Only executions unchanged for this long.")
@click.option(
    "--status",
    type=click.Choice(["RUNNING", "PENDING", "WAITING", "PAUSED"], case_sensitive=False),
    default="RUNNING",
    show_default=True,
    help="Only executions with this status.",
)
@click.option(
    "--end",
    "ending",
    type=click.Choice(["CANCELED", "TIMED_OUT", "FAILED"], case_sensitive=False),
    help="End them with this status.",
)
@pass_app
def stale(app: StoreApp, older_than: timedelta, status: Status, ending: Status | None) -> None:
    """List unfinished executions that have not changed for a long time, and neither have their tasks; or end them.

    An execution that changes again before it is ended is left alone.

    \b
    Example:
      diglot workflow stale --older-than 1h
      diglot workflow stale --older-than 1h --end TIMED_OUT
    """
    from diglot.database import utc_now

    before = utc_now() - older_than
    with app.open() as db:
        found: list[WorkflowSummary] = []
        after: str | None = None
        while True:
            page = db.workflows.stale(before, status, limit=PAGE, after=after)
            found += page.items
            after = page.next
            if after is None:
                break
        ended = [
            run.workflow_exec_id
            for run in found
            if ending is not None and db.workflows.try_end(run.workflow_exec_id, ending, stale_since=before).ended
        ]
    rows = [[run.workflow_exec_id, run.workflow_id, run.status, run.created_at, run.updated_at] for run in found]
    app.out.table(["ID", "WORKFLOW", "STATUS", "CREATED", "UPDATED"], rows, {"items": found, "ended": ended})
    if not found:
        note("no stale executions")
    elif ending is not None:
        note(f"ended {len(ended):,} of {len(found):,} as {ending}")


def _all_tasks(db: Database, workflow_exec_id: str) -> list[TaskState]:
    tasks: list[TaskState] = []
    after: str | None = None
    while len(tasks) < MOST_TASKS:
        page = db.tasks.list(workflow_exec_id=workflow_exec_id, limit=PAGE, after=after)
        tasks += page.items
        after = page.next
        if after is None:
            return tasks
    note(f"only the first {MOST_TASKS:,} tasks are shown")
    return tasks


def _print_run(state: WorkflowState, tasks: list[TaskState], width: int) -> None:
    from diglot.statestore.cli.tree import workflow_tree

    pairs: list[tuple[str, Any]] = [
        ("id", state.workflow_exec_id),
        ("created", state.created_at),
        ("updated", state.updated_at),
    ]
    if state.error is not None:
        pairs.append(("error", " ".join(text for text in (state.error.code, state.error.message) if text)))
    for name, value in pairs:
        click.echo(f"{name:<7}  {cell(value)}")
    click.echo()
    console().print(workflow_tree(state, tasks, width=width))
