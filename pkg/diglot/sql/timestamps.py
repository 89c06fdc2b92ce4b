"""Timestamps as both databases keep them: UTC, microseconds, years 1 to 9999.

PostgreSQL has timestamptz; SQLite has text of fixed width (27 characters, ``2026-01-31T09:05:07.000123Z``), so that
the order of the text is the order of time. A text with a variable fraction would sort wrongly.
"""

from __future__ import annotations

from datetime import UTC, datetime

from diglot.errors import InvalidValue

WIDTH = 27


def utc(value: datetime, path: str) -> datetime:
    """The same instant in UTC. InvalidValue for a naive datetime, or one that leaves the years 1 to 9999."""
    if value.tzinfo is UTC:
        return value
    if value.tzinfo is None or value.utcoffset() is None:
        raise InvalidValue(path, "a datetime without a time zone: use datetime.now(UTC) or .replace(tzinfo=UTC)")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise InvalidValue(path, f"{value.isoformat()} is outside the years 1 to 9999 in UTC") from None


def timestamp_text(value: datetime) -> str:
    """The text of a datetime in UTC, 27 characters."""
    return value.isoformat(timespec="microseconds")[:26] + "Z"


def timestamp_from_text(text: str) -> datetime:
    """The datetime of such a text, aware, in UTC. ValueError if it is not a timestamp.

    This is the fast way, for columns whose CHECK allows no other form; ``strict_timestamp`` is for text from outside.
    """
    if len(text) != WIDTH or text[26] != "Z":
        raise ValueError(f"{text!r} is not a timestamp of the form 2026-01-31T09:05:07.000123Z")
    return datetime.fromisoformat(text)


def strict_timestamp(text: str) -> datetime:
    """As ``timestamp_from_text``; refuses ISO 8601's other forms of that width (weeks, a comma, a space, 24:00) too."""
    value = timestamp_from_text(text)
    if timestamp_text(value) != text:
        raise ValueError(f"{text!r} is not a timestamp of the form 2026-01-31T09:05:07.000123Z")
    return value
