"""Signing in with an API key, which the browser then keeps where no script can read it, and signing out.

The cookie is only for the pages: the API takes a key only in its header, so no other site can make a browser use it.
Forms are accepted only from our own pages.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.enums import ScopeType
from litestar.exceptions import PermissionDeniedException
from litestar.middleware import ASGIMiddleware
from litestar.response import Redirect

from diglot.errors import DatabaseError, DatabaseTimeout, DatabaseUnavailable
from diglot.statestore.errors import InvalidApiKey
from diglot.statestore.models import User
from diglot.statestore.server.auth.who import user_of
from diglot.statestore.server.pages.rendering import HEADERS, link, rendered

if TYPE_CHECKING:
    from litestar.types import ASGIApp, Receive, Scope, Send

FORM = "/sign-in"
STATUS = "/status"
RECENT_SECONDS, MOST_RECENT = 3600.0, 1_000
PATIENCE = 1.0
"""Seconds that the database has to authenticate a user who has signed in recently."""
_PAGES = frozenset({"/", "/run", "/task", "/tasks", "/status"})
"""The pages to which signing in can return."""


class Visitor(ASGIMiddleware):
    """Authenticates the key in the cookie, in the same way and with the same limit as a key in a header."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        request: Request[Any, Any, Any] = Request(scope)
        secret = request.cookies.get(_name(request))
        recent: Recent = request.app.state.recent
        known = recent.user(secret) if request.url.path == STATUS else None
        try:
            async with asyncio.timeout(None if known is None else PATIENCE):
                scope["user"] = await user_of(scope, secret)
        except (DatabaseUnavailable, DatabaseTimeout, TimeoutError):
            if known is None:
                raise
            scope["user"] = known  # the health page matters most when the database is unavailable
        else:
            recent.note(secret, scope["user"])
        scope["auth"] = ""
        await next_app(scope, receive, send)


class Recent:
    """Recently signed-in users, by the hash of their key: only for the page that shows why the database is unavailable.

    A key that is revoked meanwhile can see that page for at most an hour, and nothing else.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._users: OrderedDict[bytes, tuple[User, float]] = OrderedDict()

    def note(self, secret: str | None, user: User) -> None:
        key = _hash(secret)
        self._users[key] = user, self._clock()
        self._users.move_to_end(key)
        if len(self._users) > MOST_RECENT:
            self._users.popitem(last=False)

    def user(self, secret: str | None) -> User | None:
        user, at = self._users.get(_hash(secret), (None, 0.0))
        return user if user is not None and self._clock() - at < RECENT_SECONDS else None


@get(FORM, sync_to_thread=True)
def form(request: Request[Any, Any, Any]) -> Response[Any]:
    """The form, which says how to create the first admin; with authentication off, it redirects to the runs."""
    if request.scope.get("user") is not None:
        return Redirect("/", status_code=303, headers=HEADERS)
    target = _target(request.query_params.get("to", ""))
    return rendered(request, "sign_in.html", target=target, wrong=False, no_admin=_has_no_admin(request))


@post(FORM, request_max_body_size=10_000)
async def sign_in(request: Request[Any, Any, Any]) -> Response[Any]:
    """Puts the key into the cookie and redirects to the page that was requested."""
    _refuse_other_sites(request)
    given = parse_qs((await request.body()).decode("utf-8", "replace"))
    secret, target = given.get("key", [""])[0].strip(), _target(given.get("to", [""])[0])
    try:
        await user_of(request.scope, secret or None)
    except InvalidApiKey:
        headers = {"WWW-Authenticate": 'Bearer realm="diglot"'}
        return rendered(request, "sign_in.html", code=401, headers=headers, target=target, wrong=True, no_admin=False)
    return Redirect(target, status_code=303, headers=HEADERS, cookies=[_kept(request, secret)])


@post("/sign-out", request_max_body_size=10_000, sync_to_thread=False)
def sign_out(request: Request[Any, Any, Any]) -> Response[Any]:
    """Makes the browser forget the key; the key itself stays valid until it is revoked."""
    _refuse_other_sites(request)
    return Redirect(FORM, status_code=303, headers=HEADERS, cookies=[forgotten(request)])


def with_return(request: Request[Any, Any, Any]) -> str:
    """The URL of the form, which returns to the requested page."""
    query = [(name, value) for name, value in parse_qsl(request.url.query) if name != "fragment"]
    asked = f"{request.url.path}?{urlencode(query)}" if query else request.url.path
    return link(FORM, to=None if asked == "/" else asked)


def forgotten(request: Request[Any, Any, Any]) -> Cookie:
    return Cookie(_name(request), value="", max_age=0, path="/", httponly=True, samesite="lax", secure=_secure(request))


def _kept(request: Request[Any, Any, Any], secret: str) -> Cookie:
    """A cookie until the browser is closed. Lax, not strict: a link to a run in a chat works without a new sign-in."""
    return Cookie(_name(request), value=secret, path="/", httponly=True, samesite="lax", secure=_secure(request))


def _name(request: Request[Any, Any, Any]) -> str:
    """With https, a name that no other host in the domain can set."""
    return "__Host-diglot" if _secure(request) else "diglot"


def _secure(request: Request[Any, Any, Any]) -> bool:
    return request.scope["scheme"] == "https"


def _has_no_admin(request: Request[Any, Any, Any]) -> bool:
    """Also False if the database can't be reached: then signing in reports that."""
    try:
        return not request.app.state.database.users.has_admin()
    except DatabaseError:
        return False


def _hash(secret: str | None) -> bytes:
    return hashlib.sha256((secret or "").encode()).digest()


def _target(wanted: str) -> str:
    """One of our own URLs, rebuilt from its parts: it can't lead anywhere else."""
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return "/"
    if parts.scheme or parts.netloc or parts.path not in _PAGES:
        return "/"
    query = urlencode(parse_qsl(parts.query))
    return f"{parts.path}?{query}" if query else parts.path


def _refuse_other_sites(request: Request[Any, Any, Any]) -> None:
    """Raises 403 unless the form was on one of our pages. A browser reports that, and no page can change the report."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        ours = site == "same-origin"
    else:
        origin = urlsplit(request.headers.get("origin", ""))
        ours = bool(origin.netloc) and origin.netloc == request.headers.get("host")
    if not ours:
        raise PermissionDeniedException("this form was sent from another site: open this page and sign in here")


HANDLERS = [form, sign_in, sign_out]
