"""Values and their combinations, each in one spelling: the parts of a form that do not depend on the dialect."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

from diglot.drift.instants import instant
from diglot.drift.types import Kind

Form = tuple[Any, ...]
NULL: Form = ("null",)
NOW: Form = ("now",)
TODAY: Form = ("today",)
NOW_TIME: Form = ("now time",)
LITERALS = {"text", "number", "blob", "instant", "null", "array", "json value"}


def joined(word: str, forms: list[Form]) -> Form:
    """``and`` or ``or`` of them: flat, sorted, each once; equalities of one subject under ``or`` are ``in``."""
    flat: list[Form] = []
    for each in forms:
        flat.extend(each[1] if each[0] == word else [each])
    if word == "or":
        flat = _gathered(flat)
    unique = sorted(set(flat), key=repr)
    return unique[0] if len(unique) == 1 else (word, tuple(unique))


def _gathered(forms: list[Form]) -> list[Form]:
    found: list[Form] = []
    members: dict[Form, set[Form]] = {}
    for each in forms:
        if each[0] == "=" and each[2][0] in LITERALS:
            members.setdefault(each[1], set()).add(each[2])
        elif each[0] == "in":
            members.setdefault(each[1], set()).update(each[2])
        else:
            found.append(each)
    for subject, values in members.items():
        found.append(one_of(subject, values))
    return found


def one_of(subject: Form, values: set[Form]) -> Form:
    if subject[0] == "json_type":
        for name, kinds in _JSON_TYPES.items():
            values = (values - kinds) | {("text", name)} if kinds <= values else values
    ordered = sorted(values, key=repr)
    return ("=", subject, ordered[0]) if len(ordered) == 1 else ("in", subject, tuple(ordered))


def number_form(value: Any) -> Form:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return ("number", str(value))
    return ("number", format(number.normalize() + 0, "f"))


def whole(operator: str, value: Decimal) -> tuple[str, Form]:
    """For whole numbers, ``> 4`` is ``>= 5`` and ``< 6`` is ``<= 5``."""
    if value == value.to_integral_value():
        if operator == ">":
            return ">=", number_form(value + 1)
        if operator == "<":
            return "<=", number_form(value - 1)
    return operator, number_form(value)


def as_kind(of: Form, kind: Kind) -> Form:
    """A literal as a value of this kind: ``'1'`` is a number next to numbers, ``'2026-01-31'`` an instant."""
    if of[0] == "text":
        text: str = of[1]
        if kind in ("integer", "number") and NUMERAL.fullmatch(text.strip()):
            return number_form(text.strip())
        if kind == "boolean" and text.lower() in _TRUTH:
            return number_form(_TRUTH[text.lower()])
        if kind in ("time", "date"):
            return ("instant", instant(text))
        if kind == "uuid":
            return ("text", text.lower())
        if kind == "blob" and text.startswith("\\x"):
            return ("blob", text[2:].lower())
        if kind == "json":
            return _json(text)
        if kind == "array":
            return _json(text) if text.lstrip().startswith("[") else _json_array(array_literal(text))
    if of[0] == "array" and kind == "array":
        return _json_array(of)
    if of[0] == "number" and kind == "text":
        return ("text", of[1])
    return of


def _json(text: str) -> Form:
    try:
        return ("json value", json.dumps(json.loads(text), sort_keys=True))
    except ValueError:
        return ("text", text)


def _json_array(of: Form) -> Form:
    values = [int(item[1]) if item[0] == "number" and item[1].lstrip("-").isdigit() else item[1] for item in of[1]]
    return ("json value", json.dumps(values, sort_keys=True))


def array_literal(text: str) -> Form:
    """``{a,"b c"}``, of one dimension."""
    inner = text.strip()[1:-1]
    items = [(quoted.replace('\\"', '"') if mark else bare) for mark, quoted, bare in _ITEM.findall(inner)]
    return ("array", tuple(number_form(item) if NUMERAL.fullmatch(item) else ("text", item) for item in items))


_JSON_TYPES: dict[str, set[Form]] = {
    "number": {("text", "integer"), ("text", "real")},
    "boolean": {("text", "true"), ("text", "false")},
}
"""SQLite has two names for what PostgreSQL has one."""
_ITEM = re.compile(r'(?:(")((?:[^"\\]|\\.)*)"|([^,"]+))')
NUMERAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_TRUTH = {"t": 1, "true": 1, "yes": 1, "on": 1, "1": 1, "f": 0, "false": 0, "no": 0, "off": 0, "0": 0}
