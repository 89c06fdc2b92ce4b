"""``diglot prune``: deletes old executions."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from diglot.cli.confirm import confirm, yes_option
from diglot.cli.metrics_option import metrics_option, publishing
from diglot.cli.progress import progress_bar
from diglot.statestore.cli.app import StoreApp, note, pass_app

if TYPE_CHECKING:
    from diglot.statestore.models import Status

LONGEST = timedelta(days=36_500)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Age(click.ParamType[timedelta]):
    """``30d``, ``12h``, ``45m``."""

    name = "age"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"(\d{1,6})([smhdw])", str(value))
        if found is None:
            self.fail(f"{value!r} is not an age: use a number with s, m, h, d or w, such as 30d", param, ctx)
        age = timedelta(**{_UNITS[found[2]]: int(found[1])})
        if age > LONGEST:
            self.fail(f"{value!r} is too long: use at most {LONGEST.days}d", param, ctx)
        return age


@click.command()
@click.option("--older-than", type=Age(), required=True, metavar="AGE", help="Only executions unchanged for this long.")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(["SUCCESS", "FAILED", "TIMED_OUT", "CANCELED"], case_sensitive=False),
    help="Only executions with this status; can be repeated. By default all that have ended.",
)
@click.option(
    "--keep-last", type=click.IntRange(min=0), metavar="N", help="Keep the newest N executions of each workflow."
)
@click.option("--dry-run", is_flag=True, help="Only count what would be deleted.")
@yes_option
@metrics_option
@pass_app
def prune(
    app: StoreApp,
    older_than: timedelta,
    statuses: tuple[Status, ...],
    keep_last: int | None,
    dry_run: bool,
    yes: bool,
    metrics_file: Path | None,
) -> None:
    """Delete executions that ended long ago, with their tasks, in small steps that hardly delay others.

    It can be interrupted: what is deleted stays deleted, and the next run continues. A SQLite file shrinks afterwards.

    \b
    Example:
      diglot prune --older-than 30d --keep-last 10 --dry-run
    """
    from diglot.database import utc_now
    from diglot.ops.progress import Step
    from diglot.statestore.repositories.pruning import ENDED

    before = utc_now() - older_than
    chosen = statuses or ENDED
    with publishing(None if dry_run else metrics_file, "prune") as outcome, app.open() as db:
        planned = db.workflows.prune(before, statuses=chosen, keep_last=keep_last, dry_run=True)
        if dry_run:
            app.out.line(
                f"would delete {planned.workflows:,} executions",
                {"deleted": 0, "would_delete": planned.workflows, "dry_run": True},
            )
            return
        if planned.workflows and not yes:
            confirm(
                [f"{planned.workflows:,} executions that did not change since {before:%Y-%m-%d %H:%M} UTC"],
                doing="pruning",
                question="Delete them?",
                undone="nothing was deleted",
            )
        gone = 0
        with progress_bar(app) as report:

            def progress(done: int) -> None:
                nonlocal gone
                gone = done
                report(Step("deleting executions", done, planned.workflows))

            try:
                done = db.workflows.prune(before, statuses=chosen, keep_last=keep_last, progress=progress)
            except KeyboardInterrupt:
                note(
                    f"interrupted: {gone:,} of {planned.workflows:,} executions were deleted; run it again to continue"
                )
                raise
            report(Step("shrinking the file", 0, None))
            freed = db.store.shrink()
        outcome.figures["deleted"] = done.workflows
        if freed is not None:
            outcome.figures["freed_bytes"] = freed
    app.out.line(
        f"deleted {done.workflows:,} executions{_freed(freed, done.workflows)}",
        {"deleted": done.workflows, "would_delete": None, "dry_run": False, "freed_bytes": freed},
    )


def _freed(freed: int | None, deleted: int) -> str:
    if freed is None:
        return "; autovacuum makes their space free for new rows" if deleted else ""
    if freed:
        return f"; the file is {freed / 1e6:,.1f} MB smaller"
    return "; the file keeps its size: 'diglot optimize --vacuum' shrinks it" if deleted else ""
