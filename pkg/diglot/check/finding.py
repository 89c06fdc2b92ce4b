"""What a check found: one line for people, at its place in a file."""

from __future__ import annotations

import msgspec


class Finding(msgspec.Struct, frozen=True, order=True):
    """One thing to fix. ``path`` is relative to the working directory if it is inside it; ``line`` and ``column`` count
    from 1. ``name`` is the subject (``tasks.get_task``, a migration's id, a table), ``message`` one line that says
    what is wrong and what to do."""

    check: str
    path: str
    line: int
    column: int
    name: str
    message: str

    @property
    def place(self) -> str:
        """``queries/sqlite/tasks.sql:12:5``, as compilers and editors write it."""
        return f"{self.path}:{self.line}:{self.column}"


class Outcome(msgspec.Struct, frozen=True):
    """What a check found, and what it could not prove: ``unknowns`` say what is unknown, and why.

    ``note``: what else the reader of the report has to know; it does not count.
    """

    findings: list[Finding]
    unknowns: list[Finding] = []
    note: str = ""
