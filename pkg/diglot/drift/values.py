"""Values and their combinations, each in one spelling: the parts of a form that do not depend on the dialect."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from diglot.drift.instants import instant
from diglot.drift.types import Kind
from diglot.sql.session import Dialect

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


def as_kind(of: Form, kind: Kind, dialect: Dialect) -> Form:
    """A literal as a value of this kind: ``'1'`` is a number next to numbers, ``'2026-01-31'`` an instant.

    PostgreSQL reads the text as the type; SQLite changes only numerals, so ``'true'`` beside a boolean stays a text.
    """
    if of[0] == "text":
        read = _POSTGRES_ALONE.get(kind) if dialect == "postgres" else None
        found = (read or _BOTH.get(kind, _as_it_is))(of[1])
        return of if found is None else found
    if of[0] == "array" and kind == "array":
        return json_array(of)
    if of[0] == "number" and kind == "text":
        return ("text", of[1])
    return of


def _as_it_is(_: str) -> Form | None:
    return None


def _numeral(text: str) -> Form | None:
    return number_form(text.strip()) if NUMERAL.fullmatch(text.strip()) else None


def _truth(text: str) -> Form | None:
    word = text.strip().lower()
    found = {value for full, value in _TRUTH.items() if word and full.startswith(word)}
    return number_form(found.pop()) if len(found) == 1 else None


def _bytes(text: str) -> Form | None:
    return ("blob", text[2:].lower()) if text.startswith("\\x") else ("blob", text.encode().hex())


def is_scalar(text: str) -> bool:
    """Whether the text is that of a JSON number or boolean."""
    return bool(NUMERAL.fullmatch(text)) or text in ("true", "false")


def _json(text: str) -> Form:
    try:
        return ("json value", json.dumps(json.loads(text), sort_keys=True))
    except ValueError:
        return ("text", text)


def json_array(of: Form, elements: Kind = "other") -> Form:
    """An array as the JSON array that it is on the other side. ``elements`` is the kind of its elements."""
    return ("json value", json.dumps([_element(item, elements) for item in of[1]], sort_keys=True))


def _element(item: Form, kind: Kind) -> Any:
    if item == NULL:
        return None
    numeral = NUMERAL.fullmatch(item[1]) if kind in ("integer", "number", "other") else None
    if kind == "boolean":
        found = number_form(item[1]) if item[0] == "number" else _truth(item[1])
        return found == number_form(1)
    return json.loads(number_form(item[1])[1]) if numeral else item[1]


def array_literal(text: str) -> Form:
    """``{a,"b c"}``, of one dimension."""
    inner = text.strip()[1:-1]
    items = [(quoted.replace('\\"', '"') if mark else bare, mark) for mark, quoted, bare in _ITEM.findall(inner)]
    return ("array", tuple(NULL if (item.upper(), mark) == ("NULL", "") else ("text", item) for item, mark in items))


_JSON_TYPES: dict[str, set[Form]] = {
    "number": {("text", "integer"), ("text", "real")},
    "boolean": {("text", "true"), ("text", "false")},
}
"""SQLite has two names for what PostgreSQL has one."""
_ITEM = re.compile(r'(?:(")((?:[^"\\]|\\.)*)"|([^,"]+))')
NUMERAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_TRUTH = {"true": 1, "yes": 1, "on": 1, "1": 1, "false": 0, "no": 0, "off": 0, "0": 0}
"""PostgreSQL reads any part of such a word that is clear."""
_Read = Callable[[str], Form | None]
_BOTH: dict[Kind, _Read] = {
    **dict.fromkeys(("integer", "number", "boolean"), _numeral),
    **dict.fromkeys(("time", "date"), lambda text: ("instant", instant(text))),
    **dict.fromkeys(("json", "array"), _json),
    "uuid": lambda text: ("text", text.lower()),
}
_POSTGRES_ALONE: dict[Kind, _Read] = {
    "boolean": _truth,
    "blob": _bytes,
    "array": lambda text: json_array(array_literal(text)),
}
