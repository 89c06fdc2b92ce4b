"""``--metrics-file``: a command that a timer starts tells Prometheus how it ended.

@metrics_option
def command(…, metrics_file: Path | None) -> None:
    with publishing(metrics_file, "backup") as outcome:
        outcome.figures["rows"] = work()
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from diglot.cli.app import note
from diglot.cli.failure import one_line

if TYPE_CHECKING:
    from diglot.ops.textfile import Operation

Command = TypeVar("Command", bound=Callable[..., Any])


class Outcome:
    """How a run ends. ``ok``: set it to False where the command found something without an error."""

    def __init__(self) -> None:
        self.ok = True
        self.figures: dict[str, float] = {}


def metrics_option(command: Command) -> Command:
    """``--metrics-file FILE.prom``. A file that can't be written there is an error before the work begins."""
    option: Callable[[Command], Command] = click.option(
        "--metrics-file",
        type=click.Path(path_type=Path),
        metavar="FILE.prom",
        callback=_checked,
        help="Write how it ended to this file, for the textfile collector of Prometheus's node exporter.",
    )
    return option(command)


def _checked(_context: click.Context, _parameter: click.Parameter, path: Path | None) -> Path | None:
    if path is None:
        return None
    if path.suffix != ".prom" or path.name == ".prom":
        raise click.BadParameter(f"{path} does not end in .prom: the collector reads no other file")
    if not path.parent.is_dir():
        raise click.BadParameter(f"there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise click.BadParameter(f"this user may not write to the folder {path.parent}")
    return path


@contextmanager
def publishing(path: Path | None, operation: Operation) -> Iterator[Outcome]:
    """The block is the run; an error or a signal that leaves it is a run that failed.

    Metrics that can't be written are a warning: the work is done all the same, and the alerts notice what is old.
    """
    from diglot.database import utc_now

    outcome = Outcome()
    started = utc_now()
    try:
        yield outcome
    except BaseException:
        outcome.ok = False
        raise
    finally:
        if path is not None:
            from diglot.ops.textfile import publish

            try:
                publish(path, operation, started=started, ended=utc_now(), ok=outcome.ok, figures=outcome.figures)
            except OSError as error:
                note(f"diglot: warning: no metrics were written: {one_line(error)}")
