"""``diglot generate``: the types of the queries, from the .sql files."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import click

from diglot.cli.app import App, pass_app

if TYPE_CHECKING:
    from diglot.sql.models import Models


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 and name each file that is not up to date.")
@click.option(
    "--queries",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The query files of another project: a folder with postgres/ and sqlite/.",
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Where the modules go: a package.")
@click.option("--models", metavar="MODULE:NAME", help="The structs that '-- returns:' names.")
@pass_app
def generate(app: App, check: bool, queries: Path | None, out: Path | None, models: str | None) -> None:
    """Write the types of the queries, so that a type checker and an editor know every call.

    Without options it is for Diglot's own queries. For a project of yours, name its folders; 'shop.rows:MODELS' is a
    dict from name to msgspec struct, 'shop.rows' has the structs themselves.

    \b
    Example:
      diglot generate --check
      diglot generate --queries queries --out shop/queries_typed --models shop.rows
    """
    from diglot.generate import modules, stale, write

    if queries is None:
        if out is not None or models is not None:
            raise click.UsageError("--out and --models are for another project: name its --queries too")
        from diglot.statestore.repositories.row_models import ROW_MODELS

        files = modules(_folder("diglot.statestore.sql"), ROW_MODELS)
        out = _folder("diglot.statestore.queries")
    else:
        if out is None:
            raise click.UsageError("--queries needs --out, the folder of the modules")
        files = modules(queries, _models(models) if models else None)
    if check:
        found = [{"file": _shown(path), "problem": problem} for path, problem in stale(out, files)]
        app.out.table(["FILE", "PROBLEM"], [[each["file"], each["problem"]] for each in found], {"stale": found})
        if found:
            raise click.ClickException(f"{_count(len(found))} not up to date: run 'diglot generate' and commit it")
        return
    changed = [_shown(path) for path in write(out, files)]
    data = {"out": _shown(out), "changed": changed}
    app.out.line(f"{_shown(out)}: {len(files)} files, {len(changed)} changed", data)


def _models(named: str) -> Models:
    from diglot.generate.models import load_models

    return load_models(named)


def _folder(package: str) -> Path:
    """The folder of one of our packages, as it is installed."""
    return Path(str(resources.files(package).joinpath("__init__.py"))).parent


def _shown(path: Path) -> str:
    try:
        return path.absolute().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.as_posix()


def _count(files: int) -> str:
    return "1 file is" if files == 1 else f"{files} files are"
