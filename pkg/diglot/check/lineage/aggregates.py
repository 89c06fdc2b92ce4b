"""Aggregates and window functions: null over no rows, or if all that they are of is null; a count never is.

PostgreSQL's catalog says which aggregates begin with a value (a count with 0) and which with the first value that is
not null (a maximum). The others are listed, and the tests run them on both engines.
"""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from diglot.check.lineage.values import BYTES, FLOAT, INT, JSON, TEXT, Value, is_number, strict
from diglot.schema.functions import Function
from diglot.sql.session import Dialect

RANKS = {
    **dict.fromkeys(("row_number", "rank", "dense_rank", "ntile"), INT),
    **dict.fromkeys(("percent_rank", "cume_dist"), FLOAT),
}
OFFSETS = ("lag", "lead")
_ENDS = ("first_value", "last_value")
_WINDOW_ONLY = (*RANKS, *OFFSETS, *_ENDS, "nth_value")

_NULL_OF_NOTHING = frozenset(
    [
        "sum",
        "avg",
        "min",
        "max",
        "string_agg",
        "group_concat",
        "xmlagg",
        "bool_and",
        "bool_or",
        "every",
        "bit_and",
        "bit_or",
        "bit_xor",
        "any_value",
        "var_pop",
        "stddev_pop",
        "percentile_cont",
        "percentile_disc",
        "mode",
    ]
)
"""Null only if there is no row, or no value that is not null."""
_NULL_OF_NO_ROWS = frozenset(
    ["array_agg", "json_agg", "jsonb_agg", "json_object_agg", "jsonb_object_agg", "json_objectagg", "json_arrayagg"]
)
"""Null only if there is no row: nulls are collected like any value."""
_SQLITE_NEVER = {
    **dict.fromkeys(("json_group_array", "json_group_object"), JSON),
    **dict.fromkeys(("jsonb_group_array", "jsonb_group_object"), BYTES),
    "count": INT,
    "total": FLOAT,
}


def is_aggregate(name: str, found: list[Function], dialect: Dialect) -> bool:
    if dialect == "sqlite":
        return any(each.kind != "plain" for each in found) and name not in _WINDOW_ONLY
    return any(each.kind == "aggregate" for each in found)


def aggregate(name: str, found: list[Function], values: list[Value], dialect: Dialect, *, has_rows: bool) -> Value:
    """``values`` are those of what is aggregated; ``has_rows``: there is at least one row."""
    first = values[0] if values else Value(None, False)
    kinds, untyped = _type(name, first) if dialect == "sqlite" else (None, "")
    if _is_never_null(name, found, dialect):
        return Value(kinds, False, untyped=untyped)
    builtin = all(each.builtin for each in found)
    if builtin and name in _NULL_OF_NO_ROWS:
        return Value(kinds, not has_rows, untyped=untyped)
    if builtin and (name in _NULL_OF_NOTHING or all(each.starts == "first" for each in found)):
        return strict(kinds, values[:1], untyped) if has_rows else Value(kinds, True, untyped=untyped)
    why = f"{name}() may be null although it is of values that are not"
    return Value(kinds, None if has_rows or not builtin else True, why=why, untyped=untyped)


def _is_never_null(name: str, found: list[Function], dialect: Dialect) -> bool:
    if not all(each.builtin for each in found):
        return False  # its own step may return null
    return name in _SQLITE_NEVER if dialect == "sqlite" else all(each.starts == "always" for each in found)


def _type(name: str, first: Value) -> tuple[frozenset[str] | None, str]:
    """SQLite's type; why it is not known."""
    if name in _SQLITE_NEVER:
        return _SQLITE_NEVER[name], ""
    if name in ("group_concat", "string_agg"):
        return TEXT, ""
    if name in ("min", "max"):
        return first.kinds, first.untyped
    if name == "avg":
        return FLOAT, ""
    if name == "sum" and is_number(first.kinds):
        return (FLOAT if first.kinds == FLOAT else INT), ""
    return None, first.untyped or f"SQLite does not say of which type {name}() is"


def window_function(name: str, values: list[Value], *, has_current: bool) -> Value:
    """A function that only windows have; ``has_current``: the frame always includes the row itself."""
    if name in RANKS:
        return strict(RANKS[name], values)
    first = values[0] if values else Value(None, True)
    if name in _ENDS and has_current:
        return strict(first.kinds, [first], first.untyped)
    if name in OFFSETS and len(values) == 3:
        kinds = first.kinds & values[2].kinds if first.kinds and values[2].kinds else None
        return strict(kinds, [first, values[2]], first.untyped or ("" if kinds else f"{name}() is of two types"))
    return Value(first.kinds, True, untyped=first.untyped)


def includes_current(window: Any) -> bool:
    """Whether the frame of every row includes the row itself."""
    spec = window.args.get("spec")
    if spec is None:
        return True
    if spec.args.get("exclude") is not None:
        return False
    start, end = spec.args.get("start"), spec.args.get("end")
    starts = start == "CURRENT ROW" or _is(spec.args.get("start_side"), "PRECEDING")
    ends = end in (None, "CURRENT ROW") or _is(spec.args.get("end_side"), "FOLLOWING")
    return starts and ends


def _is(side: Any, wanted: str) -> bool:
    return str(side or "").upper() == wanted


def arguments(call: Any) -> list[Any]:
    """What a function is called with, without ``distinct`` and ``order by``."""
    found: list[Any] = []
    for each in call.expressions:
        inner = each
        while isinstance(inner, exp.Order | exp.Limit | exp.IgnoreNulls | exp.RespectNulls):
            inner = inner.this
        found += inner.expressions if isinstance(inner, exp.Distinct) else [inner]
    return [each for each in found if not isinstance(each, exp.Star)]
