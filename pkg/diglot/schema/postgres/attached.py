"""What is attached to PostgreSQL's tables and views: triggers, policies, privileges."""

from __future__ import annotations

import re
from collections import defaultdict

from diglot.schema.model import Event, Grant, Policy, Timing, Trigger
from diglot.schema.statements import statement
from diglot.sql.session import Reads, Row


class Attached:
    """By the oid of the table or view."""

    def __init__(self, session: Reads, schema: int) -> None:
        self._triggers, self._policies, self._grants = (
            by_first(session.rows(statement("postgres", name), (schema,)))
            for name in ("triggers", "policies", "grants")
        )

    def triggers(self, oid: int) -> tuple[Trigger, ...]:
        return tuple(map(_trigger, self._triggers[oid]))

    def policies(self, oid: int) -> tuple[Policy, ...]:
        return tuple(
            Policy(
                name=name,
                command=_COMMANDS[command],
                permissive=permissive,
                roles=tuple(sorted(roles)),
                using=using,
                check=check,
            )
            for name, command, permissive, roles, using, check in self._policies[oid]
        )

    def grants(self, oid: int) -> tuple[Grant, ...]:
        return tuple(
            Grant(role=role, privilege=privilege, column=column, grantable=grantable)
            for column, role, privilege, grantable in self._grants[oid]
        )


def by_first(rows: list[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = defaultdict(list)
    for first, *rest in rows:
        found[first].append(tuple(rest))
    return found


def _trigger(row: Row) -> Trigger:
    name, bits, columns, definition, enabled, source = row
    timing: Timing = "instead of" if bits & 64 else "before" if bits & 2 else "after"
    when = re.search(r" WHEN \((.*)\) EXECUTE (?:FUNCTION|PROCEDURE) ", definition, re.DOTALL)
    called = re.search(r" EXECUTE (?:FUNCTION|PROCEDURE) (.*)$", definition, re.DOTALL)
    return Trigger(
        name=name,
        timing=timing,
        events=tuple(event for bit, event in _EVENTS if bits & bit),
        columns=tuple(columns),
        for_each="row" if bits & 1 else "statement",
        when=when[1] if when else "",
        body=f"{called[1] if called else ''}: {source.strip()}",
        changes_row=_ASSIGNS.search(source) is not None,
        enabled=enabled,
    )


_EVENTS: tuple[tuple[int, Event], ...] = ((4, "insert"), (16, "update"), (8, "delete"), (32, "truncate"))
_ASSIGNS = re.compile(
    r"(?:^|;|\b(?:begin|then|else|loop))\s*new\s*(?:\.\s*(?:\w+|\"[^\"]+\")\s*)?:?=|\binto\s+(?:strict\s+)?new\b",
    re.IGNORECASE,
)
"""An assignment in PL/pgSQL; where a statement begins, ``=`` is one too."""
_COMMANDS = {"*": "all", "r": "select", "a": "insert", "w": "update", "d": "delete"}
