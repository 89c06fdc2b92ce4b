"""Errors for people: one clear line, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.response import Redirect

from diglot.statestore.errors import InvalidApiKey
from diglot.statestore.server import problems
from diglot.statestore.server.pages import sign_in
from diglot.statestore.server.pages.rendering import HEADERS, MEDIA_TYPE, rendered, text
from diglot.statestore.server.problems import Problem

if TYPE_CHECKING:
    from litestar.types import Scope


RETRY_SECONDS = 5
"""After this long a browser retries a page that could not be rendered."""
LATE = problems.problem("database-busy", 503, "The database did not answer in time", "it is slow, or can't be reached")


def page(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The exception handler of all pages. Redirects to the form if nobody is signed in."""
    if isinstance(error, InvalidApiKey):
        target = sign_in.with_return(request)
        return Redirect(target, status_code=303, headers=HEADERS, cookies=[sign_in.forgotten(request)])
    found = problems.reported(error)
    given = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    headers = problems.headers_of(found) | given
    words = _words(found, _request_id(), request.method)
    return rendered(request, "error.html", code=found.status, headers=headers, **words)


def page_or_problem(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The exception handler of the application: a page for a browser with a wrong URL, else a problem."""
    astray = isinstance(error, HTTPException) and error.status_code in (404, 405)
    return page(request, error) if astray and for_people(request.scope) else problems.answer(request, error)


def for_people(scope: Scope) -> bool:
    """Whether a person reads the response in a browser."""
    accepted = next((value for name, value in scope["headers"] if name == b"accept"), b"")
    return b"text/html" in accepted and not scope["path"].startswith("/api/")


def encoded(found: Problem, request_id: str, method: str = "GET") -> tuple[bytes, dict[str, str]]:
    """The body and the headers of a page for a problem that occurred outside the application."""
    body = text("error.html", user=None, path="", **_words(found, request_id, method)).encode()
    return body, {**HEADERS, "Content-Type": f"{MEDIA_TYPE}; charset=utf-8"} | problems.headers_of(found)


def _words(found: Problem, request_id: str, method: str) -> dict[str, Any]:
    line = f"{found.path}: {found.detail}" if found.path else found.detail
    retry = RETRY_SECONDS if found.status == 503 and method in ("GET", "HEAD") else 0
    return {"title": found.title, "line": line, "request_id": request_id, "retry": retry}


def _request_id() -> str:
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))
