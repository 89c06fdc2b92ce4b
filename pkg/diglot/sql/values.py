"""From a driver's value to that of a field, or to what ``-- returns: text`` and the other types name.

The value of a field is converted where the driver's differs; the checks have proven its type. A type alone has no
model that says so, and SQLite's columns take anything: its value is also checked.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Never

from diglot.sql import canonical_json
from diglot.sql.models import Column
from diglot.sql.session import Dialect, Row
from diglot.sql.timestamps import timestamp_from_text

Convert = Callable[[Any], Any]
_TYPES: dict[str, type] = {"text": str, "int": int, "float": float, "bool": bool, "bytes": bytes, "timestamp": datetime}


class _Booleans(dict[int, bool]):
    """SQLite's 0 and 1. A lookup, because it is as fast as ``bool`` and takes nothing else for true."""

    def __missing__(self, key: object) -> Never:
        raise ValueError(f"{key!r} is not a bool: SQLite's are 0 and 1")


BOOLEANS = _Booleans({0: False, 1: True})


def scalar(column: Column, dialect: Dialect) -> Callable[[Row], Any]:
    """Takes a row of one column to its value. ValueError if it is of another type, or NULL where it may not be."""
    convert = converter(column, dialect)
    wanted = _TYPES.get(column.type)

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
    if column.type == "timestamp":
        return timestamp_from_text if dialect == "sqlite" else None
    if column.type == "bool":
        return BOOLEANS.__getitem__ if dialect == "sqlite" else None
    if column.type != "json":
        return None
    if dialect == "sqlite":  # the text as we wrote it, its floats too
        return canonical_json.exact_loader(column.python_type)
    return canonical_json.loader(column.python_type)
