"""Converts PostgreSQL's values to their forms, and writes them for COPY."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from diglot.ops.documents import canonical
from diglot.ops.forms import Form
from diglot.ops.numbers import plain_digits, real
from diglot.schema.model import Column, Table
from diglot.sql.identifiers import quoted

_MICROSECONDS = """'YYYY-MM-DD"T"HH24:MI:SS.US'"""


def expression(column: Column, form: Form) -> str:
    """The expression that reads the column, as text if the driver has no type for it."""
    name = quoted(column.name)
    match form:
        case "integer" | "blob":
            return name
        case "boolean":
            return f"cast({name} as integer)"
        case "real":
            return f"cast({name} as double precision)"
        case "instant":
            written = f"to_char({name}, {_MICROSECONDS}) || 'Z'"  # the session's time zone is UTC
            return _of_common_years(name, "timestamptz", written)
        case "timestamp":
            return _of_common_years(name, "timestamp", f"to_char({name}, {_MICROSECONDS})")
        case "array":
            return f"cast(array_to_json({name}) as text)"
        case _:
            return f"cast({name} as text)"


def _of_common_years(name: str, type_name: str, written: str) -> str:
    """Reads infinite values, and those outside the years 1 to 9999, as plain text: to_char would garble them."""
    common = f"{name} >= {type_name} '0001-01-01' and {name} < {type_name} '10000-01-01'"
    return f"case when {common} then {written} else cast({name} as text) end"


def equals(column: str, value: str) -> tuple[str, tuple[str, ...]]:
    """A condition that the column has this text, with its value."""
    return f" where {quoted(column)} = $1", (value,)


def finisher(_table: Table, _column: Column, form: Form) -> Callable[[Any], Any] | None:
    """Converts the driver's value to its form; None if no conversion is needed."""
    return _FINISH.get(form)


_FINISH: dict[Form, Callable[[Any], Any]] = {
    "real": real,
    "numeric": plain_digits,
    "json": canonical,
    "array": canonical,
}


def loader(_table: Table, _column: Column, form: Form) -> Callable[[Any], Any] | None:
    """Converts a value in its form to what COPY takes; None if no conversion is needed."""
    return _array if form == "array" else None


def _array(text: str) -> str:
    """PostgreSQL's own text of an array, from a JSON array."""
    return _literal(json.loads(text, parse_float=Decimal))


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, list):
        return "{" + ",".join(map(_literal, value)) + "}"
    if isinstance(value, bool):
        return "t" if value else "f"
    text = value if isinstance(value, str) else json.dumps(value) if isinstance(value, dict) else str(value)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
