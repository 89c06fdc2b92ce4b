"""Times that a SQLite query or trigger writes, or compares with, by itself: ``current_timestamp``, ``datetime('now')``.

An expression that uses no column and no parameter is evaluated; what it gives must have the form of the timestamps in
the column that it meets.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from diglot.check.meetings import Meeting, meetings, parsed
from diglot.check.timestamp_form import is_comparable, is_timestamp, needed_by
from diglot.check.whole import whole
from diglot.errors import QueryFileError
from diglot.sql.header import QuerySource
from diglot.sql.scanner import Kind, scan
from diglot.sql.session import Statement
from diglot.sql.statements import SqlStatement, split
from diglot.stores.sqlite.library import library
from diglot.stores.store import Store

if TYPE_CHECKING:
    import sqlite3

_VARIABLE = (exp.Column, exp.Placeholder, exp.Parameter, exp.Query)
Column = tuple[str, str]
"""A table and one of its columns, in lower case."""


def in_query(query: QuerySource, times: Collection[Column], memory: sqlite3.Connection) -> Iterator[tuple[str, int]]:
    """A message for each such time of another form, with its offset in the file. ``times`` keep timestamps."""
    if query.suffix == "#":
        return
    every = whole(query, "sqlite")
    for (table, name), meeting, message in _misfits(every.named, times, memory):
        start = next((each.meta["start"] for each in meeting.column.walk() if "start" in each.meta), 0)
        yield f"{message} {table}.{name}, {needed_by('it')}", every.offset_of_named(start)


def in_triggers(store: Store, times: Collection[Column], memory: sqlite3.Connection) -> Iterator[tuple[Column, str]]:
    """The same for what the triggers of the database write."""
    rows = store.rows(Statement("check.triggers", "select name, sql from sqlite_schema where type = 'trigger'"))
    for trigger, sql in rows:
        for statement in _body(sql):
            for column, meeting, message in _misfits(statement.text, times, memory):
                if meeting.table:
                    yield column, f"in the trigger {trigger}, {message} it, {needed_by('a query')}"


def _body(sql: str) -> list[SqlStatement]:
    """The statements between ``begin`` and ``end``."""
    try:
        code = "".join(t.text if t.kind is Kind.CODE else "x" * len(t.text) for t in scan(sql)).lower()
        begin, end = re.search(r"\bbegin\b", code), code.rfind("end")
        return split(sql[begin.end() : end]) if begin is not None and begin.end() <= end else []
    except QueryFileError:
        return []


def _misfits(sql: str, times: Collection[Column], memory: sqlite3.Connection) -> Iterator[tuple[Column, Meeting, str]]:
    """Each with the beginning of a message."""
    tree = parsed(sql, "sqlite")
    if tree is None:
        return
    tables = {table.name.lower() for table in tree.find_all(exp.Table)}
    for meeting in meetings(tree, {}):
        within = {meeting.table} if meeting.table else tables
        name = meeting.column.name.lower()
        column = next((each for each in times if each[0] in within and each[1] == name), None)
        if column is None or meeting.value.find(*_VARIABLE) is not None:
            continue
        text = meeting.value.sql(dialect="sqlite")
        found = _evaluated(text, memory)
        literal = isinstance(meeting.value, exp.Literal)
        if found is None or _fits(found, meeting, literal):
            continue
        does = "is written into" if meeting.table else "is compared with"
        yield column, meeting, f"{text if literal else f'{text} ({found!r})'} {does}"


def _fits(value: object, meeting: Meeting, literal: bool) -> bool:
    if meeting.table:
        return is_timestamp(value)
    # A text without the time of day may be anything: a date, or the lowest value.
    return is_comparable(value) or (literal and not (isinstance(value, str) and ":" in value))


def _evaluated(text: str, memory: sqlite3.Connection) -> Any:
    """None if it can't be evaluated by itself."""
    try:
        return memory.execute(f"select {text}").fetchone()[0]
    except library().Error:
        return None
