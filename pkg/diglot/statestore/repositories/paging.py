"""Keyset pagination: a cursor names the row before the next page, so page 1,000 costs as much as page 1."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from diglot.errors import InvalidValue
from diglot.sql.timestamps import strict_timestamp, timestamp_text
from diglot.statestore.models import Page
from diglot.statestore.repositories.rows import RowSize

DEFAULT_LIMIT = 50
MAX_LIMIT = 1000

T = TypeVar("T")
_cursor = msgspec.json.Decoder(tuple[str, str])


def check_limit(limit: Any, most: int = MAX_LIMIT) -> int:
    """How many items a page may have: 1 to ``most``."""
    if type(limit) is not int or not 1 <= limit <= most:
        raise InvalidValue("limit", f"{limit!r} is not a number from 1 to {most}")
    return limit


def position(after: str | None) -> tuple[datetime | None, str | None]:
    """The values of ``after_created_at`` and ``after_id`` for a cursor. Raises InvalidValue if it is not a cursor."""
    if after is None:
        return None, None
    try:
        text, key = _cursor.decode(base64.b64decode(after.encode("ascii"), altchars=b"-_", validate=True))
        return strict_timestamp(text), key
    except (ValueError, AttributeError, UnicodeError, binascii.Error, msgspec.MsgspecError):
        raise InvalidValue("after", "this is not a cursor: use the 'next' of a page") from None


def cursor(created_at: datetime, key: str) -> str:
    """The cursor after the item with this creation time and id; opaque, safe in a URL."""
    return base64.urlsafe_b64encode(msgspec.json.encode((timestamp_text(created_at), key))).decode()


def fitting(sizes: list[RowSize], limit: int, max_bytes: int) -> tuple[int, bool]:
    """How many rows of a page have at most ``max_bytes`` together, at least one; and whether more follow.

    ``sizes`` are those of at most ``limit + 1`` rows, in the order of the page.
    """
    total = 0
    for number, size in enumerate(sizes[:limit]):
        total += size.bytes
        if total > max_bytes and number:
            return number, True
    return limit, len(sizes) > limit


def part(items: list[T], more: bool, place: Callable[[T], tuple[Any, str]]) -> Page[T]:
    """A page that may end early. ``more``: others follow its last item."""
    return Page(items, cursor(*place(items[-1])) if more and items else None)


def page(items: list[T], limit: int, place: Callable[[T], tuple[Any, str]]) -> Page[T]:
    """A page of items from a query for ``limit + 1``; ``place`` returns an item's creation time and id."""
    if len(items) <= limit:
        return Page(items, None)
    items = items[:limit]
    return Page(items, cursor(*place(items[-1])))
