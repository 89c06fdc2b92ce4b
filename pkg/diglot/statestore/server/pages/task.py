"""One task: its state, its documents, and its children one page at a time."""

from __future__ import annotations

from typing import Any

from litestar import Response, get
from litestar.params import FromQuery

from diglot.statestore.durations import recorded_seconds
from diglot.statestore.models import TERMINAL
from diglot.statestore.server.auth.who import Me
from diglot.statestore.server.pages.lists import PAGE
from diglot.statestore.server.pages.rendering import link, rendered
from diglot.statestore.server.pages.run import LIVE_SECONDS, documents, why


@get("/task", sync_to_thread=True)
def task(request: Me, run: FromQuery[str], id: FromQuery[str]) -> Response[Any]:
    """Two queries: the task, and its children without their documents."""
    database = request.app.state.database
    state = database.tasks.get(id, run)
    after = request.query_params.get("after")
    children = database.tasks.summaries(run, parent_state_id=id, limit=2 * PAGE, after=after)
    return rendered(
        request,
        "task.html",
        task=state,
        children=children.items,
        first=link("/task", run=run, id=id) if after else None,
        next=link("/task", run=run, id=id, after=children.next) if children.next else None,
        recorded=recorded_seconds(state),
        error=why(state.error),
        documents=documents(state.error, state.input, state.output),
        usage=state.usage or [],
        live=0 if state.status in TERMINAL else LIVE_SECONDS,
    )


HANDLERS = [task]
