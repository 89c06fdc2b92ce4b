"""Errors as RFC 9457 problem details: a stable ``type``, a status, and a text that reveals nothing.

A database's own error message (which has values, names and SQL) goes to the log, never into a response.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec

from diglot import errors
from diglot.errors import DatabaseError, DiglotError, InvalidValue
from diglot.statestore import errors as refusals

log = structlog.get_logger("diglot.server")
MEDIA_TYPE = "application/problem+json"
_TYPE = "urn:diglot:problem:"


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """RFC 9457. ``type`` never changes its meaning; ``path`` names the value, as in ``input.items[3]``."""

    type: str
    title: str
    status: int
    detail: str = ""
    path: str = ""
    request_id: str = ""
    """As in the header X-Request-ID and on each log line."""


def problem(name: str, status: int, title: str, detail: str = "", path: str = "") -> Problem:
    return Problem(_TYPE + name, title, status, detail, path)


TIMED_OUT = problem(
    "timed-out", 503, "The request took too long", "it may still be carried out: check before you repeat it"
)
_HEADERS: dict[int, dict[str, str]] = {
    401: {"WWW-Authenticate": 'Bearer realm="diglot"'},
    503: {"Retry-After": "1"},
}
_KINDS: list[tuple[type[DiglotError], str, int, str]] = [
    (refusals.InvalidApiKey, "not-authenticated", 401, "A valid API key is needed"),
    (refusals.NotFound, "not-found", 404, "Not found"),
    (refusals.EmailExists, "email-exists", 409, "The e-mail address is taken"),
    (refusals.LastAdmin, "last-admin", 409, "This is the last admin"),
    (refusals.ConcurrentUpdate, "changed-meanwhile", 412, "It has a different version"),
    (refusals.UnknownReference, "unknown-reference", 409, "It refers to something that does not exist"),
    (refusals.TaskInOtherWorkflow, "task-in-other-workflow", 409, "The task belongs to another workflow execution"),
    (refusals.WorkflowNotReady, "workflow-not-ready", 409, "The workflow still has unfinished tasks"),
]
"""Errors whose text is ours and meant for the caller."""
_OF_DATABASE: list[tuple[type[DatabaseError], str, str]] = [
    (errors.OutcomeUnknown, "outcome-unknown", "It may or may not have been stored"),
    (errors.DatabaseIOError, "database-io-error", "The database's disk failed"),
    (errors.DatabaseUnavailable, "database-unavailable", "The database can't be reached"),
    (errors.DatabaseTimeout, "database-busy", "The database did not answer in time"),
    (errors.SerializationFailure, "database-busy", "The database asks for another attempt"),
    (errors.DatabaseFull, "database-full", "The database has no space left"),
    (errors.DatabaseDamaged, "database-damaged", "The database is damaged"),
    (errors.DatabaseReadOnly, "database-read-only", "The database can't be written"),
    (errors.SchemaMismatch, "not-migrated", "The database's schema does not match this version"),
    (errors.StoreClosed, "stopping", "The service is stopping"),
]
"""Errors whose text may be the database's: only their kind is reported, all with status 503."""
_EVERYWHERE = (400, 401, 403, 429, 503)
_OF_HTTP: dict[int, tuple[str, str]] = {
    400: ("invalid-request", "The request is invalid"),
    401: ("not-authenticated", "A valid API key is needed"),
    403: ("not-allowed", "This is not allowed"),
    404: ("not-found", "Not found"),
    405: ("method-not-allowed", "This method is not allowed here"),
    412: ("changed-meanwhile", "It has a different version"),
    413: ("too-large", "The body is too large"),
    415: ("not-json", "The body must be JSON"),
    429: ("too-many-failures", "Too many failed attempts"),
}


_SAY_LITTLE = (404, 413)
"""Statuses for which the framework's text only repeats the title."""


def problem_of(error: Exception) -> Problem:
    """The response to an error."""
    if isinstance(error, InvalidValue):
        return problem("invalid-value", 400, "A value is invalid", error.problem, error.path)
    for kind, name, status, title in _KINDS:
        if isinstance(error, kind):
            return problem(name, status, title, str(error))
    if isinstance(error, errors.TooLarge):
        # Without a path, the text is the database's.
        detail = str(error) if error.path else "the database does not take a value of this size"
        return problem("too-large", 413, "The value is too large", detail, error.path)
    for of_database, name, title in _OF_DATABASE:
        if isinstance(error, of_database):
            return problem(name, 503, title)
    if isinstance(error, ValidationException):
        detail, path = _first_invalid(error)
        return problem("invalid-value", 400, "A value is invalid", detail, path)
    if isinstance(error, HTTPException) and error.status_code in _OF_HTTP:
        name, title = _OF_HTTP[error.status_code]
        return problem(name, error.status_code, title, "" if error.status_code in _SAY_LITTLE else error.detail)
    return problem("internal-error", 500, "Internal error", "the log has the details, under the request's id")


def reported(error: Exception) -> Problem:
    """The response to an error; it is logged if it is ours."""
    found = problem_of(error)
    if found.status >= 500:
        # If the database is unavailable, there are no more details, however many requests notice it.
        more = {} if found.status == 503 else {"exc_info": error}
        log.error("request failed", problem=found.type, error=f"{type(error).__name__}: {error}", **more)
    return found


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The exception handler of the application."""
    found = reported(error)
    if found.status == 413 and not found.detail:
        most = request.app.request_max_body_size
        found = msgspec.structs.replace(found, detail=f"a body has at most {most:,} bytes")
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    body, headers = encoded(found, request_id)
    given = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    return Response(body, status_code=found.status, headers=headers | given, media_type=MEDIA_TYPE)


def encoded(found: Problem, request_id: str) -> tuple[bytes, dict[str, str]]:
    """The body and the headers of a problem."""
    body = msgspec.json.encode(msgspec.structs.replace(found, request_id=request_id))
    return body, {"Content-Type": MEDIA_TYPE} | headers_of(found)


def headers_of(found: Problem) -> dict[str, str]:
    """Additional headers for the client: how to sign in, when to try again."""
    return _HEADERS.get(found.status, {})


def responses(*statuses: int) -> Mapping[int, ResponseSpec]:
    """The description of a route's possible problems: these, and those that every route has."""
    titles = {status: title for status, (_, title) in _OF_HTTP.items()}
    titles |= {409: "It conflicts with the current state", 503: "The database can't be used now"}
    return {
        status: ResponseSpec(Problem, generate_examples=False, media_type=MEDIA_TYPE, description=titles[status])
        for status in sorted({*_EVERYWHERE, *statuses})
    }


def _first_invalid(error: ValidationException) -> tuple[str, str]:
    """What is wrong with a parameter of the path or the query, and its name."""
    extra = error.extra
    if isinstance(extra, list) and extra and isinstance(extra[0], dict):
        key = str(extra[0].get("key", ""))
        return ("a body is needed", "") if key == "data" else (str(extra[0].get("message", "")), key)
    return error.detail, ""
