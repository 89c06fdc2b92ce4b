"""The page for people at ``/``: runs, one run as a tree and as a timeline, and how the service is.

Made on the server, so it works without JavaScript; a small script keeps what is on the screen current. Whoever looks
sees what the interface would let them see, since both ask the same authentication.
"""

from __future__ import annotations

from litestar import Router
from litestar.types import Middleware

from diglot.statestore.server.auth.who import Everybody
from diglot.statestore.server.pages import assets, errors, lists, run, sign_in, task, wellbeing


def routers(*, auth: bool) -> list[Router]:
    """Everything that people look at; none of it is part of the described interface."""
    visitor: Middleware = sign_in.Visitor() if auth else Everybody()
    inside = [*lists.HANDLERS, *run.HANDLERS, *task.HANDLERS, *wellbeing.HANDLERS]
    outside = [*sign_in.HANDLERS, *assets.HANDLERS]
    return [
        Router("/", route_handlers=inside, middleware=[visitor], exception_handlers={Exception: errors.page},
               include_in_schema=False),
        Router("/", route_handlers=outside, middleware=[] if auth else [visitor],
               exception_handlers={Exception: errors.page}, include_in_schema=False),
    ]  # fmt: skip
