"""How deep a statement may be nested, and what a library's error about one statement becomes.

The engines take hundreds of nested calls. sqlglot needs about 50 of Python's calls for each, so Python's own limit
of 1,000 allows 20. An error of a library about one statement is a finding about that statement, and the check goes on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlglot.errors import SqlglotError

T = TypeVar("T")
CALLS = 50_000
FAULTS = (
    SqlglotError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What a parser raises for a text that it can't read, or has not foreseen."""


@contextmanager
def deep_nesting() -> Iterator[None]:
    """With room for statements as deep as the engines take."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, CALLS))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def readable(derived: Callable[[], T | None]) -> T | None:
    """What was derived of a statement, or None for one that a library can't read, which ``prepare`` reports."""
    try:
        return derived()
    except FAULTS:
        return None


def explained(error: Exception) -> str:
    """The fault in one line."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply to be read"
    message = " ".join(str(error).split())
    return f"an unexpected {type(error).__name__} while it was read{': ' if message else ''}{message}"
