"""What every list has in common: ``--limit``, ``--after``, and how a page is printed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from diglot.cli.app import note
from diglot.cli.output import Output
from diglot.statestore.models import Page

Command = TypeVar("Command", bound=Callable[..., Any])


def page_options(command: Command) -> Command:
    """The options of a list: the page size, and where to continue."""
    limit = click.option(
        "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="The maximum number to show."
    )
    after = click.option("--after", metavar="CURSOR", help="Continue after the page with this cursor at its end.")
    return limit(after(command))


def print_page(out: Output, columns: Sequence[str], rows: Sequence[Sequence[Any]], page: Page[Any], none: str) -> None:
    """Prints a page as a table, or as ``{"items": […], "next": …}``; ``none`` is the remark for an empty page."""
    out.table(columns, rows, page)
    if out.is_json:
        return
    if not page.items:
        note(none)
    if page.next is not None:
        note(f"there are more: --after {page.next}")
