"""``diglot catalogue``: one page of all queries and tables, for those who review them."""

from __future__ import annotations

import os
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import click

from diglot.cli.app import App, pass_app
from diglot.errors import ConfigurationError

_folder = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command()
@click.argument("out", metavar="OUT.html", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--queries", type=_folder, help="Another project's query files: a folder with postgres/ and sqlite/.")
@click.option("--migrations", type=_folder, help="Its migrations: a folder with postgres/ and sqlite/.")
@click.option(
    "--postgres-url",
    metavar="URL",
    help="A PostgreSQL on which a scratch database can be made; by default an embedded one.",
)
@click.option(
    "--allow",
    "allowed",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The drift that is accepted. By default drift.toml of the current folder, if it is there.",
)
@pass_app
def catalogue(
    app: App, out: Path, queries: Path | None, migrations: Path | None, postgres_url: str | None, allowed: Path | None
) -> None:
    """Write one page for a DBA: every query in both dialects side by side, its plans and indexes, every table.

    The page needs no network and no server: open it, search it, print it, send it. Without options it shows Diglot's
    own queries.

    \b
    Example:
      diglot catalogue catalogue.html
    """
    if not out.absolute().parent.is_dir():
        raise ConfigurationError(f"can't write {out}: there is no folder {out.parent}; make it first")
    if (queries is None) is not (migrations is None):
        raise click.UsageError("--queries and --migrations go together: the plans need both")
    try:
        from diglot.catalogue.collect import collect
        from diglot.catalogue.page import page
        from diglot.check.project import Project
        from diglot.check.scratch import scratch_postgres, scratch_sqlite
        from diglot.drift import load_allowed
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"the catalogue needs {error.name}: pip install 'diglot[check]'") from error
    with ExitStack() as stack:
        if queries is None or migrations is None:
            packaged = (resources.files("diglot.queries"), resources.files("diglot.migrations"))
            queries, migrations = (stack.enter_context(resources.as_file(tree)) for tree in packaged)
        project = Project(queries=queries, migrations=migrations)
        sqlite = stack.enter_context(scratch_sqlite(migrations))
        postgres = stack.enter_context(scratch_postgres(migrations, postgres_url))
        found = collect(project, postgres, sqlite, load_allowed(allowed), datetime.now(UTC).date())
    _write(out, page(found))
    counts = {"queries": sum(len(subject.entries) for subject in found.subjects), "tables": len(found.tables)}
    text = f"{out}: {counts['queries']} queries, {counts['tables']} tables, {out.stat().st_size // 1024} KiB"
    app.out.line(text, {"file": str(out), **counts})


def _write(out: Path, text: str) -> None:
    """All of it or nothing: whoever has the page open never sees half of one."""
    half = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        half.write_text(text, "utf-8")
        half.replace(out)
    finally:
        half.unlink(missing_ok=True)
