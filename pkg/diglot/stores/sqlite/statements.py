"""How one statement runs on a connection and what it returns: the places where the driver needs help.

Every result is read to its end immediately: a partly read one would hold its snapshot and keep the log from being
checkpointed, and an ``insert … returning`` commits only with its last row.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from functools import lru_cache
from typing import TYPE_CHECKING

from diglot.sql.session import Row, Statement, Values
from diglot.sql.statements import split
from diglot.stores.sqlite.connection import Link
from diglot.stores.sqlite.errors import EndsTransaction

if TYPE_CHECKING:
    import sqlite3


def rows(link: Link, statement: Statement, values: Values) -> list[Row]:
    link.watch.deadline = 0.0
    return link.connection.execute(statement.text, values).fetchall()


def cursor(link: Link, statement: Statement, values: Values) -> sqlite3.Cursor:
    """The cursor that a stream fetches from: the one result that is not read immediately."""
    link.watch.deadline = 0.0
    return link.connection.execute(statement.text, values)


def fetch(link: Link, open_cursor: sqlite3.Cursor, size: int) -> list[Row]:
    link.watch.deadline = 0.0
    return open_cursor.fetchmany(size)


def columns(link: Link, statement: Statement, values: Values) -> tuple[list[str], list[Row]]:
    link.watch.deadline = 0.0
    # Closed even if a row can't be read: as long as the cursor lives, a statement that writes is not committed.
    with closing(link.connection.execute(statement.text, values)) as cursor:
        return [column[0] for column in cursor.description or ()], cursor.fetchall()


def count(link: Link, statement: Statement, values: Values) -> int:
    link.watch.deadline = 0.0
    connection = link.connection
    before = connection.total_changes
    with closing(connection.execute(statement.text, values)) as cursor:
        if cursor.description is not None:
            # RETURNING: one row for each change; a query: no change. The drivers' own numbers differ here.
            answers = len(cursor.fetchall())
            return answers if connection.total_changes != before else 0
        if cursor.rowcount >= 0:
            return cursor.rowcount
    # The driver of Python 3.11 knows the number only for texts that begin with insert, update, delete or replace.
    # changes() is that of an earlier statement if this one changed nothing.
    if connection.total_changes == before:
        return 0
    return int(connection.execute("select changes()").fetchone()[0])


def many(link: Link, statement: Statement, batch: Sequence[Values]) -> int:
    """Run it for each; the caller has begun a transaction."""
    if not _can_be_batched(statement.text):
        return sum(count(link, statement, values) for values in batch)
    link.watch.deadline = 0.0
    return max(link.connection.executemany(statement.text, batch).rowcount, 0)


def script(link: Link, statement: Statement, _values: Values) -> None:
    """Run each of its statements; the caller has begun a transaction, which a script can't end.

    Not the driver's executescript, which commits what is open.
    """
    found = split(statement.text, statement.query, "sqlite")
    for each in found:
        if each.transaction_control:
            raise EndsTransaction(each.transaction_control.upper())
    for each in found:
        link.watch.deadline = 0.0
        link.connection.execute(each.text).close()


@lru_cache(maxsize=1024)
def _can_be_batched(text: str) -> bool:
    """Whether executemany accepts it: no leading WITH (3.11 loses the number) and no RETURNING (it has rows)."""
    return _WITH.match(text) is None and _RETURNING.search(text) is None


_BLANK = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/|;)*"
_WITH = re.compile(rf"{_BLANK}with\b", re.IGNORECASE | re.DOTALL)
_RETURNING = re.compile(r"\breturning\b", re.IGNORECASE)
