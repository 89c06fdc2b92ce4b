"""One run: as a tree, as a timeline, and its input and output."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response, get
from litestar.params import FromQuery

from diglot.database import utc_now
from diglot.statestore.durations import recorded_seconds
from diglot.statestore.models import TERMINAL, StateError, Usage
from diglot.statestore.repositories.tasks import MOST_SUMMARIES
from diglot.statestore.server.auth.who import Me
from diglot.statestore.server.pages.outline import outline, rows, span
from diglot.statestore.server.pages.rendering import rendered

VIEWS = ("tree", "timeline", "data")
LIVE_SECONDS = 2
MOST_TEXT = 50_000
"""The most characters of a document that a page shows."""


@get("/run", sync_to_thread=True)
def run(request: Me, id: FromQuery[str], view: FromQuery[str] = "tree") -> Response[Any]:
    """Two queries: the run, and its tasks without their documents."""
    database = request.app.state.database
    state = database.workflows.get(id, with_tasks=False)
    page = database.tasks.summaries(id, limit=MOST_SUMMARIES)
    now = utc_now()
    shape = outline(page.items)
    scale = span(state.created_at, page.items, now)
    opened = request.query_params.getall("open", [])
    return rendered(
        request,
        "run.html",
        run=state,
        view=view if view in VIEWS else "tree",
        shape=shape,
        more=page.next is not None,
        scale=scale,
        rows=rows(shape, opened),
        opened=opened,
        now=now,
        recorded=recorded_seconds(state),
        error=why(state.error),
        documents=documents(state.error, state.input, state.output) if view == "data" else [],
        usage=state.usage or [],
        tokens=tokens(state.usage),
        live=0 if state.status in TERMINAL else LIVE_SECONDS,
    )


def why(error: StateError | None) -> str:
    """Why something failed, in one line."""
    return "" if error is None else ": ".join(text for text in (error.code, error.message) if text) or "no reason given"


def tokens(usage: Usage | None) -> int:
    return sum(entry.total_tokens for entry in usage or [])


def documents(error: StateError | None, given: Any, output: Any) -> list[tuple[str, str, bool]]:
    """The documents of a state: title, text, whether the text was cut off."""
    details = None if error is None or error.details is None else error.details
    found = []
    for title, value in (("Error details", details), ("Input", given), ("Output", output)):
        if value is not None:
            text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
            found.append((title, text[:MOST_TEXT], len(text) > MOST_TEXT))
    return found


HANDLERS = [run]
