"""Runs, newest first, and the tasks of a run: filtered, one page at a time."""

from __future__ import annotations

from typing import Any, cast

from litestar import Response, get
from litestar.params import FromQuery
from litestar.response import Redirect

from diglot.statestore.errors import WorkflowNotFound
from diglot.statestore.models import TERMINAL, Status
from diglot.statestore.repositories.validation import check_status
from diglot.statestore.server.auth.who import Me
from diglot.statestore.server.pages.rendering import HEADERS, link, rendered

PAGE = 50
LIVE_SECONDS = 3
QUIET_SECONDS = 15
"""How often the list is refreshed: while something runs, and while nothing runs."""


@get("/", sync_to_thread=True)
def runs(request: Me) -> Response[Any]:
    """Filtered by status and by workflow; searching for a run's id opens the run."""
    database = request.app.state.database
    query = request.query_params
    status, sought, after = _status(query.get("status")), query.get("q", "").strip(), query.get("after")
    page = database.workflows.summaries(status=status, workflow_id=sought or None, limit=PAGE, after=after)
    if sought and not page.items and not status and not after and _is_run(request, sought):
        return Redirect(link("/run", id=sought), status_code=303, headers=HEADERS)
    running = any(run.status not in TERMINAL for run in page.items)
    here = {"status": status, "q": sought}
    return rendered(
        request,
        "runs.html",
        runs=page.items,
        known=sorted({run.workflow_id for run in page.items}),
        status=status,
        sought=sought,
        first=link("/", **here) if after else None,
        next=link("/", **here, after=page.next) if page.next else None,
        live=0 if after and not running else LIVE_SECONDS if running else QUIET_SECONDS,
    )


@get("/tasks", sync_to_thread=True)
def tasks(request: Me, run: FromQuery[str]) -> Response[Any]:
    """All tasks of a run, oldest first."""
    database = request.app.state.database
    status, after = _status(request.query_params.get("status")), request.query_params.get("after")
    state = database.workflows.get(run, with_tasks=False)
    page = database.tasks.summaries(run, status=status, limit=2 * PAGE, after=after)
    here = {"run": run, "status": status}
    return rendered(
        request,
        "tasks.html",
        run=state,
        tasks=page.items,
        status=status,
        first=link("/tasks", **here) if after else None,
        next=link("/tasks", **here, after=page.next) if page.next else None,
    )


def _status(given: str | None) -> Status | None:
    """The status to filter by, None if none was chosen. Raises InvalidValue, which lists the statuses."""
    return cast(Status, check_status(given)) if given else None


def _is_run(request: Me, exec_id: str) -> bool:
    try:
        request.app.state.database.workflows.get(exec_id, with_tasks=False)
    except WorkflowNotFound:
        return False
    return True


HANDLERS = [runs, tasks]
