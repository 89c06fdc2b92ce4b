"""What a function returns: whether it can be null, and on SQLite its type.

PostgreSQL's catalog knows types and strictness: a strict function is null if an argument is. Neither engine says
which functions are *never* null otherwise (``jsonb_extract_path`` may be, ``lower`` is not), so those that are proven
to be are listed in never_null.py. What is not listed may be null, or is not known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sqlglot import exp

from diglot.check.catalog import TEXT as ANY_TEXT
from diglot.check.catalog import Kinds, postgres_kinds
from diglot.check.lineage.never_null import POSTGRES, SQLITE, Rule
from diglot.check.lineage.parsing import text
from diglot.check.lineage.values import (
    BYTES,
    INT,
    TEXT,
    Value,
    any_null,
    coalesced,
    either,
    is_number,
    strict,
    unknown,
)
from diglot.schema.functions import Function, Functions
from diglot.sql.session import Dialect

_PATTERN = re.compile(r"(?:[^%]|%[dfHjJmMsSwWY%])*")
_FORMAT = re.compile(r"(?:[^%]|%%|%[-+ 0-9.,]*[sdifgexX])+")
_MODIFIER = re.compile(r"utc|localtime|start of (?:day|month|year)|[+-]\d{1,3} (?:second|minute|hour|day|month|year)s?")
_SAME_TYPE = ("abs", "max", "min", "ceil", "ceiling", "floor", "trunc", "sign")
"""SQLite's functions that return a value of their arguments' type."""


def call(name: str, arguments: Sequence[Any], values: Sequence[Value], known: Functions, dialect: Dialect) -> Value:
    """What is known about the call of a function that is no aggregate."""
    if name in ("coalesce", "ifnull", "greatest", "least"):
        return coalesced(values)
    if name == "nullif":
        return Value(values[0].kinds, True, untyped=values[0].untyped) if values else unknown("nullif()")
    found = known.find(name, len(values))
    if not found:
        return unknown(f"the function {name}() is not one that the database has")
    if dialect == "postgres":
        return _postgres(name, found, arguments, values)
    return _sqlite(name, found, arguments, values)


def _may_be_null(name: str) -> str:
    return f"{name}() may return null for arguments that are not null"


# --- PostgreSQL --------------------------------------------------------------------------------------------


def _postgres(name: str, found: list[Function], arguments: Sequence[Any], values: Sequence[Value]) -> Value:
    types = {(each.result, each.is_enum) for each in found}
    kinds = None
    if len(types) == 1 and not next(iter(types))[0].startswith("any"):
        result, is_enum = next(iter(types))
        kinds = postgres_kinds(result, "e" if is_enum else "")
    untyped = "" if kinds else f"the type of {name}() depends on its arguments"
    rule = POSTGRES.get(name, "") if all(each.builtin for each in found) else ""
    nulls = any_null(values)[0]
    if rule == "never":
        return Value(kinds, False, untyped=untyped)
    if rule == "first":
        return strict(kinds, values[:1], untyped)
    is_void = all(each.builtin and each.result == "void" for each in found)
    if rule == "strict" or is_void or _is_total(rule, arguments, values):
        return strict(kinds, values, untyped)
    if nulls is True and all(each.strict for each in found):
        return Value(kinds, True, untyped=untyped)
    return Value(kinds, None, why=_may_be_null(name), untyped=untyped)


def _is_total(rule: Rule, arguments: Sequence[Any], values: Sequence[Value]) -> bool:
    """Whether these arguments are among those for which the function is never null."""
    if rule == "texts":  # of an empty range there is no bound
        return values[0].kinds is not None and values[0].kinds <= TEXT
    if rule == "places":  # of a pattern there may be no match
        return all(value.kinds == INT for value in values[1:])
    if rule == "pattern":  # an empty one gives null
        last = arguments[-1].unnest()
        return isinstance(last, exp.Literal) and bool(last.this)
    return False


# --- SQLite ------------------------------------------------------------------------------------------------


def _sqlite(name: str, found: list[Function], arguments: Sequence[Any], values: Sequence[Value]) -> Value:
    if name in ("iif", "if"):
        results = [*values[1::2], *(values[-1:] if len(values) % 2 else [Value(None, True)])]
        return either(results)
    if name in ("likely", "unlikely", "likelihood"):
        return values[0]
    if name in _SAME_TYPE:
        return _numeric(name, values)
    rule, kinds_of = SQLITE.get(name, ("", None)) if all(each.builtin for each in found) else ("", None)
    if name in ("substr", "substring") and values[0].kinds in (None, BYTES):
        kinds_of = values[0].kinds
    if name == "replace" and not (values and values[0].kinds and values[0].kinds <= ANY_TEXT):
        kinds_of = None  # up to SQLite 3.40 at least, it returns a number as it is when there is nothing to replace
    untyped = "" if kinds_of else f"SQLite does not say of which type {name}() is"
    if rule == "never":
        return Value(kinds_of, False)
    if rule in ("first", "paths") and not values:
        return Value(kinds_of, True)
    if rule == "first":
        return strict(kinds_of, values[:1], untyped)
    if rule == "strict" or (rule == "document" and len(values) == 1):
        return strict(kinds_of, values, untyped)
    if rule == "numbers" and all(is_number(value.kinds) for value in values):
        return strict(kinds_of, values, untyped)
    if rule == "pattern" and arguments and _is_text(arguments[0]) and _FORMAT.fullmatch(arguments[0].unnest().this):
        return Value(kinds_of, False)
    if rule == "paths" and all(_is_text(each) for each in arguments[1::2]):
        return strict(kinds_of, values[:1])
    if rule == "moment":
        return _moment(name, kinds_of, arguments, values)
    return _partial(name, kinds_of, untyped)


def _numeric(name: str, values: Sequence[Value]) -> Value:
    """It has the type of its arguments, if they are of one; some are null for a text that is no number."""
    kinds = {value.kinds for value in values}
    same = next(iter(kinds)) if len(kinds) == 1 else None
    if name not in ("max", "min") and not is_number(same):
        same = None
    untyped = "" if same else f"the type of {name}() depends on its arguments"
    if name in ("max", "min"):
        untyped = untyped or next((value.untyped for value in values if value.untyped), "")
    elif name != "abs" and same is None:
        return _partial(name, None, untyped)
    return strict(INT if name == "sign" else same, values, untyped)


def _partial(name: str, kinds: Kinds, untyped: str) -> Value:
    return Value(kinds, None, why=_may_be_null(name), untyped=untyped)


def _moment(name: str, kinds: Kinds, arguments: Sequence[Any], values: Sequence[Value]) -> Value:
    """Null if it is no time, or if a modifier or a letter of the pattern is not known; so never for the time now."""
    at = 1 if name == "strftime" else 0
    texts = [each.unnest().this if _is_text(each) else None for each in arguments]
    is_now = texts[at : at + 1] in ([], ["now"])
    is_known = not at or (texts and texts[0] is not None and _PATTERN.fullmatch(texts[0]))
    if is_now and is_known and all(map(_is_modifier, texts[at + 1 :])):
        return Value(kinds, False)
    if any(value.nullable is True for value in values):
        return Value(kinds, True)
    shown = text(arguments[at]) if len(arguments) > at else "its argument"
    return Value(kinds, None, why=f"{name}() is null if {shown} is not a time that SQLite reads")


def _is_modifier(modifier: str | None) -> bool:
    return modifier is not None and _MODIFIER.fullmatch(modifier) is not None


def _is_text(node: Any) -> bool:
    inner = node.unnest()
    return isinstance(inner, exp.Literal) and bool(inner.is_string)
