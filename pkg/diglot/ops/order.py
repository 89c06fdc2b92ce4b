"""The order in which tables are filled."""

from __future__ import annotations

from collections.abc import Sequence

from diglot.schema.model import Table


def parents_first(tables: Sequence[Table]) -> list[Table]:
    """Each table after those that its foreign keys refer to; in a cycle, sorted by name."""
    by_name = {table.name.lower(): table for table in sorted(tables, key=lambda table: table.name)}
    found: dict[str, Table] = {}
    visited: set[str] = set()

    def visit(name: str) -> None:
        if name in visited or name not in by_name:
            return
        visited.add(name)
        for key in by_name[name].foreign_keys:
            visit(key.table.lower())
        found[name] = by_name[name]

    for name in by_name:
        visit(name)
    return list(found.values())
