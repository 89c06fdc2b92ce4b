"""A TCP proxy in front of a test server: counts round trips, and can swallow what the server answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self
from urllib.parse import parse_qs, urlsplit, urlunsplit


class Proxy:
    """``url`` leads through it to the database of the URL that it was made with."""

    def __init__(self, behind: str) -> None:
        self._behind = urlsplit(behind)
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        user, _, _ = self._behind.netloc.rpartition("@")
        netloc = f"{user}@127.0.0.1:{port}" if user else f"127.0.0.1:{port}"
        self.url = urlunsplit(("postgresql", netloc, self._behind.path, "sslmode=disable&gssencmode=disable", ""))
        self.round_trips = 0
        self._asking = False
        self._silent_after: Callable[[bytes], bool] | None = None
        self._silent = threading.Event()
        self._closed = False
        self._sockets: list[socket.socket] = []
        self._threads = [self._start(self._accept)]

    def be_silent(self) -> None:
        """From now on, no answer comes through; what is sent still reaches the server."""
        self._silent.set()

    def be_silent_after(self, asked: bytes) -> None:
        """No answer to the first message that contains this, nor to any after it."""
        self._silent_after = lambda data: asked in data

    def speak(self) -> None:
        self._silent_after = None
        self._silent.clear()

    def cut(self) -> None:
        """End every connection, at once."""
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._closed = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join()
        for each in self._sockets:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                server = self._connect()
            except OSError:
                return
            self._sockets += [client, server]
            self._threads += [
                self._start(lambda c=client, s=server: self._pump(c, s, self._asked)),  # type: ignore[misc]
                self._start(lambda c=client, s=server: self._pump(s, c, self._answered)),  # type: ignore[misc]
            ]

    def _connect(self) -> socket.socket:
        query = parse_qs(self._behind.query)
        if "host" in query:
            server = socket.socket(socket.AF_UNIX)
            server.connect(f"{query['host'][0]}/.s.PGSQL.5432")
            return server
        return socket.create_connection((self._behind.hostname or "localhost", self._behind.port or 5432))

    def _pump(self, source: socket.socket, target: socket.socket, passes: Callable[[bytes], bool]) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if passes(data):
                    target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def _asked(self, data: bytes) -> bool:
        self._asking = True
        if self._silent_after is not None and self._silent_after(data):
            self._silent.set()
        return True

    def _answered(self, _data: bytes) -> bool:
        if self._silent.is_set():
            return False
        if self._asking:
            self._asking = False
            self.round_trips += 1
        return True

    def _start(self, run: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread
