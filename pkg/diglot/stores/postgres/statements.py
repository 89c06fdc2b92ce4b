"""How statements run on a connection and what they return.

Statements that must come before them (BEGIN, SAVEPOINT) are sent with them in one pipeline, at no extra round trip;
on a unix socket they are sent first, because there a pipeline takes longer (0.10 ms) than a round trip (0.05 ms).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Protocol, TypeVar

import psycopg
from psycopg.generators import send

from diglot.errors import QueryFileError
from diglot.sql.session import Row, Statement, Values
from diglot.sql.statements import split
from diglot.stores.postgres import plans
from diglot.stores.postgres.connection import Link

T_co = TypeVar("T_co", covariant=True)
Before = Sequence[str]
"""Statements of our own that must run first. The list is emptied when they are sent, not earlier: a call that fails
before anything is sent leaves it unchanged."""
After = Sequence[str]
"""Statements of our own that must run next: they end the transaction that ``Before`` began."""
_CANCEL = 5.0
"""Seconds to wait for the server to take a request to cancel, after Ctrl-C."""
LARGE = 1000
"""Above this number of rows, the cursor does not keep a result until its next use."""


class Run(Protocol[T_co]):
    """How one of the functions below runs a statement."""

    def __call__(self, link: Link, statement: Any, values: Any, before: Before = (), after: After = (), /) -> T_co: ...


class EndsTransaction(Exception):
    """The SQL has a word that would begin or end a transaction; the message says what to do instead."""


class Unreadable(Exception):
    """The statement ran, but the driver can't convert a value of its result; the driver's error is the cause."""


class FailedTogether(Exception):
    """One of several statements failed: which one is ``query``; the driver's error is the cause."""

    def __init__(self, query: str) -> None:
        self.query = query


def origin(error: BaseException) -> BaseException:
    """The driver's error."""
    wrapped = isinstance(error, FailedTogether | Unreadable)
    return error.__cause__ if wrapped and error.__cause__ is not None else error


def rows(link: Link, statement: Statement, values: Values, before: Before = (), after: After = ()) -> list[Row]:
    cursor = link.cursor
    _execute(link, cursor, statement, values, before, after)
    return fetched(link, cursor)


def columns(
    link: Link, statement: Statement, values: Values, before: Before = (), after: After = ()
) -> tuple[list[str], list[Row]]:
    cursor = link.cursor
    _execute(link, cursor, statement, values, before, after)
    return [column.name for column in cursor.description or ()], fetched(link, cursor)


def count(link: Link, statement: Statement, values: Values, before: Before = (), after: After = ()) -> int:
    cursor = link.cursor
    _execute(link, cursor, statement, values, before, after)
    return max(cursor.rowcount, 0)


def many(link: Link, statement: Statement, batch: Sequence[Values], before: Before = (), after: After = ()) -> int:
    """Run it for each, in one pipeline; a pipeline that begins no transaction is one itself, all or nothing."""
    cursors = []
    with _pipeline(link, before, after):
        for number, part in enumerate(plans.parts(batch)):
            if number:
                link.new_cursor().execute(plans.FORGET, prepare=False)
            cursors.append(link.new_cursor())
            cursors[-1].executemany(statement.text, part)
    return sum(max(cursor.rowcount, 0) for cursor in cursors)


def together(link: Link, calls: Sequence[tuple[Statement, Values]], before: Before, after: After) -> list[list[Row]]:
    """Several statements in one pipeline; FailedTogether names the one that failed."""
    cursors = [link.new_cursor() for _ in calls]
    try:
        with _pipeline(link, before, after):
            for cursor, (statement, values) in zip(cursors, calls, strict=True):
                cursor.execute(statement.text, values)
    except Exception as error:
        answered = [cursor.pgresult is not None and cursor.pgresult.error_message == b"" for cursor in cursors]
        failed = answered.index(False) if False in answered else -1
        raise FailedTogether(calls[failed][0].query) from error
    return [fetched(link, cursor) for cursor in cursors]


def script(link: Link, statement: Statement, _values: Values, before: Before = (), after: After = ()) -> None:
    """Several statements in one text; outside a transaction they are one, which a script can't end."""
    control = _transaction_control(statement.text)
    if control:
        raise EndsTransaction(f"a script is one transaction: leave {control.upper()} out of it")
    if before:
        link.command("; ".join(_taken(before)))
    link.cursor.execute(statement.text, prepare=False)
    if after:
        link.command("; ".join(after))


def fetched(link: Link, cursor: psycopg.RawCursor[Any]) -> list[Row]:
    try:
        found: list[Row] = cursor.fetchall()
    except psycopg.ProgrammingError:
        return []  # a statement without rows
    except psycopg.Error as error:
        if error.sqlstate is not None or isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            raise
        raise Unreadable from error
    except Exception as error:
        raise Unreadable from error
    if len(found) > LARGE and cursor is link.cursor:
        link.cursor = link.new_cursor()
    return found


def _execute(
    link: Link, cursor: psycopg.RawCursor[Any], statement: Statement, values: Values, before: Before, after: After
) -> None:
    if after and _transaction_control(statement.text):
        raise EndsTransaction("begin a transaction with transaction(), not with SQL")
    if after or (before and not link.near):
        with _pipeline(link, before, after):
            cursor.execute(statement.text, values)
        return
    if before:
        link.command("; ".join(_taken(before)))
    cursor.execute(statement.text, values)


class _Pipeline(psycopg.Pipeline):
    """Ends with Sync alone. psycopg's pipeline sends a Flush after it, after which the server stops counting idle time:
    idle_in_transaction_session_timeout would have no effect until the next statement. Whatever did not fit into the
    socket's buffer is still sent: the server would wait for the rest of it, and we for its answer.
    """

    def _fetch_gen(self, *, flush: bool) -> Any:
        if flush and self.result_queue:
            yield from send(self.pgconn)
        yield from super()._fetch_gen(flush=False)


@contextmanager
def _pipeline(link: Link, before: Before, after: After) -> Iterator[None]:
    try:
        with link.connection.pipeline() as pipeline:
            pipeline.__class__ = _Pipeline
            for text in _taken(before):
                link.new_cursor().execute(text, prepare=False)
            try:
                yield
                for text in after:
                    link.new_cursor().execute(text, prepare=False)
            except Exception:
                raise
            except BaseException:
                link.connection.cancel_safe(timeout=_CANCEL)  # leaving the pipeline waits for the answers
                raise
    except psycopg.OperationalError as error:
        # If the server ends the connection, psycopg fails to leave the pipeline and hides the server's reason.
        reason = error.__context__
        if error.sqlstate is None and isinstance(reason, psycopg.Error) and reason.sqlstate is not None:
            raise reason from None
        raise


def _taken(before: Before) -> Before:
    """The statements to send now. A list is emptied first: if sending fails or is interrupted, it counts as sent,
    because rolling back to a savepoint that does not exist is an error and nothing worse."""
    if not isinstance(before, list):
        return before
    texts = before[:]
    before.clear()
    return texts


@lru_cache(maxsize=1024)
def _transaction_control(text: str) -> str | None:
    """The first word of it that would begin or end a transaction."""
    try:
        return next(
            (each.transaction_control for each in split(text, dialect="postgres") if each.transaction_control), None
        )
    except QueryFileError:
        return None  # PostgreSQL reports what is wrong with it
