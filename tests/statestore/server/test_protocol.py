"""Connections of clients that take their time, or never end: each with the real protocol on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from diglot.statestore.server.protocol import HEAD_BYTES, BoundedProtocol, Limits

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
GET = b"GET / HTTP/1.1\r\nHost: x\r\n"


async def _hello(scope: object, receive: object, send: object) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]


async def _read_all(scope: object, receive: object, send: object) -> None:
    while (await receive())["more_body"]:  # type: ignore[operator]
        pass
    await _hello(scope, receive, send)


async def _endless(scope: object, receive: object, send: object) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
    for _ in range(1_000):
        await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})  # type: ignore[operator]


def _limits(told: list[str] | None = None, **given: Any) -> Limits:
    usual = {"body_seconds": 20.0, "write_seconds": 20.0, "most": 100, "most_of_address": 100}
    return Limits(**usual | given, refused=lambda reason, address: (told if told is not None else []).append(reason))


@contextlib.asynccontextmanager
async def listening(application: Any = _hello, limits: Limits | None = None) -> AsyncIterator[tuple[str, int]]:
    config = uvicorn.Config(application, log_config=None)
    state = ServerState()
    loop = asyncio.get_running_loop()
    kept = limits or _limits()
    server = await loop.create_server(lambda: BoundedProtocol(config, state, {}, limits=kept), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()


@contextlib.asynccontextmanager
async def connected(limits: Limits | None = None) -> AsyncIterator[Connection]:
    async with listening(limits=limits) as address:
        reader, writer = await asyncio.open_connection(*address)
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
def test_who_does_not_end_a_head_is_let_go(sent: bytes) -> None:
    async def client() -> bytes:
        async with connected(_limits(head_seconds=0.1)) as connection:
            return await _answer(connection, sent)

    assert asyncio.run(client()).count(b"204") == sent.count(b"\r\n\r\n")


def test_a_head_without_end_is_refused() -> None:
    async def client(*sent: bytes) -> bytes:
        async with connected() as connection:
            return await _answer(connection, GET + b"X-Long: ", *sent)

    assert asyncio.run(client(b"x" * HEAD_BYTES)).startswith(b"HTTP/1.1 400")
    assert asyncio.run(client(b"x" * 1000, b"\r\nConnection: close\r\n\r\n")).startswith(b"HTTP/1.1 204")


PUT = b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"


async def _trickle(application: Any, limits: Limits, every: float, size: int = 1) -> float:
    """Seconds until the other side ends a connection over which a body comes this slowly."""
    async with listening(application, limits) as address:
        reader, writer = await asyncio.open_connection(*address)
        started = time.monotonic()
        writer.write(PUT)
        try:
            while time.monotonic() - started < 15:
                writer.write(b"x" * size)
                await writer.drain()
                await asyncio.sleep(every)
                if reader.at_eof() or writer.transport.is_closing():
                    break
        except ConnectionError:
            pass
        finally:
            writer.close()
        return time.monotonic() - started


def test_a_body_that_trickles_ends_the_connection() -> None:
    told: list[str] = []
    assert asyncio.run(_trickle(_read_all, _limits(told, rate_seconds=0.3), 0.05)) < 10
    assert told == ["slow_body"]


def test_a_body_has_a_deadline_however_fast_it_comes() -> None:
    told: list[str] = []
    assert asyncio.run(_trickle(_read_all, _limits(told, body_seconds=0.5), 0.01, 500)) < 10
    assert told == ["slow_body"]


def test_a_body_that_nobody_waits_for_does_not_keep_the_connection() -> None:
    """As after 401: the answer is there, and the rest of the body is of no interest."""
    assert asyncio.run(_trickle(_hello, _limits(linger_seconds=0.2), 0.05)) < 10


def test_a_client_that_does_not_read_is_let_go() -> None:
    told: list[str] = []

    async def client() -> None:
        async with listening(_endless, _limits(told, write_seconds=0.3)) as address:
            _, writer = await asyncio.open_connection(*address, limit=1_000)
            writer.write(GET + b"\r\n")
            deadline = time.monotonic() + 15
            while not told and time.monotonic() < deadline:
                await asyncio.sleep(0.05)
            writer.close()

    asyncio.run(client())
    assert told == ["slow_reader"]


@pytest.mark.parametrize(
    ("limits", "reason"), [({"most": 2}, "connections"), ({"most_of_address": 2}, "connections_of_address")]
)
def test_connections_beyond_the_limit_are_refused_until_others_end(limits: dict[str, int], reason: str) -> None:
    told: list[str] = []

    async def ask(address: tuple[str, int]) -> tuple[Connection, bytes]:
        connection = await asyncio.open_connection(*address)
        connection[1].write(GET + b"\r\n")
        return connection, await asyncio.wait_for(connection[0].readline(), 20)

    async def client() -> list[bytes]:
        kept = _limits(told, **limits)
        async with listening(_hello, kept) as address:
            first, second, third = [await ask(address) for _ in range(3)]
            first[0][1].close()
            deadline = time.monotonic() + 20
            while kept.open > 1 and time.monotonic() < deadline:
                await asyncio.sleep(0.01)
            fourth = await ask(address)
            for connection, _ in (second, third, fourth):
                connection[1].close()
            return [line for _, line in (first, second, third, fourth)]

    lines = asyncio.run(client())
    assert [line.split()[1] for line in lines] == [b"204", b"204", b"503", b"204"]
    assert told == [reason]


def test_an_ipv6_network_is_one_client() -> None:
    limits = _limits(most_of_address=1)
    assert limits.enter("2001:db8::1") is None
    assert limits.enter("2001:db8::2") == "connections_of_address"
    limits.leave("2001:db8::1")
    assert limits.enter("2001:db8::2") is None
