"""``python -m benchmarks.service``: requests a second and how long they take, on both databases."""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks import data, report
from benchmarks.__main__ import server_of
from benchmarks.databases import Place, fill, postgres_server, sqlite_folder
from benchmarks.operations import Database
from benchmarks.program import Program
from benchmarks.service.load import QUESTIONS, Question, Seen, WrkMissing, ask

WARM_UP = 1
"""Seconds of load before a question is measured."""


class Answered(msgspec.Struct, frozen=True):
    """How a question was answered to many clients at once, and to one alone."""

    question: Question
    together: Seen
    alone: Seen
    processor: float
    """Microseconds that the service worked for one request; of the many clients' ones."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--database", type=click.Choice(["sqlite", "postgres", "both"]), default="both", show_default=True)
@click.option("--only", type=click.Choice([question.name for question in QUESTIONS]), multiple=True)
@click.option("--clients", type=click.IntRange(1), default=16, show_default=True, help="How many ask at once.")
@click.option("--seconds", type=click.IntRange(1), default=6, show_default=True, help="How long, for each question.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write everything here.")
def main(database: str, only: tuple[str, ...], clients: int, seconds: int, json_file: Path | None) -> None:
    """Start the service on a database with data, and ask it with wrk, which shares its processors.

    PostgreSQL is the server of DATABASE_URL, where it names one, else one that is started for this.
    """
    console = Console(width=None if Console().is_terminal else 200)
    console.print(f"{report.machine()}; {clients} clients, {seconds} s a question; wrk runs on the same machine")
    questions = [question for question in QUESTIONS if not only or question.name in only]
    found: dict[str, dict[str, Any]] = {}
    try:
        with ExitStack() as stack:
            if database != "postgres":
                _run("sqlite", stack.enter_context(sqlite_folder(None)), questions, clients, seconds, console, found)
            if database != "sqlite":
                _run("postgres", stack.enter_context(postgres_server(18)), questions, clients, seconds, console, found)
    except WrkMissing as error:
        raise click.ClickException(str(error)) from error
    if json_file is not None:
        whole = {"machine": report.machine(), "clients": clients, "seconds": seconds, "databases": found}
        json_file.write_text(json.dumps(whole, indent=1) + "\n")
        console.print(f"written to {json_file}")


def _run(
    database: Database,
    place: Place,
    questions: list[Question],
    clients: int,
    seconds: int,
    console: Console,
    found: dict[str, dict[str, Any]],
) -> None:
    with console.status(f"{database}: making the data"):
        url, of = fill(place, data.FULL)
    with tempfile.TemporaryDirectory(prefix="diglot-bench-") as folder, Program(url, Path(folder)) as program:
        answered = []
        for question in questions:
            with console.status(f"{database}: {question.title}"):
                if WARM_UP:
                    ask(program.url, question, of, connections=clients, seconds=WARM_UP)
                worked = program.processor_seconds()
                together = ask(program.url, question, of, connections=clients, seconds=seconds)
                worked = (program.processor_seconds() - worked) * 1e6 / together.requests
                alone = ask(program.url, question, of, connections=1, seconds=max(1, seconds // 3))
                answered.append(Answered(question, together, alone, worked))
    _show(console, server_of(place), answered)
    found[database] = {"server": server_of(place), "questions": [_as_json(one) for one in answered]}


def _show(console: Console, server: str, answered: list[Answered]) -> None:
    table = Table(title=server, title_justify="left")
    table.add_column("")
    for column in (
        "requests/s",
        "p50 ms",
        "p99 ms",
        "longest ms",
        "CPU ms a request",
        "one client: requests/s",
        "p50 ms",
        "p99 ms",
    ):
        table.add_column(column, justify="right")
    for one in answered:
        together, alone = one.together, one.alone
        table.add_row(
            one.question.title,
            f"{together.per_second:,.0f}",
            *(f"{time / 1000:.2f}" for time in (together.p50, together.p99, together.longest)),
            f"{one.processor / 1000:.2f}",
            f"{alone.per_second:,.0f}",
            *(f"{time / 1000:.2f}" for time in (alone.p50, alone.p99)),
        )
    console.print(table)


def _as_json(one: Answered) -> dict[str, Any]:
    def figures(seen: Seen) -> dict[str, Any]:
        return {"per_second": round(seen.per_second, 1), **msgspec.to_builtins(seen)}

    return {
        "name": one.question.name,
        "title": one.question.title,
        "processor_microseconds": round(one.processor, 1),
        "clients": figures(one.together),
        "one_client": figures(one.alone),
    }


if __name__ == "__main__":
    main()
