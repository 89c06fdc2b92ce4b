"""What every request has: an id on each of its log lines and in its response, a time limit, and a log line.

This wraps the whole application: requests for unknown addresses have it too.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote_to_bytes

import structlog
from litestar import Litestar
from litestar.enums import ScopeType
from litestar.routes import HTTPRoute

from diglot.statestore.ids import new_id
from diglot.statestore.server.metrics import Metrics
from diglot.statestore.server.pages import errors
from diglot.statestore.server.problems import TIMED_OUT, Problem, encoded, problem
from diglot.statestore.server.settings import ServerSettings

if TYPE_CHECKING:
    from litestar.types import HTTPResponseStartEvent, HTTPScope, Message, Receive, Scope, Send

BODY_BYTES, ANSWER_BYTES = 48 * 1024 * 1024, 24 * 1024 * 1024
"""The most bytes of bodies, and of responses that clients have not read yet, for all requests together."""
CHUNK = 256 * 1024
_GIVEN_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}\Z")
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
]
"""The default headers of a response: states change, and nobody should cache a key."""


class Requests:
    """An ASGI application that wraps another."""

    def __init__(self, app: Litestar, settings: ServerSettings, metrics: Metrics) -> None:
        self._app = app
        self._methods = {route.path_format: ", ".join(route.methods) for route in _routes(app)}
        self._metrics = metrics
        self._timeout = settings.request_timeout
        self._page_timeout = settings.page_timeout
        self._bodies = Budget(BODY_BYTES)
        self._answers = Budget(ANSWER_BYTES)
        self._log = structlog.get_logger("diglot.requests").bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope)
        method = scope["method"]
        wrong = _wrong_with_head(scope)
        if method == "HEAD":  # like GET; the server omits the body
            scope = cast("HTTPScope", {**scope, "method": "GET"})
        answer = _Answer(
            send, request_id, lambda: self._methods.get(scope.get("path_template", "")), self._bodies, self._answers
        )
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            self._metrics.in_progress.inc()
            try:
                if wrong:
                    found = problem("invalid-request", 400, "The request is invalid", wrong)
                    await _refuse(answer, 400, *_encoded(scope, found, request_id))
                    return
                async with asyncio.timeout(self._seconds(scope)):
                    await self._app(scope, answer.listening(receive), answer.send)
            except TimeoutError:
                if answer.status is None:
                    late = errors.LATE if errors.for_people(scope) else TIMED_OUT
                    await _refuse(answer, late.status, *_encoded(scope, late, request_id))
            except _TooMuch as much:
                self._metrics.refused(much.what)
                structlog.get_logger("diglot.server").warning("request refused", reason=much.what, bytes=much.bytes)
                if answer.status is None:
                    found = problem("busy", 503, f"The service holds too many bytes of {much.what} just now")
                    await _refuse(answer, 503, *_encoded(scope, found, request_id))
            except _ClientGone:
                pass
            finally:
                answer.end()
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

    def _seconds(self, scope: Scope) -> float:
        """How long a request may take; less for a page, unless the request changes something."""
        if not scope["path"].startswith("/api/") and scope.get("method") == "GET":
            return min(self._timeout, self._page_timeout)
        return self._timeout


class _ClientGone(BaseException):
    """The client disconnected before its request was complete: not an error, and there is nobody to receive one."""


class _TooMuch(BaseException):
    """There is no room for these bytes: the request is refused, whatever it waits for. Not a handler's error."""

    def __init__(self, what: str, size: int) -> None:
        super().__init__(what)
        self.what = what
        self.bytes = size


class Budget:
    """The bytes that all requests together may hold. A single request can always continue, however large it is."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.held = 0

    def acquire(self, size: int, mine: int) -> bool:
        """Whether there is room for this many more bytes for a request that holds ``mine``; if so, counts them."""
        if self.held > mine and self.held + size > self._most:
            return False
        self.held += size
        return True

    def release(self, size: int) -> None:
        self.held -= size


class _Answer:
    """Sends the response, with the headers that every response has; ``status`` is None until it begins."""

    def __init__(
        self, send: Send, request_id: str, methods: Callable[[], str | None], bodies: Budget, answers: Budget
    ) -> None:
        self._send = send
        self._methods = methods
        self._request_id = request_id
        self._bodies, self._answers = bodies, answers
        self._body = self._sending = 0
        self._start: HTTPResponseStartEvent | None = None
        """Held back until there is room for what follows."""
        self.status: int | None = None

    def listening(self, receive: Receive) -> Receive:
        async def listen() -> Any:
            message = await receive()
            if message["type"] == "http.disconnect" and self.status is None:
                raise _ClientGone
            size = len(cast("bytes", message.get("body", b"")))
            if size:
                if not self._bodies.acquire(size, self._body):
                    raise _TooMuch("bodies", size)
                self._body += size
            return message

        return listen

    def end(self) -> None:
        """Release its bytes: they are no longer in memory."""
        self._bodies.release(self._body)
        self._answers.release(self._sending)
        self._body = self._sending = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        if message["type"] == "http.response.body":
            body = message.get("body", b"")
            if len(body) > CHUNK:
                if not self._answers.acquire(len(body), self._sending):
                    self._start = None
                    raise _TooMuch("answers", len(body))
                self._sending += len(body)
            await self._begin()
            # In parts: before each, the server waits until the client has read the previous one.
            rest = memoryview(body)
            while len(rest) > CHUNK:
                await self._send({"type": "http.response.body", "body": bytes(rest[:CHUNK]), "more_body": True})
                rest = rest[CHUNK:]
            await self._send({**message, "body": bytes(rest)})
            return
        await self._begin()
        await self._send(message)

    async def _begin(self) -> None:
        message, self._start = self._start, None
        if message is None:
            return
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
    """With all methods of the route: the framework's response to OPTIONS names only those of one handler."""
    methods = set((of_route or header[1].decode()).split(", "))
    methods |= {"HEAD"} if "GET" in methods else set()
    return header[0], ", ".join(sorted(methods)).encode()


def _encoded(scope: HTTPScope, found: Problem, request_id: str) -> tuple[bytes, dict[str, str]]:
    if errors.for_people(scope):
        return errors.encoded(found, request_id, scope["method"])
    return encoded(found, request_id)


def _wrong_with_head(scope: HTTPScope) -> str:
    """What is wrong with the path or the host that neither the server nor the framework refuses; '' if nothing."""
    try:
        unquote_to_bytes(scope["raw_path"]).decode()
    except UnicodeDecodeError:
        return "the path is not UTF-8"
    hosts = sum(name == b"host" for name, _ in scope["headers"])
    if hosts > 1 or (hosts == 0 and scope["http_version"] == "1.1"):
        return f"HTTP/1.1 needs one Host header, but there are {hosts}"
    return ""


def _routes(app: Litestar) -> Iterator[HTTPRoute]:
    yield from (route for route in app.routes if isinstance(route, HTTPRoute))


def _route(scope: Scope) -> str:
    """The route as declared, ``/api/v0/users/{id}``; "none" for all that don't exist."""
    return (scope.get("path_template") or "/") if scope.get("route_handler") is not None else "none"


def _request_id(scope: HTTPScope) -> str:
    """The caller's own id if it is well formed, to join the logs of two services; else a new id."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _GIVEN_ID.match(value):
            return value.decode()
    return new_id()
