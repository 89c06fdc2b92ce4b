"""``diglot export`` and ``diglot import``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from diglot.cli.app import App, note, pass_app
from diglot.cli.progress import progress_bar
from diglot.errors import ConfigurationError
from diglot.text_file import shown

if TYPE_CHECKING:
    from diglot.ops.export import Root


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--table", "tables", multiple=True, metavar="TABLE", help="Only this table; can be repeated.")
@click.option("--workflow", metavar="ID", help="Only this workflow execution, with what belongs to it.")
@pass_app
def export(app: App, file: Path, tables: tuple[str, ...], workflow: str | None) -> None:
    """Write the rows of the database, from one snapshot, to a new file with one JSON document per line.

    FILE is compressed if its name ends in .gz or .zst; '-' is standard output. docs/export-format.md describes the
    lines.

    \b
    Example:
      diglot export app.jsonl.gz
      diglot export failed.jsonl --workflow 01987b2c-4c1e-7d0a-9f3e-5a6b7c8d9e0f
    """
    from diglot.database import utc_now
    from diglot.ops.export import export as export_rows

    app.refuse_memory()
    root = _root(app, "workflow", workflow)
    with progress_bar(app) as report:
        done = export_rows(app.configuration.database, file, utc_now(), tables=tables, root=root, report=report)
    summary = f"exported {done.rows:,} rows of {len(done.tables)} tables"
    if str(file) == "-":
        note(summary)
    else:
        app.out.line(f"{shown(file)}: {summary}", {"file": str(file), "tables": done.tables})


def _root(app: App, name: str, key: str | None) -> Root | None:
    if key is None:
        return None
    if name not in app.project.roots:
        raise ConfigurationError(f"--{name} is for the state store: this project has no such table")
    return (*app.project.roots[name], key)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--skip-bad",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the rows that the database refuses to this new file, each with its line number and the reason.",
)
@pass_app
def import_(app: App, file: Path, skip_bad: Path | None) -> int:
    """Store the rows of an export. Existing rows are updated, so an import can be repeated.

    An import is one transaction: after an error or an interruption, nothing is stored. The database may use the other
    engine; the project's migrations are applied to it first. The exit code is 1 if rows were set aside.

    A row that refers to a missing row is found when all rows are stored; --skip-bad then reads FILE again.

    \b
    Example:
      diglot import app.jsonl.gz
    """
    from diglot.ops.import_file import import_file

    app.refuse_memory()
    with progress_bar(app) as report:
        done = import_file(app.project, file, app.configuration.database, skip_bad=skip_bad, report=report)
    app.out.line(f"imported {done.rows:,} rows: {done.changed:,} changed, {done.skipped:,} set aside", done)
    return 1 if done.skipped else 0
