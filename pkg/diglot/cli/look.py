"""``diglot stats``, ``diglot doctor`` and ``diglot optimize``: inspect and maintain a database."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diglot.cli.app import App, note, pass_app
from diglot.cli.metrics_option import metrics_option, publishing
from diglot.cli.output import cell
from diglot.cli.progress import progress_bar

if TYPE_CHECKING:
    from diglot.ops.stats import IndexSize, Stats, TableSize


@click.command()
@pass_app
def stats(app: App) -> None:
    """Show the rows and bytes of every table and index, and the engine's own figures. Every row is counted.

    \b
    Example:
      diglot stats
    """
    from diglot.ops.stats import stats as look

    app.refuse_memory()
    found = look(app.project, app.configuration.database)
    app.out.answer(found, lambda: _print(app, found))


def _print(app: App, found: Stats) -> None:
    counted = any(index.scans is not None for table in found.tables for index in table.indexes)
    maintained = any(table.maintenance for table in found.tables)
    rows: list[list[Any]] = []
    for table in found.tables:
        row = [table.name, _number(table.rows), _number(table.bytes), *[""] * counted]
        rows.append([*row, *_maintenance(table)] if maintained else row)
        for index in table.indexes:
            row = [f"  {index.name}", "", _number(index.bytes), *[_uses(index)] * counted]
            rows.append([*row, *[""] * 3] if maintained else row)
    columns = ["TABLE, INDEX", "ROWS", "BYTES", *["USES"] * counted]
    if maintained:
        columns += ["DEAD ROWS", "VACUUMED", "ANALYZED"]
    app.out.table(columns, rows, None, wrapped=["TABLE, INDEX"])
    click.echo()
    lines = [(name.replace("_", " "), _figure(name, value)) for name, value in found.figures.items()]
    for name, (oldest, newest) in found.moments.items():
        lines += [(f"oldest {name}", cell(oldest) or "none"), (f"newest {name}", cell(newest) or "none")]
    width = max(len(name) for name, _ in lines)
    for name, text in lines:
        click.echo(f"{name:<{width}}  {text}")


def _uses(index: IndexSize) -> str:
    if index.scans is None:
        return "unknown"
    return "never used" if index.scans == 0 and not index.unique else f"{index.scans:,}"


def _maintenance(table: TableSize) -> list[str]:
    done = table.maintenance
    if done is None:
        return ["unknown"] * 3
    return [_number(done.dead_rows), cell(done.vacuumed) or "never", cell(done.analyzed) or "never"]


def _figure(name: str, value: Any) -> str:
    if value is None:
        return "the server was made" if name.endswith("since") else "unknown"
    return f"{value:,}" if isinstance(value, int) else cell(value)


def _number(value: int | None) -> str:
    return "unknown" if value is None else f"{value:,}"


@click.command()
@click.option("--deep", is_flag=True, help="Read the whole database; on PostgreSQL with amcheck.")
@click.option(
    "--postgres-url",
    metavar="URL",
    help="A server for the scratch database that a PostgreSQL schema is compared with. By default an embedded one.",
)
@metrics_option
@pass_app
def doctor(app: App, deep: bool, postgres_url: str | None, metrics_file: Path | None) -> int:
    """Check the database without changing anything; say what is wrong and how to fix it.

    The exit code is 1 if something is wrong. A check that could not be made is 'unknown', with the reason.

    \b
    Example:
      diglot doctor
    """
    from diglot.ops.doctor import doctor as look

    with publishing(metrics_file, "doctor") as outcome:
        app.refuse_memory()
        found = look(app.project, app.configuration.database, deep=deep, postgres_url=postgres_url)
        states = Counter(each.state for each in found.findings)
        outcome.ok = found.ok
        outcome.figures.update(wrong=states["wrong"], warnings=states["warning"], unknown=states["unknown"])
    rows = [[each.check, each.state, each.detail, each.fix] for each in found.findings]
    data = {"database": found.database, "ok": found.ok, "findings": found.findings}
    app.out.table(["CHECK", "STATE", "DETAIL", "WHAT TO DO"], rows, data, wrapped=["DETAIL", "WHAT TO DO"])
    others = "".join(f", {states[state]} {state}" for state in ("warning", "unknown") if states[state])
    if found.ok:
        note(f"nothing is wrong: {len(rows)} checks{others}")
    else:
        note(f"{states['wrong']} of {len(rows)} checks found something wrong{others}")
    return 0 if found.ok else 1


@click.command()
@click.option("--vacuum", is_flag=True, help="Also return unused space, with VACUUM.")
@pass_app
def optimize(app: App, vacuum: bool) -> None:
    """Refresh the planner's statistics; on SQLite also empty the write-ahead log.

    While VACUUM of a SQLite file runs, nobody can write. It makes a copy of the contents: in a temporary file, or in
    memory if the SQLite library is built that way. Ctrl-C leaves the file as it was.

    \b
    Example:
      diglot optimize --vacuum
    """
    from diglot.ops.optimize import optimize as work

    app.refuse_memory()
    with progress_bar(app) as report:
        done = work(app.configuration.database, vacuum=vacuum, report=report)
    change = f"{done.bytes_before:,} bytes before, {done.bytes_after:,} after"
    app.out.line(f"{', '.join(done.done)}: {change}", done)
    for each in done.left_out:
        note(f"left out: {each}")
