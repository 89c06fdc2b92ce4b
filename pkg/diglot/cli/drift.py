"""``diglot drift``: both migration trees, or any two live databases, compared by what they mean. Nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from diglot.cli.app import App, note, pass_app
from diglot.errors import ConfigurationError, MigrationError
from diglot.sql.session import DIALECTS

if TYPE_CHECKING:
    from diglot.drift import DriftResult
    from diglot.project import Project
    from diglot.schema.model import Schema


@click.command()
@click.argument("left", required=False)
@click.argument("right", required=False)
@click.option(
    "--migrations",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The folder that contains the trees postgres and sqlite. By default the project's.",
)
@click.option(
    "--postgres-url",
    metavar="URL",
    envvar="DIGLOT_CHECK_POSTGRES_URL",
    help="A PostgreSQL server where a scratch database can be created. By default an embedded one (diglot[check]). "
    "The variable DIGLOT_CHECK_POSTGRES_URL does the same.",
)
@click.option("--names", is_flag=True, help="Compare the names of constraints and indexes too.")
@click.option(
    "--allow",
    "allow_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The accepted differences. By default drift.toml beside diglot.toml or in the current folder, if there is "
    "one.",
)
@pass_app
def drift(
    app: App,
    left: str | None,
    right: str | None,
    migrations: Path | None,
    postgres_url: str | None,
    names: bool,
    allow_file: Path | None,
) -> int:
    """Compare two schemas by what they mean: both migration trees, or the databases LEFT and RIGHT.

    Without arguments, both trees are applied to scratch databases. Given two addresses (postgresql://…?schema=app,
    sqlite:///app.db or the path of a file), it reads these databases and writes nothing to them. The exit code is 1 if
    they differ, 3 if one can't be reached.

    \b
    Example:
      diglot drift postgresql://localhost/app sqlite:///data/app.db
    """
    from diglot.database import utc_now

    try:
        from diglot.drift import drift as compare_with
        from diglot.drift import load_allowed
        from diglot.schema.read import read_schema
    except ImportError as error:
        raise ConfigurationError(f"drift needs {error.name}: install it with pip install 'diglot[check]'") from error

    if left is not None and right is None:
        raise click.UsageError("name two databases, LEFT and RIGHT, or none for the migration trees")
    if left is not None and any(map(_was_given, ("migrations", "postgres_url"))):
        raise click.UsageError("--migrations and --postgres-url are for the migration trees: leave LEFT and RIGHT out")
    project = app.project_with(migrations=migrations)
    settings = load_allowed(allow_file or project.allowed)
    if left is not None and right is not None:
        sides = read_schema(left), read_schema(right)
    else:
        sides = _trees(project, postgres_url or project.check.postgres_url)
    result = compare_with(*sides, settings, utc_now().date(), names=names)
    app.out.answer(result, lambda: _print(app, result))
    if not any(side.tables or side.views for side in sides):
        note("neither side has a table: is it the right database, and the right schema?")
    return 1 if result.differences else 0


def _was_given(parameter: str) -> bool:
    """Whether it was given on the command line, not by a variable."""
    return click.get_current_context().get_parameter_source(parameter) == click.core.ParameterSource.COMMANDLINE


def _trees(project: Project, postgres_url: str | None) -> tuple[Schema, Schema]:
    """The schemas of both trees, applied to temporary databases."""
    import msgspec

    from diglot.check.scratch import scratch_postgres, scratch_sqlite
    from diglot.schema.read import read_schema

    folders = {dialect: project.migration_folder(dialect) for dialect in DIALECTS}
    trees = project.migrations
    try:
        with scratch_sqlite(trees) as sqlite, scratch_postgres(trees, postgres_url) as postgres:
            found = {store.dialect: (read_schema(store), store.server_version) for store in (postgres, sqlite)}
    except MigrationError as error:  # its exit code would mean that there are differences
        raise ConfigurationError(f"the trees can't be compared: {error}") from error
    one, other = (
        msgspec.structs.replace(schema, location=f"{folders[dialect]} ({version})")
        for dialect, (schema, version) in found.items()
    )
    return one, other


def _print(app: App, result: DriftResult) -> None:
    rows = [[each.kind, each.table, each.name, each.message] for each in result.differences]
    app.out.table(["KIND", "TABLE", "NAME", "DIFFERENCE"], rows, None, wrapped=("DIFFERENCE",))
    count = len(rows)
    found = "no differences" if not count else "1 difference" if count == 1 else f"{count} differences"
    note(f"{found} between {result.left} (left) and {result.right} (right)")
    for each in result.allowed:
        until = f", until {each.until}" if each.until else ""
        note(f"allowed: {each.kind} {each.name} of {each.table} ({each.reason}{until})")
    for remark in result.notes:
        note(remark.line)
