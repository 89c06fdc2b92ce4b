"""Where the expressions of a statement meet columns: what is written into one, what is compared with one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import sqlglot
from sqlglot import exp

from diglot.check.nesting import FAULTS
from diglot.sql.session import Dialect

_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)

_READABLE = frozenset({"select", "with", "values", "insert", "replace", "update", "delete", "merge"})
_FIRST_WORD = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*(\w+)", re.DOTALL)


class Meeting(msgspec.Struct, frozen=True):
    """An expression that is written into a column of ``table``, or compared with one; then ``table`` is empty."""

    column: Any
    value: Any
    table: str = ""


def parsed(sql: str, dialect: Dialect) -> Any:
    """The tree of a query or of a statement that writes; None for others, and if sqlglot can't read it."""
    first = _FIRST_WORD.match(sql)
    if first is None or first[1].lower() not in _READABLE:
        return None  # sqlglot would log a warning
    try:
        return sqlglot.parse_one(sql, dialect=dialect)
    except FAULTS:  # the check of its columns reports it
        return None


def meetings(tree: Any, tables: Mapping[str, Sequence[str]]) -> Iterator[Meeting]:
    """``tables``: the columns of each in their order, for an insert that does not list them."""
    for node in tree.walk():
        if isinstance(node, exp.Insert):
            yield from _inserted(node, tables)
        elif isinstance(node, exp.Between):
            yield from (Meeting(node.this, node.args[end]) for end in ("low", "high"))
        elif isinstance(node, exp.In):
            yield from (Meeting(node.this, item) for item in node.expressions)
        elif isinstance(node, exp.EQ) and isinstance(node.parent, exp.Update | exp.OnConflict):
            yield Meeting(node.this, node.expression, _target(node))
        elif isinstance(node, _COMPARISONS):
            yield Meeting(node.this, node.expression)
            yield Meeting(node.expression, node.this)


def _target(node: Any) -> str:
    """The table that the statement changes."""
    table = node.find_ancestor(exp.Update, exp.Insert).this
    return str((table.this if isinstance(table, exp.Schema) else table).name.lower())


def _inserted(node: exp.Insert, tables: Mapping[str, Sequence[str]]) -> Iterator[Meeting]:
    into, body = node.this, node.args.get("expression")
    table = (into.this if isinstance(into, exp.Schema) else into).name.lower()
    columns = into.expressions if isinstance(into, exp.Schema) else map(exp.to_identifier, tables.get(table, ()))
    columns = list(columns)
    rows = [row.expressions for row in body.expressions] if isinstance(body, exp.Values) else []
    rows += [[each.unalias() for each in body.expressions]] if isinstance(body, exp.Select) else []
    for row in rows:
        for column, value in zip(columns, row, strict=False):
            yield Meeting(column, value, table)
