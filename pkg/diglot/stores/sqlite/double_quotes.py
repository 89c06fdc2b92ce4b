"""Finds names in double quotes that SQLite takes for texts, because no column has that name.

SQLite reads ``where "naem" = 'Ada'`` as a comparison of two texts; PostgreSQL refuses it. The switch that turns this
off (SQLITE_DBCONFIG_DQS_DML and …_DDL) is only in Python 3.12's own driver. Names in back-ticks are never texts, so a
statement that is valid with double quotes, and not with back-ticks, has such a name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from diglot.errors import QueryFileError
from diglot.sql.scanner import Kind, scan
from diglot.sql.statements import split
from diglot.stores.sqlite.library import library

if TYPE_CHECKING:
    import sqlite3

_EVENTS = ("insert", "update", "delete")


def taken_for_text(connection: sqlite3.Connection, text: str, values: Sequence[Any] = ()) -> str | None:
    """SQLite's error about the first name in double quotes that is no name; None without one.

    The statement is compiled, not run; a view and a trigger are created and rolled back, since SQLite looks at their
    names when they are used.
    """
    named = with_back_ticks(text)
    if named == text:
        return None
    error = _error(connection, named, values)
    if error is None or _error(connection, text, values) is not None:
        return None
    return f"{error} (SQLite takes a name in double quotes that is no column for a text)"


def with_back_ticks(text: str) -> str:
    """The text with each name in back-ticks that it has in double quotes."""
    if '"' not in text:
        return text
    try:
        tokens = scan(text)
    except QueryFileError:
        return text
    return "".join(
        _back_ticks(token.text[1:-1].replace('""', '"'))
        if token.kind is Kind.IDENTIFIER and token.text[0] == '"'
        else token.text
        for token in tokens
    )


def _back_ticks(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


def _error(connection: sqlite3.Connection, text: str, values: Sequence[Any]) -> str | None:
    try:
        connection.execute(f"explain {text}", values).close()
        return _error_in_use(connection, text) if _is_used_later(text) else None
    except library().Error as error:
        return str(error)


def _is_used_later(text: str) -> bool:
    statements = split(text)
    words = statements[0].words[:3] if statements else ()
    return words[:1] == ("create",) and ("view" in words or "trigger" in words)


def _error_in_use(connection: sqlite3.Connection, text: str) -> str | None:
    """The error of a statement that reads the view, or that fires the trigger."""
    connection.execute("savepoint diglot_names")
    try:
        connection.execute(text)
        row = connection.execute("select type, name, tbl_name, sql from sqlite_master order by rowid desc limit 1")
        for use in _uses(connection, *row.fetchone()):
            connection.execute(f"explain {use}").close()
    finally:
        connection.execute("rollback to diglot_names")
        connection.execute("release diglot_names")
    return None


def _uses(connection: sqlite3.Connection, kind: str, name: str, table: str, sql: str) -> Iterator[str]:
    if kind == "view":
        yield f"select * from {_back_ticks(name)}"  # noqa: S608 - all three are names of the schema, quoted
    if kind != "trigger":
        return
    words = split(sql)[0].words
    event = next((word for word in words[words.index("trigger") + 2 :] if word in _EVENTS), None)
    target = _back_ticks(table)
    if event == "delete":
        yield f"delete from {target}"  # noqa: S608
    elif event == "insert":
        yield f"insert into {target} default values"
    elif event == "update":
        columns = [_back_ticks(row[1]) for row in connection.execute(f"pragma table_info({target})")]
        yield f"update {target} set {', '.join(f'{column} = {column}' for column in columns)}"  # noqa: S608
