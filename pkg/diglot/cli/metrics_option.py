"""``--metrics-file``: a command that a timer starts reports to Prometheus how it ended.

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
    """How a run ends. Set ``ok`` to False if the command found something wrong but raised no error."""

    def __init__(self) -> None:
        self.ok = True
        self.figures: dict[str, float] = {}


def metrics_option(command: Command) -> Command:
    """``--metrics-file FILE.prom``. A path that can't be written is an error before the work begins."""
    option: Callable[[Command], Command] = click.option(
        "--metrics-file",
        type=click.Path(path_type=Path),
        metavar="FILE.prom",
        callback=_checked,
        help="Write the outcome to this file, for the textfile collector of Prometheus's node exporter.",
    )
    return option(command)


def _checked(_context: click.Context, _parameter: click.Parameter, path: Path | None) -> Path | None:
    if path is None:
        return None
    if path.suffix != ".prom" or path.name == ".prom":
        raise click.BadParameter(f"{path} does not end in .prom: the collector reads only such files")
    if not path.parent.is_dir():
        raise click.BadParameter(f"there is no folder {path.parent}: create it first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise click.BadParameter(f"this user may not write to the folder {path.parent}")
    return path


@contextmanager
def publishing(path: Path | None, operation: Operation) -> Iterator[Outcome]:
    """The block is the run; if an error or a signal ends it, the run has failed.

    If the metrics can't be written, it only warns: the work is done, and the alerts notice stale metrics.
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
