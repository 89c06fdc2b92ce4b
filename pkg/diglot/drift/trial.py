"""What SQLite itself makes of a default: it is tried in memory, on a table that has this column alone.

A default that violates a CHECK of its own column, or the type of a STRICT table, is refused by the first INSERT that
relies on it. And whether an expression gives a random UUID is seen in what it gives.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Literal

from diglot.schema.model import Check, Column
from diglot.stores.sqlite.library import library

Layout = Literal["", "bytes", "hex", "HEX", "hyphens", "HYPHENS"]
_TRIES = 64
"""Of so many, a random digit is never always the same."""
_FIXED = {12, 16}
"""The digits of a version 4 UUID that are no chance: version and variant."""


def refusing_checks(column: Column, checks: list[Check], strict: bool) -> Iterator[Check | None]:
    """The CHECKs that refuse the column's default; None is the type itself. What can't be tried is left out."""
    for check in (None, *checks):
        if _is_refused(column, check, strict):
            yield check


@functools.lru_cache(maxsize=1024)
def holds(column: str, declared: str, condition: str, values: tuple[Any, ...]) -> bool:
    """Whether the condition is true for all of the values in a column of this type; not if SQLite can't try it.

    A CHECK that is NULL passes, but it says nothing: SQLite can't read a value of this layout as a time.
    """
    return _tried(column, declared, f"({condition}) is not true", values, False) == 0


@functools.lru_cache(maxsize=1024)
def takes(column: str, declared: str, condition: str, value: Any, strict: bool) -> bool:
    """Whether a column with this type and this CHECK takes the value; not if SQLite can't try it."""
    return _tried(column, declared, f"not ({condition})", (value,), strict) == 0


def _tried(column: str, declared: str, refusal: str, values: tuple[Any, ...], strict: bool) -> int | None:
    """How many of the values are refused."""
    driver = library()
    with closing(driver.connect(":memory:")) as connection:
        try:
            connection.execute(f"create table t ({_quoted(column)} {declared}){' strict' if strict else ''}")
            connection.executemany("insert into t values (?)", [(value,) for value in values])
            refused: int = connection.execute(f"select count(*) from t where {refusal}").fetchone()[0]  # noqa: S608
        except driver.Error:
            return None
    return refused


def random_uuid(expression: str) -> Layout:
    """The layout of the UUIDs that the expression gives; empty if it does not give random ones."""
    found = _values(expression)
    layouts = {_layout(value) for value in found}
    if len(layouts) != 1 or "" in layouts:
        return ""
    digits = [value.hex() if isinstance(value, bytes) else value.replace("-", "") for value in found]
    fixed = {place for place, each in enumerate(zip(*digits, strict=True)) if len(set(each)) == 1}
    return layouts.pop() if fixed <= _FIXED else ""


def _values(expression: str) -> list[Any]:
    driver = library()
    with closing(driver.connect(":memory:")) as connection:
        try:
            return [connection.execute(f"select ({expression})").fetchone()[0] for _ in range(_TRIES)]
        except driver.Error:
            return []


def _layout(value: Any) -> Layout:
    if isinstance(value, bytes):
        return "bytes" if len(value) == 16 else ""
    if not isinstance(value, str):
        return ""
    for layout, pattern in _LAYOUTS.items():
        if re.fullmatch(pattern, value):
            return layout
    return ""


def _is_refused(column: Column, check: Check | None, strict: bool) -> bool:
    clauses = [_quoted(column.name), column.type, f"collate {column.collation}" if column.collation else ""]
    clauses += [f"default ({column.default})", f"check ({check.expression})" if check is not None else ""]
    driver = library()
    with closing(driver.connect(":memory:")) as connection:
        try:
            connection.execute(f"create table t ({' '.join(clauses)}){' strict' if strict else ''}")
            connection.execute("insert into t default values")
        except driver.IntegrityError:
            return True
        except driver.Error:
            return False
    return False


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


_LAYOUTS: dict[Layout, str] = {
    "hex": "[0-9a-f]{32}",
    "HEX": "[0-9A-F]{32}",
    "hyphens": "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "HYPHENS": "[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}",
}
