"""Statements of a migration that lose data, or lock a table that is in use for longer the larger it is.

The rules are in dangers.py. A ``-- safe: reason`` line accepts a statement; an unneeded reason is a finding too. A
line above an empty line at the top of the file applies to the whole file.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

import msgspec

from diglot.check.dangers import dangers
from diglot.sql.scanner import Kind, Lines, tokens
from diglot.sql.session import Dialect
from diglot.sql.statements import SqlStatement


class Unsafe(msgspec.Struct, frozen=True):
    """A place in the file, and what is wrong there."""

    line: int
    column: int
    message: str


class _Reason(msgspec.Struct):
    line: int
    column: int
    text: str
    needed: bool = False


_SAFE = re.compile(r"--\s*safe\s*:\s*(.*?)\s*$", re.IGNORECASE)
_SAY_SO = "say why that is right with a line '-- safe: …' above it"


def unsafe(text: str, statements: list[SqlStatement], dialect: Dialect) -> Iterator[Unsafe]:
    """The unsafe statements without a reason and the unneeded reasons of one file."""
    reasons = _reasons(text, dialect)
    lines = text.split("\n")
    whole_file = _for_whole_file(lines, statements, reasons)
    of_statement = _by_statement(statements, [reason for reason in reasons if reason is not whole_file])
    for number, message in dangers(statements, dialect):
        reason = of_statement.get(number) or whole_file
        if reason is None or not reason.text:
            line = lines[statements[number].line - 1]
            column = len(line) - len(line.lstrip()) + 1
            yield Unsafe(statements[number].line, column, f"it {message}: {_SAY_SO}")
        if reason is not None:
            reason.needed = True
    for reason in reasons:
        if not reason.text:
            yield Unsafe(reason.line, reason.column, "'safe:' has no reason")
        elif not reason.needed:
            message = f"'safe: {reason.text}' is not needed: nothing here loses data or locks a table; remove it"
            yield Unsafe(reason.line, reason.column, message)


# --- reasons -----------------------------------------------------------------------------------------------


def _reasons(text: str, dialect: Dialect) -> list[_Reason]:
    found = []
    lines = Lines(text)
    for token in tokens(text, dialect=dialect):
        match = _SAFE.match(token.text) if token.kind is Kind.LINE_COMMENT else None
        if match:
            line, column = lines.position(token.start)
            found.append(_Reason(line, column, match[1]))
    return found


def _for_whole_file(lines: list[str], statements: list[SqlStatement], reasons: list[_Reason]) -> _Reason | None:
    """The reason above the first statement with an empty line between them."""
    if not statements or not reasons or reasons[0].line >= statements[0].line:
        return None
    between = lines[reasons[0].line : statements[0].line - 1]
    return reasons[0] if any(not line.strip() for line in between) else None


def _by_statement(statements: list[SqlStatement], reasons: list[_Reason]) -> dict[int, _Reason]:
    """A reason belongs to the statement whose lines include it, else to the next one."""
    found: dict[int, _Reason] = {}
    ends = [statement.first_line + statement.text.count("\n") for statement in statements]
    for reason in reasons:
        number = bisect_left(ends, reason.line)
        if number < len(ends):
            found[number] = reason
    return found
