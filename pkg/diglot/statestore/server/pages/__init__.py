"""The pages for people at ``/``: runs, one run as a tree and as a timeline, and the health of the service.

They are rendered on the server, so they work without JavaScript; a small script keeps them current. A user sees what
the API would let them see, because both use the same authentication.
"""

from __future__ import annotations

from litestar import Router
from litestar.types import Middleware

from diglot.statestore.server.auth.who import Everybody
from diglot.statestore.server.pages import assets, errors, lists, run, sign_in, task, wellbeing


def routers(*, auth: bool) -> list[Router]:
    """All pages for people; they are not part of the described API."""
    visitor: Middleware = sign_in.Visitor() if auth else Everybody()
    inside = [*lists.HANDLERS, *run.HANDLERS, *task.HANDLERS, *wellbeing.HANDLERS]
    outside = [*sign_in.HANDLERS, *assets.HANDLERS]
    return [
        Router("/", route_handlers=inside, middleware=[visitor], exception_handlers={Exception: errors.page},
               include_in_schema=False),
        Router("/", route_handlers=outside, middleware=[] if auth else [visitor],
               exception_handlers={Exception: errors.page}, include_in_schema=False),
    ]  # fmt: skip
