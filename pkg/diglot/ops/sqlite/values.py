"""Converts SQLite's values to their forms, and back to what is stored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from diglot.ops.documents import as_written, canonical
from diglot.ops.forms import Form
from diglot.ops.numbers import plain_digits, real
from diglot.schema.model import Column, Table
from diglot.sql.identifiers import quoted
from diglot.sql.timestamps import WIDTH, timestamp_text


def expression(column: Column, _form: Form) -> str:
    """The expression that reads the column: SQLite has no types that hide something."""
    return quoted(column.name)


def _instant(value: Any) -> str:
    """Text without an offset is UTC, as SQLite's own functions write it."""
    if len(value) == WIDTH and value[10] == "T" and value[26] == "Z":
        return str(value)
    return timestamp_text(_utc(value))


def _timestamp(value: Any) -> str:
    return timestamp_text(_utc(value))[:-1]


def _utc(value: Any) -> datetime:
    found = datetime.fromisoformat(value)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _integer(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _boolean(value: Any) -> int:
    if value in (0, 1):
        return int(value)
    raise ValueError("use 0 or 1")


def _uuid(value: Any) -> str:
    return str(UUID(bytes=value) if isinstance(value, bytes) else UUID(value))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise ValueError(f"it is stored as {type(value).__name__}")


def equals(column: str, value: str) -> tuple[str, tuple[str, ...]]:
    """A condition that the column has this text, with its value."""
    return f" where {quoted(column)} = ?", (value,)


def finisher(table: Table, _column: Column, form: Form) -> Callable[[Any], Any] | None:
    """Converts the driver's value to its form; None if no conversion is needed."""
    if form in ("text", "integer") and "strict" in table.options:
        return None  # SQLite guarantees it
    return _FINISH.get(form)


_FINISH: dict[Form, Callable[[Any], Any]] = {
    "text": _text,
    "integer": _integer,
    "boolean": _boolean,
    "real": real,
    "numeric": plain_digits,
    "instant": _instant,
    "timestamp": _timestamp,
    "json": canonical,
    "array": canonical,
    "uuid": _uuid,
}


def loader(_table: Table, column: Column, form: Form) -> Callable[[Any], Any] | None:
    """Converts a value in its form to what is stored in this column; None if no conversion is needed."""
    match form:
        case "json":
            return as_written
        case "real":
            return _stored_real
        case "uuid" if column.type == "blob":
            return lambda value: UUID(value).bytes
        case "instant" | "timestamp" if _like_current_timestamp(column):
            return _current_timestamp
        case "instant":
            return _checked_instant
        case _:
            return None


def _stored_real(value: Any) -> float:
    number = float(value)
    if number != number:
        raise ValueError("SQLite would store NULL")
    return number


def _like_current_timestamp(column: Column) -> bool:
    default = (column.default or "").lower()
    return "current_timestamp" in default or "datetime(" in default


def _current_timestamp(value: str) -> str:
    """As CURRENT_TIMESTAMP writes it, with a fraction only if there is one."""
    text = _checked_instant(value).removesuffix("Z").replace("T", " ")
    return text.removesuffix(".000000")


def _checked_instant(value: str) -> str:
    if len(value) not in (WIDTH, WIDTH - 1):
        raise ValueError("SQLite can only store the years 1 to 9999")
    return value
