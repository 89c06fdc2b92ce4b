"""Foreign keys without an index: a delete of a row reads the whole table that refers to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from diglot.check.plans.plan import Problem


class Reference(NamedTuple):
    """A foreign key; ``indexed``: an index finds the rows of ``child`` by it."""

    name: str
    child: str
    parent: str
    columns: str
    cascades: bool
    indexed: bool


def unindexed(references: list[Reference], deleted: set[str]) -> Iterator[Problem]:
    """The foreign keys without an index that a delete from these tables looks through, cascades counted."""
    tables, seen = sorted(deleted), set(deleted)
    for parent in tables:
        for reference in references:
            if reference.parent != parent:
                continue
            if not reference.indexed:
                yield Problem("foreign key", reference.child, f"{reference.name} ({reference.columns})")
            if reference.cascades and reference.child not in seen:
                seen.add(reference.child)
                tables.append(reference.child)
