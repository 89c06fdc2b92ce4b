"""Asks before data is lost; a script passes ``--yes``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from diglot.cli.app import note

Command = TypeVar("Command", bound=Callable[..., Any])


def yes_option(command: Command) -> Command:
    """``--yes``: do not ask."""
    option: Callable[[Command], Command] = click.option("--yes", is_flag=True, help="Do not ask.")
    return option(command)


def confirm(losses: Sequence[str], *, doing: str, question: str, undone: str) -> None:
    """Lists what will be lost and asks. Raises ClickException if the answer is no, or if there is nobody to ask.

    ``doing`` begins the error ("rolling back would lose data"); ``undone`` is the error if the answer is no.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.ClickException(f"{doing} would lose data ({'; '.join(losses)}): confirm with --yes")
    for loss in losses:
        note(f"this will be lost: {loss}")
    if not click.confirm(question, err=True):
        raise click.ClickException(undone)
