"""``diglot copy``: one database into another."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from diglot.cli.app import App, note, pass_app
from diglot.cli.confirm import confirm, yes_option
from diglot.cli.progress import progress_bar
from diglot.errors import ConstraintViolation, RowRefused

if TYPE_CHECKING:
    from diglot.ops.copy import Copied

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
leave_out_option: Decorator = click.option(
    "--leave-out", multiple=True, metavar="TABLE", help="A source table that is not copied; can be repeated."
)


@click.command()
@click.argument("source")
@click.argument("target")
@click.option("--replace", is_flag=True, help="Delete the target's rows first, in the same transaction.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Copy nothing; list every row that the target would refuse. Exit 1 if there are any.",
)
@leave_out_option
@yes_option
@pass_app
def copy(
    app: App, source: str, target: str, replace: bool, dry_run: bool, leave_out: tuple[str, ...], yes: bool
) -> int:
    """Copy all rows of one database into another, PostgreSQL or SQLite, and compare the two.

    SOURCE and TARGET are URLs or paths of SQLite files; both belong to the current project. The project's migrations
    are applied to a target without tables. The source may be in use: it is read as it was when the copy began. The
    target is filled in one transaction, which is committed only if every table is the same as in the source.

    \b
    Example:
      diglot copy data/app.db postgresql://app@db.example.org/app --dry-run
      diglot copy data/app.db postgresql://app@db.example.org/app
    """
    from diglot.stores.url import parse_url

    from_settings, to_settings = parse_url(source), parse_url(target)
    if dry_run:
        return _dry_run(app, from_settings, to_settings, leave_out)
    if replace and not yes:
        confirm(
            [f"every row of {_shown(to_settings)}"],
            doing="replacing",
            question="Replace them?",
            undone="nothing was copied",
        )
    from diglot.ops.copy import copy as copy_database

    try:
        with progress_bar(app) as report:
            copied = copy_database(
                app.project, from_settings, to_settings, replace=replace, leave_out=leave_out, report=report
            )
    except (RowRefused, ConstraintViolation):
        note("nothing was copied; --dry-run lists every row that does not fit")
        raise
    _print(app, copied)
    return 0


def _shown(settings: Any) -> str:
    from diglot.stores.settings import SQLiteSettings

    if isinstance(settings, SQLiteSettings):
        return settings.path
    from diglot.stores.postgres.connection import location

    return location(settings)


def _dry_run(app: App, source: Any, target: Any, leave_out: tuple[str, ...]) -> int:
    from diglot.ops.copy import try_copy

    with progress_bar(app) as report:
        found = list(try_copy(app.project, source, target, leave_out=leave_out, report=report))
    rows = [[each.table, each.row, each.reason] for each in found]
    app.out.table(["TABLE", "ROW", "REASON"], rows, {"misfits": found}, wrapped=["ROW", "REASON"])
    if not found:
        note("every row fits")
    return 1 if found else 0


def _print(app: App, copied: Copied) -> None:
    for id in copied.migrated:
        note(f"applied {id} to {copied.target}")
    for name in copied.left_out:
        note(f"left out {name}")
    rows = [[table.name, f"{table.rows:,}", table.hash] for table in copied.tables]
    app.out.table(["TABLE", "ROWS", "CONTENT"], rows, copied)
    note(f"copied {copied.rows:,} rows; every table is the same in {copied.target}")
