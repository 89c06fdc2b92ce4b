"""Authentication: a bearer key, one indexed query, and the same answer for every key that is not valid.

With authentication off, which is allowed only on a loopback address, everybody is an admin. Web pages in a browser on
this machine must then be kept out: they can reach the address too, but can't hide their Host or Origin.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from litestar import Request
from litestar.concurrency import sync_to_thread
from litestar.connection import ASGIConnection
from litestar.datastructures import Headers, State
from litestar.enums import ScopeType
from litestar.exceptions import PermissionDeniedException, TooManyRequestsException
from litestar.handlers import BaseRouteHandler
from litestar.middleware import ASGIMiddleware

from diglot.statestore.database import Database
from diglot.statestore.errors import InvalidApiKey
from diglot.statestore.models import User
from diglot.statestore.repositories.key_format import is_well_formed
from diglot.statestore.server.auth.attempts import Failures
from diglot.statestore.server.auth.uses import Uses
from diglot.statestore.server.metrics import Metrics
from diglot.statestore.server.settings import is_loopback

if TYPE_CHECKING:
    from litestar.types import ASGIApp, Receive, Scope, Send

Me = Request[User, str, State]
"""A request from an authenticated user."""
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
EVERYBODY = User("everybody", "everybody@localhost", "admin", _BEGINNING, _BEGINNING)


class SignedIn(ASGIMiddleware):
    """``Authorization: Bearer dgl_…``, else 401; too many failures from one address: 429."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        scope["user"], scope["auth"] = await user_of(scope, _bearer(Headers.from_scope(scope))), ""
        await next_app(scope, receive, send)


class Everybody(ASGIMiddleware):
    """Authentication is off: everybody who reaches this address is an admin, except web pages from other sites."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        headers = Headers.from_scope(scope)
        places = [f"//{host}" for host in headers.getall("host", [""])] + headers.getall("origin", [])
        if not all(_is_here(place) for place in places):
            raise PermissionDeniedException("authentication is off, so only this machine itself has access")
        scope["user"], scope["auth"] = EVERYBODY, ""
        await next_app(scope, receive, send)


async def user_of(scope: Scope, secret: str | None) -> User:
    """Whose key this is. Raises InvalidApiKey if there is none or it is not valid; 429 after too many invalid keys.

    A valid key is never limited: another user of the same client may have an expired key. A malformed key costs no
    query, so it is neither limited nor counted.
    """
    state = scope["litestar_app"].state
    database: Database = state.database
    failures: Failures = state.failures
    metrics: Metrics = state.metrics
    uses: Uses = state.uses
    address = scope["client"][0] if scope["client"] else ""
    if secret is None:
        metrics.attempt("missing")
        raise InvalidApiKey
    if not is_well_formed(secret):
        metrics.attempt("failure")
        raise InvalidApiKey
    try:
        known = await sync_to_thread(database.api_keys.identify, secret)
    except InvalidApiKey:
        _refuse_guessing(failures, address, metrics)
        failures.note(address)
        metrics.attempt("failure")
        raise
    metrics.attempt("success")
    if known.use_due:
        uses.note(known.id)
    return known.user


async def admin(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """A guard: only admins. Not a plain ``def``: the framework would run that in a thread."""
    if connection.user.role != "admin":
        raise PermissionDeniedException("only an admin may do this")


def _refuse_guessing(failures: Failures, address: str, metrics: Metrics) -> None:
    wait = failures.wait(address)
    if wait:
        metrics.attempt("limited")
        raise TooManyRequestsException(f"too many failed attempts: wait {wait} s", headers={"Retry-After": str(wait)})


def _is_here(place: str) -> bool:
    try:
        return is_loopback(urlsplit(place).hostname or "")
    except ValueError:
        return False


def _bearer(headers: Headers) -> str | None:
    """The key; None if there is none, or more than one."""
    given = headers.getall("authorization", [])
    if len(given) != 1:
        return None
    scheme, _, secret = given[0].partition(" ")
    return secret.strip() if scheme.lower() == "bearer" and secret.strip() else None
