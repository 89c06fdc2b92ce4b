"""Connections of clients that take their time, or never end: each with the real protocol on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import uvicorn
from uvicorn.server import ServerState

from diglot.server import protocol
from diglot.server.protocol import HEAD_BYTES, BoundedProtocol

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
GET = b"GET / HTTP/1.1\r\nHost: x\r\n"


async def _hello(scope: object, receive: object, send: object) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]


@contextlib.asynccontextmanager
async def connected() -> AsyncIterator[Connection]:
    config = uvicorn.Config(_hello, log_config=None, http=BoundedProtocol)
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: BoundedProtocol(config, state, {}), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            yield reader, writer
        finally:
            writer.close()


async def _answer(connection: Connection, *sent: bytes) -> bytes:
    """All that comes back for what is sent, until the other side closes."""
    reader, writer = connection
    for part in sent:
        writer.write(part)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
    with contextlib.suppress(ConnectionError):
        return await asyncio.wait_for(reader.read(), 20)
    return b""


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost:", GET + b"\r\n" + GET], ids=["idle", "half", "second"])
def test_who_does_not_end_a_head_is_let_go(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)

    async def client() -> bytes:
        async with connected() as connection:
            return await _answer(connection, sent)

    assert asyncio.run(client()).count(b"204") == sent.count(b"\r\n\r\n")


def test_a_head_without_end_is_refused() -> None:
    async def client(*sent: bytes) -> bytes:
        async with connected() as connection:
            return await _answer(connection, GET + b"X-Long: ", *sent)

    assert asyncio.run(client(b"x" * HEAD_BYTES)).startswith(b"HTTP/1.1 400")
    assert asyncio.run(client(b"x" * 1000, b"\r\nConnection: close\r\n\r\n")).startswith(b"HTTP/1.1 204")
