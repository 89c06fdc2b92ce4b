"""uvicorn's HTTP protocol, with limits on what one client can take: connections, time, and memory.

Neither uvicorn nor httptools has such limits. A client that trickles a head or a body, does not read its response, or
opens connections without end would hold all of them forever.

* the head of a request: ``head_seconds`` and ``HEAD_BYTES``;
* its body: ``body_seconds`` in total, and ``LEAST_RATE`` bytes per second after ``rate_seconds``; after a response that
  did not wait for the body (401, 413 …), ``linger_seconds``;
* a response: ``write_seconds`` in which the client reads no byte;
* connections: ``most`` in total, ``most_of_address`` from one address. Further ones get a 503.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from diglot.statestore.server.auth.addresses import client_of

HEAD_BYTES = 64 * 1024
LEAST_RATE = 1_000
_NO_ROOM = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 39\r\n"
    b"retry-after: 1\r\nconnection: close\r\n\r\nThe service has too many connections.\r\n"
)


class Limits:
    """The limits on connections, and their number. Calls ``refused(reason, address)`` for each one that it ends.

    Only for the event loop's thread. Times are in seconds.
    """

    def __init__(
        self,
        *,
        body_seconds: float,
        write_seconds: float,
        most: int,
        most_of_address: int,
        refused: Callable[[str, str], None],
        head_seconds: float = 10.0,
        rate_seconds: float = 5.0,
        linger_seconds: float = 2.0,
    ) -> None:
        self.head_seconds = head_seconds
        self.rate_seconds = rate_seconds
        self.linger_seconds = linger_seconds
        self.body_seconds = body_seconds
        self.write_seconds = write_seconds
        self.most = most
        self.most_of_address = most_of_address
        self.refused = refused
        self.open = 0
        self._by_address: Counter[str] = Counter()

    def enter(self, address: str) -> str | None:
        """Count a connection; returns the reason if it is one too many, else None."""
        client = client_of(address)
        if self.open >= self.most:
            return "connections"
        if self._by_address[client] >= self.most_of_address:
            return "connections_of_address"
        self.open += 1
        self._by_address[client] += 1
        return None

    def leave(self, address: str) -> None:
        client = client_of(address)
        self.open -= 1
        self._by_address[client] -= 1
        if not self._by_address[client]:
            del self._by_address[client]


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, limits: Limits, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limits = limits
        self._counted: str | None = None
        """The address for which it was counted."""
        self._head: asyncio.TimerHandle | None = None
        """Set while the head of a request is awaited or incomplete."""
        self._bytes = 0
        self._body: asyncio.TimerHandle | None = None
        self._rate: asyncio.TimerHandle | None = None
        """Both are set while a body is awaited."""
        self._received = 0
        self._stalled: asyncio.TimerHandle | None = None
        """Set while the client does not read its response."""

    # --- connections -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        reason = self._limits.enter(address)
        if reason is not None:
            self._limits.refused(reason, address)
            transport.write(_NO_ROOM)
            transport.close()
            return
        self._counted = address
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_there()
        self._body_is_there()
        self._taken()
        if self._counted is not None:
            self._limits.leave(self._counted)
            self._counted = None
        super().connection_lost(exc)

    # --- incoming data -----------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        before = self._head
        self._received += len(data)
        super().data_received(data)
        if before is None or self._head is not before or self.transport.is_closing():
            return
        self._bytes += len(data)
        if self._bytes > HEAD_BYTES:
            self.send_400_response(f"The head of a request has at most {HEAD_BYTES} bytes.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._head is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        self._head_is_there()
        self._body_is_there()
        self._body = self.loop.call_later(self._limits.body_seconds, partial(self._end, "slow_body"))
        self._received = 0
        self._rate = self.loop.call_later(self._limits.rate_seconds, self._look_at_rate)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._body_is_there()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._body is not None and not self.transport.is_closing():  # the response did not wait for the body
            self._body_is_there()
            self._body = self.loop.call_later(self._limits.linger_seconds, self._end)

    def _await_head(self) -> None:
        self._bytes = 0
        self._head = self.loop.call_later(self._limits.head_seconds, self.transport.close)

    def _head_is_there(self) -> None:
        self._head = cancelled(self._head)

    def _look_at_rate(self) -> None:
        self._rate = None
        # While the application does not read, it is not the client's fault.
        if self._received < LEAST_RATE * self._limits.rate_seconds and not self.flow.read_paused:
            self._end("slow_body")
            return
        self._received = 0
        self._rate = self.loop.call_later(self._limits.rate_seconds, self._look_at_rate)

    def _body_is_there(self) -> None:
        self._body = cancelled(self._body)
        self._rate = cancelled(self._rate)

    # --- outgoing data -----------------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(self._limits.write_seconds, partial(self._end, "slow_reader"))

    def resume_writing(self) -> None:
        self._taken()
        super().resume_writing()

    def _taken(self) -> None:
        self._stalled = cancelled(self._stalled)

    def _end(self, reason: str | None = None) -> None:
        """Abort the connection; unsent data is discarded."""
        if reason is not None:
            self._limits.refused(reason, self.client[0] if self.client else "")
        self.transport.abort()


def cancelled(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    """Cancel the timer; returns None."""
    if timer is not None:
        timer.cancel()
    return None
