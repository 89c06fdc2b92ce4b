"""``diglot check``: everything that can be proven about two trees before they are used, in one command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from diglot.cli.app import App, note, pass_app
from diglot.errors import ConfigurationError

if TYPE_CHECKING:
    from diglot.check.formats import Form
    from diglot.project import Project

CHECKS = ("headers", "parity", "prepare", "plans", "migrations", "drift")
FORMS = ("table", "json", "github", "junit")
_folder = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command()
@click.option("--queries", type=_folder, help="The query files: a folder with postgres/ and sqlite/.")
@click.option("--migrations", type=_folder, help="The migrations: a folder with postgres/ and sqlite/.")
@click.option("--models", metavar="MODULE[:NAME]", help="The structs that '-- returns:' names.")
@click.option("--only", multiple=True, type=click.Choice(CHECKS), help="Run only this check; can be repeated.")
@click.option("--dialect", type=click.Choice(["postgres", "sqlite"]), help="Check only one dialect.")
@click.option(
    "--postgres-url",
    metavar="URL",
    envvar="DIGLOT_CHECK_POSTGRES_URL",
    help="A PostgreSQL server whose user may create databases: each check gets a new one. By default an embedded "
    "server is started. The variable DIGLOT_CHECK_POSTGRES_URL does the same, and keeps a password out of sight.",
)
@click.option("--format", "form", type=click.Choice(FORMS), help="A table (the default), or a format for machines.")
@click.option("--strict", is_flag=True, help="What can't be proven is a finding too.")
@click.option(
    "--write-checksums", is_flag=True, help="Check nothing; record the migrations, as they are now, as released."
)
@pass_app
def check(
    app: App,
    queries: Path | None,
    migrations: Path | None,
    models: str | None,
    only: tuple[str, ...],
    dialect: str | None,
    postgres_url: str | None,
    form: str | None,
    strict: bool,
    write_checksums: bool,
) -> int:
    """Prove that two trees are one data layer: headers, parity, prepare, plans, migrations and drift, in this order.

    Queries and migrations are tried on a new PostgreSQL and a new SQLite database. Every finding is reported with its
    file:line:column, and the exit code is 1 if there are any. What can't be proven is reported as unknown, with the
    reason. It checks the project in diglot.toml, or the trees that
    the options name. Without a project it checks Diglot's own state store.

    \b
    Example:
      diglot check --only plans --only migrations --format github
    """
    dialects = None if dialect is None else (dialect,)
    project = app.project_with(queries=queries, migrations=migrations, models=models, dialects=dialects)
    if write_checksums:
        from diglot.check.migrations import write_checksums as write
        from diglot.text_file import shown

        book = shown(write(project))
        app.out.line(f"wrote {book}", {"file": book})
        return 0
    return _check(project, only, postgres_url, cast("Form", form or app.format), strict=strict)


def _check(project: Project, only: tuple[str, ...], postgres_url: str | None, form: Form, *, strict: bool) -> int:
    from datetime import UTC, datetime

    try:
        from diglot.check.formats import show
        from diglot.check.run import run_checks

        report = run_checks(
            project,
            only=_known(only or project.check.only),
            postgres_url=postgres_url or project.check.postgres_url,
            allowed=project.allowed,
            strict=strict or project.check.strict,
            today=datetime.now(UTC).date(),
            progress=lambda name: note(f"checking {name} …") if _is_watched(form) else None,
        )
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"the checks need {error.name}: pip install 'diglot[check]'") from error
    from diglot.cli.output import console

    show(report, form, console())
    if report.findings:
        return 1
    return 2 if report.is_empty else 0


def _known(only: tuple[str, ...]) -> Any:
    unknown = [name for name in only if name not in CHECKS]
    if unknown:
        raise ConfigurationError(f"unknown check {unknown[0]!r} in [check]: use {', '.join(CHECKS)}")
    return only


def _is_watched(form: str) -> bool:
    import sys

    return form == "table" and sys.stderr is not None and sys.stderr.isatty()
