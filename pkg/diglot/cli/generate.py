"""``diglot generate``: the types of the queries, from the .sql files."""

from __future__ import annotations

from pathlib import Path

import click

from diglot.cli.app import App, pass_app
from diglot.errors import ConfigurationError
from diglot.text_file import shown


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 and name each file that is not up to date.")
@click.option(
    "--queries",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The query files: a folder with postgres/ and sqlite/.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="The package to write the modules to. By default 'generated' of [project] in diglot.toml.",
)
@click.option("--models", metavar="MODULE[:NAME]", help="The structs that '-- returns:' names.")
@pass_app
def generate(app: App, check: bool, queries: Path | None, out: Path | None, models: str | None) -> None:
    """Write the types of the queries, so that type checkers and editors know every call.

    It reads the project in diglot.toml, or the folders that the options name. Without either it reads Diglot's own
    state store. --models: 'shop.rows' is a module with the structs, 'shop.rows:MODELS' a dict from name to struct.

    \b
    Example:
      diglot generate --check
      diglot generate --queries queries --out shop/queries_typed --models shop.rows
    """
    from diglot.generate import modules, stale, write

    project = app.project_with(queries=queries, generated=out, models=models)
    if project.queries is None:
        raise ConfigurationError("there are no queries to generate types for: name their folder with --queries")
    if project.generated is None:
        raise ConfigurationError(
            "there is no folder for the generated types: name it with --out, or as 'generated' of [project] in "
            "diglot.toml"
        )
    out = project.generated
    files = modules(project.queries, project.row_models())
    if check:
        found = [{"file": shown(path), "problem": problem} for path, problem in stale(out, files)]
        app.out.table(["FILE", "PROBLEM"], [[each["file"], each["problem"]] for each in found], {"stale": found})
        if found:
            raise click.ClickException(f"{_count(len(found))} not up to date: run 'diglot generate' and commit it")
        return
    changed = [shown(path) for path in write(out, files)]
    app.out.line(f"{shown(out)}: {len(files)} files, {len(changed)} changed", {"out": shown(out), "changed": changed})


def _count(files: int) -> str:
    return "1 file is" if files == 1 else f"{files} files are"
