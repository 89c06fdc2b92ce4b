"""What every request has: an id that is on each of its log lines and in its answer, a time limit, and a line of log.

This stands around the whole application, so that an address which does not exist is no exception.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

import structlog
from litestar import Litestar
from litestar.enums import ScopeType
from litestar.routes import HTTPRoute

from diglot.ids import new_id
from diglot.server.metrics import Metrics
from diglot.server.pages import errors
from diglot.server.problems import TIMED_OUT, encoded
from diglot.server.settings import ServerSettings

if TYPE_CHECKING:
    from litestar.types import HTTPScope, Message, Receive, Scope, Send

_GIVEN_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}\Z")
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
]
"""What an answer has unless it says otherwise: states change, and nobody should keep a key."""


class Requests:
    """An ASGI application around another."""

    def __init__(self, app: Litestar, settings: ServerSettings, metrics: Metrics) -> None:
        self._app = app
        self._methods = {route.path_format: ", ".join(route.methods) for route in _routes(app)}
        self._metrics = metrics
        self._timeout = settings.request_timeout
        self._log = structlog.get_logger("diglot.requests").bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope)
        method = scope["method"]
        if method == "HEAD":  # as GET; the server leaves the body out
            scope = cast("HTTPScope", {**scope, "method": "GET"})
        answer = _Answer(send, request_id, lambda: self._methods.get(scope.get("path_template", "")))
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            self._metrics.in_progress.inc()
            try:
                async with asyncio.timeout(self._timeout):
                    await self._app(scope, answer.listening(receive), answer.send)
            except TimeoutError:
                if answer.status is None:
                    await _refuse(answer, TIMED_OUT.status, *_timed_out(scope, request_id))
            except _ClientGone:
                pass
            finally:
                seconds = time.perf_counter() - started
                self._metrics.in_progress.dec()
                self._metrics.request(method, _route(scope), answer.status, seconds)
                self._log.info(
                    "request",
                    method=method,
                    path=scope["path"],
                    status=answer.status,
                    ms=round(seconds * 1000, 1),
                    client=scope["client"][0] if scope["client"] else None,
                )


class _ClientGone(BaseException):
    """The client went away before its request was complete: no error of anybody, and nobody is there to be told."""


class _Answer:
    """Sends on what is answered, with the headers that every answer has; ``status`` is None until it begins."""

    def __init__(self, send: Send, request_id: str, methods: Callable[[], str | None]) -> None:
        self._send = send
        self._methods = methods
        self._request_id = request_id
        self.status: int | None = None

    def listening(self, receive: Receive) -> Receive:
        async def listen() -> Any:
            message = await receive()
            if message["type"] == "http.disconnect" and self.status is None:
                raise _ClientGone
            return message

        return listen

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message["headers"])
            given = {name.lower() for name, _ in headers}
            headers += [header for header in _HEADERS if header[0] not in given]
            if b"allow" in given:
                headers = [
                    _allow(header, self._methods()) if header[0].lower() == b"allow" else header for header in headers
                ]
            message["headers"] = [*headers, (b"x-request-id", self._request_id.encode())]
        await self._send(message)


async def _refuse(answer: _Answer, status: int, body: bytes, headers: dict[str, str]) -> None:
    await answer.send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }
    )
    await answer.send({"type": "http.response.body", "body": body, "more_body": False})


def _allow(header: tuple[bytes, bytes], of_route: str | None) -> tuple[bytes, bytes]:
    """With all methods of the address: the framework's answer to OPTIONS names those of one handler."""
    methods = set((of_route or header[1].decode()).split(", "))
    methods |= {"HEAD"} if "GET" in methods else set()
    return header[0], ", ".join(sorted(methods)).encode()


def _timed_out(scope: Scope, request_id: str) -> tuple[bytes, dict[str, str]]:
    return (errors.encoded if errors.for_people(scope) else encoded)(TIMED_OUT, request_id)


def _routes(app: Litestar) -> Iterator[HTTPRoute]:
    yield from (route for route in app.routes if isinstance(route, HTTPRoute))


def _route(scope: Scope) -> str:
    """The address as it is declared, ``/api/v0/users/{id}``; all that don't exist are one."""
    return (scope.get("path_template") or "/") if scope.get("route_handler") is not None else "none"


def _request_id(scope: HTTPScope) -> str:
    """The caller's own id where it has a sane form, so that the logs of two services can be joined; else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _GIVEN_ID.match(value):
            return value.decode()
    return new_id()
