"""``diglot workflow replay``: plays a recorded execution into the database, as the engine that ran it would."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from diglot.statestore.cli.app import StoreApp, note, pass_app

if TYPE_CHECKING:
    from diglot.cli.output import Output
    from diglot.statestore.database import Database
    from diglot.statestore.trace.plan import Plan
    from diglot.statestore.trace.replay import Result, Run

MOST_AT_ONCE = 256
SQLITE_AT_ONCE = 10


def _finite(_ctx: click.Context, parameter: click.Parameter, value: float) -> float:
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a finite number", param=parameter)
    return value


@click.command()
@click.argument("trace", metavar="TRACE.json", required=False)
@click.option(
    "--concurrency",
    type=click.IntRange(1, MOST_AT_ONCE),
    default=1,
    show_default=True,
    metavar="N",
    help="How many executions to play at once, each in its own thread.",
)
@click.option(
    "--repeat",
    type=click.IntRange(1, 1_000_000),
    default=1,
    show_default=True,
    metavar="N",
    help="How many executions each thread plays, one after the other: CONCURRENCY x REPEAT in total.",
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0),
    callback=_finite,
    default=0,
    metavar="X",
    help="Play in real time divided by X: 1 is real time, 60 a minute per second. 0, the default: as fast as possible.",
)
@pass_app
def replay(app: StoreApp, trace: str | None, concurrency: int, repeat: int, speed: float) -> None:
    """Play a recorded execution, a WfFormat 1.5 trace, into the database, as the engine that ran it would.

    Tasks of one kind get a common parent task; each goes from PENDING to RUNNING to SUCCESS in an order that its
    parents allow. The trace is checked before anything is written. '-' reads it from standard input; without a file,
    it plays the trace that comes with Diglot, its own test run. With --speed a task takes its recorded runtime, and
    starts when its parents have finished (or at its recorded time). Ctrl-C ends it cleanly: what is unfinished is
    CANCELED.

    \b
    Example:
      diglot workflow replay montage.json --concurrency 4 --repeat 10
    """
    from diglot.statestore.trace.plan import plan
    from diglot.statestore.trace.wfformat import bundled_trace, read_trace

    planned = plan(bundled_trace() if trace is None else read_trace(trace))
    with app.open(memory=True) as db:  # it measures, and an in-memory database is worth measuring
        result = play(db, planned, concurrency=concurrency, repeat=repeat, speed=speed or None)
    options = {"concurrency": concurrency, "repeat": repeat, "speed": speed}
    try:
        app.out.answer(as_data(planned, result) | options, lambda: _print(app.out, planned, result, concurrency))
    finally:
        end(result)


def play(db: Database, plan: Plan, *, concurrency: int = 1, repeat: int = 1, speed: float | None = None) -> Result:
    """Replay with a progress bar on standard error, if that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from diglot.statestore.ids import new_id
    from diglot.statestore.trace import replay as core

    if concurrency > SQLITE_AT_ONCE and db.store.dialect == "sqlite":
        note(
            f"diglot: warning: {concurrency} workflows at once on SQLite wait for each other's writes: "
            f"PostgreSQL is recommended for more than {SQLITE_AT_ONCE}"
        )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    terminal = sys.stderr is not None and sys.stderr.isatty()
    screen = Console(stderr=True, markup=False, emoji=False, highlight=False)
    progress = Progress(*columns, console=screen, transient=True, auto_refresh=False, disable=not terminal)
    bar = progress.add_task("recording", total=len(plan.steps) * concurrency * repeat)

    def watch(steps: int) -> None:
        with suppress(OSError):  # a terminal that is gone is no reason to end a recording
            progress.update(bar, completed=steps, refresh=True)

    try:
        with suppress(OSError):
            progress.start()
        return core.replay(db, plan, new_id=new_id, concurrency=concurrency, repeat=repeat, speed=speed, watch=watch)
    finally:
        with suppress(OSError):
            progress.stop()


def as_data(plan: Plan, result: Result) -> dict[str, Any]:
    """The stable JSON of a replay; latencies are in milliseconds, other times in seconds."""
    return {
        "trace": plan.trace.name,
        "tasks": len(plan.trace.tasks),
        "groups": len(plan.groups),
        "seconds": round(result.seconds, 3),
        "interrupted": result.interrupt is not None,
        "runs": [
            {"workflow_exec_id": run.workflow_exec_id, "status": run.status, "seconds": round(run.seconds, 3)}
            for run in result.runs
        ],
        "latencies_ms": {
            "read": result.latencies.read,
            "write": result.latencies.write,
            "operations": result.latencies.operations,
        },
    }


def end(result: Result) -> None:
    """Print how unfinished executions were left, and raise what ended them, even if nothing can be printed because the
    terminal is gone."""
    try:
        _tell([run for run in result.runs if run.status != "SUCCESS"])
    finally:
        if result.interrupt is not None:
            raise result.interrupt
    if result.error is not None:
        raise result.error


def _tell(cut_short: Sequence[Run]) -> None:
    for run in cut_short:
        if run.error is not None:
            note(f"execution {run.workflow_exec_id} may be left {run.status or 'RUNNING'}: {run.error}")
        else:
            note(f"execution {run.workflow_exec_id} is {run.status or 'not there: nothing of it was written'}")
    if cut_short and all(run.error is None for run in cut_short):
        note("what was unfinished is CANCELED; the database is consistent")


def _print(out: Output, plan: Plan, result: Result, concurrency: int) -> None:
    from diglot.statestore.cli.measures import print_latencies
    from diglot.statestore.durations import duration_text

    runs = len(result.runs)
    how_often = "once" if runs == 1 else f"{runs:,} times"
    at_once = f", {concurrency} at once" if concurrency > 1 else ""
    click.echo(
        f"{plan.trace.name}: {len(plan.trace.tasks):,} tasks in {len(plan.groups):,} groups, "
        f"played {how_often}{at_once} in {duration_text(result.seconds)}\n"
    )
    out.table(
        ["EXECUTION", "STATUS", "TIME"],
        [[run.workflow_exec_id, run.status or "-", duration_text(run.seconds)] for run in result.runs],
        None,
    )
    click.echo()
    print_latencies(out, result.latencies, operations=True)
