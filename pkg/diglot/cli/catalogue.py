"""``diglot catalogue``: one page with all queries and tables, for reviewers."""

from __future__ import annotations

import os
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import click

from diglot.cli.app import App, pass_app
from diglot.errors import ConfigurationError
from diglot.sql.session import DIALECTS

_folder = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command()
@click.argument("out", metavar="OUT.html", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--queries", type=_folder, help="Another project's query files: a folder with postgres/ and sqlite/.")
@click.option("--migrations", type=_folder, help="Its migrations: a folder with postgres/ and sqlite/.")
@click.option(
    "--postgres-url",
    metavar="URL",
    envvar="DIGLOT_CHECK_POSTGRES_URL",
    help="A PostgreSQL server where a scratch database can be created; by default an embedded one. The variable "
    "DIGLOT_CHECK_POSTGRES_URL does the same.",
)
@click.option(
    "--allow",
    "allowed",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The accepted drift. By default drift.toml beside diglot.toml or in the current folder, if there is one.",
)
@pass_app
def catalogue(
    app: App, out: Path, queries: Path | None, migrations: Path | None, postgres_url: str | None, allowed: Path | None
) -> None:
    """Write one page for a DBA: every query in both dialects side by side, its plans and indexes, and every table.

    The page needs no network and no server: open it, search it, print it, send it. It shows the project in
    diglot.toml, or the trees that the options name. Without a project it shows Diglot's own state store.

    \b
    Example:
      diglot catalogue catalogue.html
    """
    if not out.absolute().parent.is_dir():
        raise ConfigurationError(f"can't write {out}: there is no folder {out.parent}; create it first")
    project = app.project_with(queries=queries, migrations=migrations)
    try:
        from diglot.catalogue.collect import collect
        from diglot.catalogue.page import page
        from diglot.check.scratch import scratch_postgres, scratch_sqlite
        from diglot.drift import load_allowed
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"the catalogue needs {error.name}: pip install 'diglot[check]'") from error
    accepted = load_allowed(allowed or project.allowed)
    with ExitStack() as stack:
        for dialect in DIALECTS:
            project.query_files(dialect)
            project.migration_folder(dialect)
        sqlite = stack.enter_context(scratch_sqlite(project.migrations))
        postgres = stack.enter_context(scratch_postgres(project.migrations, postgres_url or project.check.postgres_url))
        found = collect(project, postgres, sqlite, accepted, datetime.now(UTC).date())
    _write(out, page(found))
    counts = {"queries": sum(len(subject.entries) for subject in found.subjects), "tables": len(found.tables)}
    text = f"{out}: {counts['queries']} queries, {counts['tables']} tables, {out.stat().st_size // 1024} KiB"
    app.out.line(text, {"file": str(out), **counts})


def _write(out: Path, text: str) -> None:
    """Writes all or nothing: someone who opens the page never sees half of it."""
    half = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        half.write_text(text, "utf-8")
        half.replace(out)
    finally:
        half.unlink(missing_ok=True)
