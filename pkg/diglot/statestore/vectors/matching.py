"""The meaning of a filter, the same for all engines.

``{"lang": "de", "tags": ["law", "tax"]}`` finds records whose ``lang`` is "de" and whose ``tags`` has "law" or "tax":
all names must match, and any value in a list. If a record's value is a list, any of its items may match. Types are
distinct: ``1``, ``"1"`` and ``True`` are three values, ``1`` and ``1.0`` are one. A name that the record does not have
never matches.

Engines disagree about exactly that (Redis treats true as 1, Qdrant matches no floats). Engines without JSON of their
own therefore get tokens: a text for each value that includes its type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import msgspec

from diglot.errors import InvalidValue
from diglot.sql.canonical_json import MAX_INTEGER, check_text

Scalar = str | int | float | bool
Metadata = Mapping[str, Scalar | list[Any]]
Wanted = dict[str, list[Scalar]]
"""Checked filters: each name with the values of which one must match."""
Tokens = dict[str, list[str]]

MAX_NAMES = 64
MAX_VALUES = 256
MAX_VALUE = 4_096
MAX_METADATA = 1_000_000
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}\Z")


def check_metadata(value: Any, path: str) -> tuple[dict[str, Any], int]:
    """A copy that every engine stores unchanged, and its size in bytes. Raises InvalidValue with the path."""
    checked: dict[str, Any] = {}
    for name, item in _entries(value, path):
        where = f"{path}.{name}"
        if isinstance(item, list | tuple):
            _few(item, where)
            checked[name] = [_scalar(one, f"{where}[{number}]") for number, one in enumerate(item)]
        else:
            checked[name] = _scalar(item, where)
    size = len(msgspec.json.encode(checked)) if checked else 0
    if size > MAX_METADATA:
        raise InvalidValue(path, f"at most {MAX_METADATA} bytes, not {size}: put long text into the record's text")
    return checked, size


def check_filters(value: Any) -> Wanted:
    """The checked filters. Raises InvalidValue for an invalid filter, and for an empty list, which matches nothing."""
    wanted: Wanted = {}
    for name, item in _entries(value, "filters"):
        where = f"filters.{name}"
        if not isinstance(item, list | tuple | set | frozenset):
            wanted[name] = [_scalar(item, where)]
            continue
        _few(item, where)
        if not item:
            raise InvalidValue(where, "an empty list matches nothing: leave the name out, or give it a value")
        wanted[name] = [_scalar(one, f"{where}[{number}]") for number, one in enumerate(item)]
    return wanted


def tokens(values: Mapping[str, Any]) -> Tokens:
    """Each value as a text that includes its type, both for metadata and for filters."""
    return {
        name: [token(item) for item in (value if isinstance(value, list) else [value])]
        for name, value in values.items()
    }


def token(value: Scalar) -> str:
    if isinstance(value, bool):
        return "b1" if value else "b0"
    return f"s{value}" if isinstance(value, str) else f"n{float(value)!r}"


def json_path(wanted: Wanted) -> str:
    """The filter as an SQL/JSON path: ``($."tags" == "law" || $."tags" == "tax") && ($."year" == 2024)``.

    Its lax mode looks into lists automatically, and values of different types are never equal. Names are words, and
    values are written as JSON, so neither can inject anything.
    """
    return " && ".join(
        "(" + " || ".join(f'$."{name}" == {msgspec.json.encode(value).decode()}' for value in values) + ")"
        for name, values in wanted.items()
    )


def _entries(value: Any, path: str) -> list[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        raise InvalidValue(path, f"names with values are needed, not {type(value).__name__}")
    if len(value) > MAX_NAMES:
        raise InvalidValue(path, f"at most {MAX_NAMES} names, not {len(value)}")
    for name in value:
        if not isinstance(name, str) or not _NAME.match(name):
            raise InvalidValue(path, "a name has at most 63 letters, digits and '_', and begins with a letter or '_'")
    return list(value.items())


def _few(values: Any, path: str) -> None:
    if len(values) > MAX_VALUES:
        raise InvalidValue(path, f"at most {MAX_VALUES} values, not {len(values)}")


def _scalar(value: Any, path: str) -> Scalar:
    """The value as a plain type: an engine would not return a member of an enumeration or a numpy number."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        if len(value) > MAX_VALUE:
            raise InvalidValue(
                path, f"at most {MAX_VALUE} characters, not {len(value)}: put long text into the record's text"
            )
        check_text(value, path)
        return str.__str__(value)
    if isinstance(value, int | Integral) and abs(int(value)) <= MAX_INTEGER:
        return int(value)
    if isinstance(value, float | Real) and not isinstance(value, Integral) and value - value == 0:
        return float(value) or 0.0
    if isinstance(value, float | Real):
        raise InvalidValue(path, "a finite number within ±(2^53 - 1) is needed: send others as text")
    kind = type(value)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    raise InvalidValue(path, f"text, a number, a boolean or a list of them is needed, not {name}")
