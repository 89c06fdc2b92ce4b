"""A difference, as it is reported."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

DifferenceKind = Literal[
    "table",
    "column",
    "type",
    "nullable",
    "default",
    "identity",
    "primary-key",
    "foreign-key",
    "unique",
    "check",
    "index",
    "generated",
    "trigger",
    "view",
    "policy",
    "grant",
    "comment",
]
KINDS: tuple[DifferenceKind, ...] = get_args(DifferenceKind)


class Difference(msgspec.Struct, frozen=True):
    """One difference. ``left`` and ``right`` describe the two sides; None if one side has nothing."""

    kind: DifferenceKind
    table: str
    name: str
    left: str | None
    right: str | None
    message: str


def differs(kind: DifferenceKind, table: str, name: str, left: str | None, right: str | None) -> Difference:
    """One line that describes both sides, or the only one that has something."""
    if left is not None and left == right:
        message = f"{left} on both sides, but it is not the same on both"
    elif left is not None and right is not None:
        message = f"{left} on the left, {right} on the right"
    else:
        message = f"only on the left: {left}" if right is None else f"only on the right: {right}"
    return Difference(kind, table, name, left, right, message)


def in_order(differences: list[Difference]) -> list[Difference]:
    """By table, then by kind, then by name."""
    return sorted(differences, key=lambda each: (each.table, KINDS.index(each.kind), each.name, each.message))
