"""Prints a command's answer on standard output: a table for people, JSON for scripts.

JSON is stable: keys are the models' field names, times are ``2026-01-31T09:05:07.000123Z``, a page is
``{"items": […], "next": cursor or null}``. For people: a table on a terminal, one block per row if the terminal is too
narrow for the table, and plain aligned columns, never truncated, in a file or a pipe.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
import msgspec

from diglot.cli.failure import printable

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 200
LEAST_WRAPPED = 24
LONG, LEAST_FOLDED = 40, 16
"""Values longer than ``LONG``, such as long ids, may fold. Their column stays at least ``LEAST_FOLDED`` wide, and wide
enough for its other values: one long id is no reason to show all rows as blocks or to fold the others."""
GAP = 3
"""Between two columns of a table on a terminal."""


class Output:
    """Prints in one format, ``table`` or ``json``. Values are plain objects or models."""

    def __init__(self, form: str, styles: Mapping[str, str] | None = None) -> None:
        self.is_json = form == "json"
        self._styles = styles or {}
        """From a cell's text to its style in a table on a terminal."""

    def answer(self, data: Any, for_people: Callable[[], None]) -> None:
        """The data as JSON, or whatever ``for_people`` prints."""
        if self.is_json:
            self.json(data)
        else:
            for_people()

    def line(self, text: str, data: Any) -> None:
        """One sentence for people, the data for scripts."""
        self.answer(data, lambda: click.echo(printable(text)))

    def record(self, pairs: Sequence[tuple[str, Any]], data: Any) -> None:
        """One thing: its fields below one another."""
        self.answer(data, lambda: _block(pairs))

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[Any]], data: Any, *, wrapped: Sequence[str] = ()
    ) -> None:
        """Many things of one kind. ``wrapped``: the columns that may wrap on a terminal."""
        texts = [[cell(value) for value in row] for row in rows]
        self.answer(data, lambda: _table(columns, texts, wrapped, self._styles))

    def json(self, data: Any) -> None:
        """Prints data, including models, as JSON."""
        plain = msgspec.to_builtins(data, builtin_types=(datetime,))
        unicode = "utf" in (getattr(sys.stdout, "encoding", None) or "").lower()
        click.echo(json.dumps(plain, indent=2, ensure_ascii=not unicode, default=_timestamp, allow_nan=False))


def console() -> Console:
    """A rich console on standard output that prints text as it is: no markup, no emoji codes, no highlighting."""
    from rich.console import Console

    return Console(markup=False, emoji=False, highlight=False, width=None if _is_terminal() else PIPE_WIDTH)


def cell(value: Any) -> str:
    """A value as text on one line; empty for None."""
    if value is None or value is msgspec.UNSET:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(cell(item) for item in value)
    if isinstance(value, dict):
        return printable(json.dumps(value, ensure_ascii=False, default=str))
    return printable(str(value))


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


def _timestamp(value: datetime) -> str:
    """Always the same width: strftime omits the leading zeros of a year below 1000."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def _block(pairs: Sequence[tuple[str, Any]]) -> None:
    width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        click.echo(f"{name:<{width}}  {cell(value)}".rstrip())


def _table(columns: Sequence[str], rows: list[list[str]], wrapped: Sequence[str], styles: Mapping[str, str]) -> None:
    if not rows:
        return
    widths = [max(map(_width, column)) for column in zip(columns, *rows, strict=True)]
    if not _is_terminal():
        for row in (columns, *rows):
            padded = (text + " " * (width - _width(text)) for text, width in zip(row, widths, strict=True))
            click.echo("  ".join(padded).rstrip())
        return
    screen = console()
    least = [
        min(width, LEAST_WRAPPED) if name in wrapped else _least(column)
        for name, width, column in zip(columns, widths, zip(columns, *rows, strict=True), strict=True)
    ]
    room = screen.width - sum(least) - GAP * (len(least) - 1)
    if room < 0:
        for row in rows:
            _block([(name, text) for name, text in zip(columns, row, strict=True) if text])
            click.echo()
        return
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for name, width in zip(columns, _shared(room, least, widths), strict=True):
        table.add_column(name, overflow="fold", width=width)
    for row in rows:
        table.add_row(*(Text(text, style=styles.get(text, "")) for text in row))
    screen.print(table)


def _shared(room: int, least: Sequence[int], wanted: Sequence[int]) -> list[int]:
    """The widths of all columns: at least the minimum; columns that want more share the remaining room."""
    widths = list(least)
    wanting = sorted(range(len(widths)), key=lambda place: wanted[place] - widths[place])
    for served, place in enumerate(wanting):
        more = min(wanted[place] - widths[place], room // (len(wanting) - served))
        widths[place] += more
        room -= more
    return widths


def _least(column: Sequence[str]) -> int:
    """The minimum width of a column: long values may fold, all others stay on one line."""
    widths = [_width(text) for text in column]
    whole = max((width for width in widths if width <= LONG), default=0)
    return whole if max(widths) <= LONG else max(whole, LEAST_FOLDED)


def _width(text: str) -> int:
    """How many columns of the terminal a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
