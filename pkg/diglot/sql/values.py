"""From a driver's value to that of a field, or to what ``-- returns: text`` and the other types name.

The value of a field is converted where the driver's differs; the checks have proven its type. A type alone has no
model that says so, and SQLite's columns take anything: its value is also checked.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

import msgspec

from diglot.sql import canonical_json
from diglot.sql.models import Column, is_enum, is_list
from diglot.sql.session import Dialect, Row
from diglot.sql.types import TYPES, Convert


def scalar(column: Column, dialect: Dialect) -> Callable[[Row], Any]:
    """Takes a row of one column to its value. ValueError if it is of another type, or NULL where it may not be."""
    convert = converter(column, dialect)
    wanted = None if column.type == "json" else TYPES[column.type].python

    def value(row: Row) -> Any:
        found = row[0]
        if found is None:
            if column.nullable:
                return None
            raise ValueError(f"it is NULL, but the header says {column.type}, not {column.type}?")
        if convert is not None:
            found = convert(found)
        elif type(found) is int and wanted is float:
            return float(found)  # SQLite's for the literal 1, or for a sum of no rows
        if wanted is not None and type(found) is not wanted:
            raise ValueError(f"{found!r} is {type(found).__name__}, not {column.type}")
        return found

    return value


def converter(column: Column, dialect: Dialect) -> Convert | None:
    """Converts the driver's value to the field's type; None if no conversion is needed."""
    if column.type != "json":
        found = TYPES[column.type]
        convert = found.from_sqlite if dialect == "sqlite" else found.from_postgres
        return convert if not is_enum(column.python_type) else _to_enum(convert, column.python_type)
    if dialect == "sqlite":  # the text as we wrote it, its floats too
        return canonical_json.exact_loader(column.python_type)
    return _array_or_document(column.python_type, canonical_json.loader(column.python_type))


def _to_enum(convert: Convert | None, kind: type[Enum]) -> Convert:
    return kind if convert is None else lambda value: kind(convert(value))


def _array_or_document(kind: Any, load: Convert) -> Convert:
    """PostgreSQL has arrays, which its driver returns as lists."""

    def convert(value: Any) -> Any:
        return msgspec.convert(value, kind) if type(value) is list else load(value)

    return convert if is_list(kind) else load
