"""What the author of a query knows about a column of its result, and the check can't derive.

``-- asserts: total int not null because every order has a line``. The type, ``not null``, or both; the reason is
required.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

_ASSERTION = re.compile(
    r"(?P<column>\w+)(?:\s+(?P<type>(?!not\b|because\b)\w+))?(?P<not_null>\s+not\s+null)?\s+because\s+(?P<reason>\S.*)"
)


class Assertion(msgspec.Struct, frozen=True):
    """``type`` is None, or a type of a header, if the type is asserted; ``not_null`` if it is never null."""

    column: str
    type: str | None
    not_null: bool
    reason: str

    @property
    def written(self) -> str:
        """As it is written in the header: ``total int not null because every order has a line``."""
        parts = [self.column, self.type or "", "not null" if self.not_null else "", f"because {self.reason}"]
        return " ".join(part for part in parts if part)


def assertion(value: str, types: Sequence[str]) -> Assertion | str:
    """What follows ``asserts:``; the message if it is not one."""
    found = _ASSERTION.fullmatch(value)
    if found is None or not (found["type"] or found["not_null"]):
        return f"'asserts: {value}' reads '-- asserts: column type not null because …': the type, 'not null', or both"
    if found["type"] is not None and found["type"] not in types:
        return f"'asserts: {value}' has the unknown type {found['type']!r}: use one of {', '.join(types)}"
    return Assertion(found["column"], found["type"], bool(found["not_null"]), found["reason"])
