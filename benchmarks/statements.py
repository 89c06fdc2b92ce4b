"""How many statements a call sends, and how many round trips it waits for: seen at the driver, not believed.

SQLite tells each statement that it begins (its trace callback). libpq writes every message of the PostgreSQL
protocol to a file (its trace): statements are executions, a round trip is an answer after something was sent.
"""

from __future__ import annotations

import tempfile
from itertools import pairwise
from typing import IO, Any, NamedTuple

from benchmarks.contenders import Kind, open_contender
from benchmarks.data import Data
from benchmarks.operations import Operation


class Traffic(NamedTuple):
    """Of one call. BEGIN and COMMIT are statements too. SQLite is in the process: it has no round trips."""

    statements: int
    round_trips: int | None


def count(operation: Operation, urls: dict[Kind, str], data: Data) -> dict[Kind, Traffic]:
    """What one call of each contender sends, once its statements are prepared."""
    return {kind: _count(operation, kind, urls[kind], data) for kind in operation.kinds if kind in urls}


def _count(operation: Operation, kind: Kind, url: str, data: Data) -> Traffic:
    with _SQLiteTrace() if url.startswith("sqlite:") else _PostgresTrace() as trace:
        contender = open_contender(kind, url)
        try:
            call = getattr(contender, operation.method)
            questions = operation.arguments(contender, data)
            # The same question each time: the use of an API key is noted at the first, psycopg prepares at the sixth.
            for _ in range(8):
                call(*questions[-1])
            trace.begin()
            call(*questions[-1])
            return trace.end()
        finally:
            contender.close()


class _SQLiteTrace:
    """Every connection that is opened meanwhile reports its statements."""

    def __enter__(self) -> _SQLiteTrace:
        from diglot.stores.sqlite.library import library

        self._statements = 0
        self._library = library()
        self._connect = self._library.connect

        def connect(*arguments: Any, **options: Any) -> Any:
            connection = self._connect(*arguments, **options)
            connection.set_trace_callback(self._seen)
            return connection

        self._library.connect = connect  # type: ignore[attr-defined]
        return self

    def __exit__(self, *exc: object) -> None:
        self._library.connect = self._connect  # type: ignore[attr-defined]

    def begin(self) -> None:
        self._statements = 0

    def end(self) -> Traffic:
        return Traffic(self._statements, None)

    def _seen(self, text: str) -> None:
        self._statements += 1


class _PostgresTrace:
    """Every connection that is opened meanwhile writes its messages to one file."""

    def __enter__(self) -> _PostgresTrace:
        import psycopg

        self._file: IO[bytes] = tempfile.TemporaryFile()
        self._connections: list[psycopg.Connection[Any]] = []
        self._psycopg = psycopg
        self._method = psycopg.Connection.__dict__["connect"]
        self._function = psycopg.connect
        original = self._method.__func__

        def connect(cls: Any, *arguments: Any, **options: Any) -> Any:
            connection = original(cls, *arguments, **options)
            self._connections.append(connection)
            return connection

        psycopg.Connection.connect = classmethod(connect)  # type: ignore[method-assign,assignment]
        psycopg.connect = psycopg.Connection.connect
        return self

    def __exit__(self, *exc: object) -> None:
        self._psycopg.Connection.connect = self._method  # type: ignore[method-assign]
        self._psycopg.connect = self._function
        self._file.close()

    def begin(self) -> None:
        from psycopg.pq import Trace

        for connection in self._connections:
            connection.pgconn.trace(self._file.fileno())
            connection.pgconn.set_trace_flags(Trace.SUPPRESS_TIMESTAMPS | Trace.REGRESS_MODE)

    def end(self) -> Traffic:
        for connection in self._connections:
            connection.pgconn.untrace()  # writes out what is still in its buffer
        self._file.seek(0)
        messages = [line.split(b"\t") for line in self._file.read().splitlines() if line[:2] in (b"F\t", b"B\t")]
        statements = sum(message[0] == b"F" and message[2] in (b"Execute", b"Query") for message in messages)
        sent = [message[0] == b"F" for message in messages]
        round_trips = sum(one and not following for one, following in pairwise(sent))
        return Traffic(statements, round_trips)
