"""The form in which the kit keeps a timestamp in SQLite, as the checks see it."""

from __future__ import annotations

import re

from diglot.sql.timestamps import strict_timestamp

FORM = "2026-01-31T09:05:07.000123Z"
NOW = "(strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')"
"""The time now, as SQLite's own functions can write it in this form."""
PATTERN = f"{'[0-9]' * 4}-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].{'[0-9]' * 6}Z"
"""For GLOB."""
SAMPLES = (
    "0001-01-01T00:00:00.000000Z",
    "1970-01-02T03:04:05.000000Z",
    FORM,
    "2026-06-30T12:34:56.789000Z",
    "9999-12-31T12:34:56.123456Z",
)
_BEGINNING = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)?")


def is_timestamp(value: object) -> bool:
    """Whether it is a text in this form."""
    try:
        return isinstance(value, str) and bool(strict_timestamp(value))
    except ValueError:
        return False


def is_comparable(value: object) -> bool:
    """Whether it sorts among timestamps where it should: it is one, or the beginning of one, as a date is."""
    return is_timestamp(value) or (isinstance(value, str) and _BEGINNING.fullmatch(value) is not None)


def needed_by(query: str) -> str:
    """The end of a message about a value of another form."""
    return f"but {query} needs timestamps of the form {FORM}: write {NOW} for the time now"
