"""What goes wrong, for people: one clear line, and a way on."""

from __future__ import annotations

from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.response import Redirect

from diglot.errors import InvalidApiKey
from diglot.server import problems
from diglot.server.pages import sign_in
from diglot.server.pages.rendering import HEADERS, rendered


def page(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The exception handler of all pages. Who is not signed in goes to the form."""
    if isinstance(error, InvalidApiKey):
        target = sign_in.with_return(request)
        return Redirect(target, status_code=303, headers=HEADERS, cookies=[sign_in.forgotten(request)])
    found = problems.told(error)
    given = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    return rendered(
        request,
        "error.html",
        code=found.status,
        headers=problems.headers_of(found) | given,
        title=found.title,
        line=f"{found.path}: {found.detail}" if found.path else found.detail,
        request_id=structlog.contextvars.get_contextvars().get("request_id", ""),
    )


def page_or_problem(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The exception handler of the application: a page for a browser that went astray, else a problem."""
    astray = isinstance(error, HTTPException) and error.status_code in (404, 405)
    if astray and "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/"):
        return page(request, error)
    return problems.answer(request, error)
