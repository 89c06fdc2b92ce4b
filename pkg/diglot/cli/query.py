"""``diglot query``: the SQL in both dialects, as it is in the query files. Needs no database."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diglot.cli.app import App, pass_app
from diglot.cli.output import console

if TYPE_CHECKING:
    from diglot.sql.header import QuerySource

Dialects = dict[str, "QuerySource"]
"""A query by dialect; a query that exists in only one dialect says why in its header."""


@click.command("list")
@pass_app
def list_queries(app: App) -> None:
    """List every query: its parameters, what it returns and what it is for.

    \b
    Example:
      diglot query list
    """
    queries = [_described(name, dialects) for name, dialects in _queries(app).items()]
    rows = [
        [
            query["name"],
            query["kind"],
            query["returns"],
            query["doc"].partition("\n")[0],
            [f"{parameter['name']} {parameter['type']}" for parameter in query["parameters"]],
        ]
        for query in queries
    ]
    columns = ["NAME", "KIND", "RETURNS", "DOC", "PARAMETERS"]
    app.out.table(columns, rows, {"queries": queries}, wrapped=("DOC", "PARAMETERS"))


@click.command()
@click.argument("name")
@pass_app
def show(app: App, name: str) -> None:
    """Show one query in both dialects, as it is in the files, with the location of each.

    \b
    Example:
      diglot query show tasks.list_tasks
    """
    found, dialects = _named(app, name)
    described = _described(found, dialects)
    texts = {dialect: _text(source) for dialect, source in dialects.items()}
    places = {dialect: f"{source.file}:{source.line}" for dialect, source in dialects.items()}
    data = described | {"sql": texts, "places": places}
    app.out.answer(data, lambda: _print(described, texts, places))


def _queries(app: App) -> dict[str, Dialects]:
    from diglot.sql.header import read_queries
    from diglot.sql.loader import read_text
    from diglot.text_file import shown

    found: dict[str, Dialects] = {}
    for dialect in app.project.dialects:
        for file in app.project.every_query_file(dialect):
            for source in read_queries(read_text(file), file.stem, shown(file), dialect):
                found.setdefault(source.full_name, {})[dialect] = source
    return found


def _named(app: App, name: str) -> tuple[str, Dialects]:
    """The query with this name; the name without its file is enough if only one file has it."""
    queries = _queries(app)
    names = [full for full in queries if name in (full, full.partition(".")[2])]
    if len(names) == 1:
        return names[0], queries[names[0]]
    if names:
        raise click.ClickException(f"several queries are called {name!r}: {', '.join(names)}")
    near = difflib.get_close_matches(name, queries, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else "'diglot query list' shows all"
    raise click.ClickException(f"no query {name!r}: {hint}")


def _described(name: str, dialects: Dialects) -> dict[str, Any]:
    from diglot.sql.header import SUFFIXES

    source = next(iter(dialects.values()))
    return {
        "name": name,
        "suffix": source.suffix,
        "kind": SUFFIXES[source.suffix],
        "parameters": [{"name": each.name, "type": each.declaration} for each in source.parameters],
        "returns": f"{source.returns}{'?' if source.returns_nullable else ''}" if source.returns else None,
        "doc": source.doc,
    }


def _text(source: QuerySource) -> str:
    """Header and SQL as in the file, without comments that belong to the next query."""
    from diglot.sql.loader import read_text

    lines = read_text(Path(source.file)).splitlines()[source.line - 1 :]
    end = next((i for i, line in enumerate(lines) if i and line.startswith("-- name:")), len(lines))
    while not lines[end - 1].strip() or lines[end - 1].startswith("--"):
        end -= 1
    return "\n".join(lines[:end])


def _print(described: dict[str, Any], texts: dict[str, str], places: dict[str, str]) -> None:
    from rich.syntax import Syntax
    from rich.text import Text

    screen = console()
    screen.print(Text.assemble((described["name"], "bold"), f"  {described['kind']}"))
    for dialect, text in texts.items():
        screen.print(Text(f"\n{dialect}  {places[dialect]}", style="bold", overflow="fold"))
        if screen.is_terminal:
            screen.print(Syntax(text, "sql", theme="ansi_dark", background_color="default", word_wrap=True))
        else:
            click.echo(text)
