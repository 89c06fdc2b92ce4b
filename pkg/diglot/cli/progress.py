"""A progress bar with rate and remaining time on standard error, only if that is a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from diglot.cli.app import App

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from diglot.ops.progress import Report, Step

_PAUSE = 0.1
"""Seconds between two redraws."""


@contextmanager
def progress_bar(app: App) -> Iterator[Report]:
    """The function that an operation reports to. It is silent with ``--format json`` and without a terminal."""
    from diglot.ops.progress import silent

    if app.format == "json" or not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(),
        console=Console(stderr=True, markup=False, emoji=False, highlight=False),
        transient=True,
        auto_refresh=False,
    )
    with bar:
        yield _drawing(bar)


def _drawing(progress: Progress) -> Report:
    phase, began, drawn = "", 0.0, 0.0
    task: TaskID | None = None

    def report(step: Step) -> None:
        nonlocal phase, task, began, drawn
        now = time.monotonic()
        if step.phase != phase:
            if task is not None:
                progress.remove_task(task)
            phase, began, drawn = step.phase, now, 0.0
            task = progress.add_task(step.phase, total=step.total, rate="")
        if task is None or now - drawn < _PAUSE:
            return
        drawn = now
        progress.update(task, completed=step.done, total=step.total, rate=_rate(step, now - began), refresh=True)

    return report


def _rate(step: Step, seconds: float) -> str:
    if seconds < 0.5 or not step.done:
        return ""
    if step.unit == "bytes":
        return f"{step.done / seconds / 1e6:,.0f} MB/s"
    return f"{step.done / seconds:,.0f} rows/s"
