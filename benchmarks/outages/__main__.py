"""``python -m benchmarks.outages``: how the service bears it when PostgreSQL goes away under load, in figures."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from benchmarks import report
from benchmarks.databases import durable_server
from benchmarks.outages.measure import WAYS, Load, Outage, outage
from benchmarks.program import Program
from diglot import statestore

LOAD = Load(writers=6, readers=2, pause=0.0, before=500, failures=8)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--request-timeout", "timeout", type=float, default=5.0, show_default=True, metavar="SECONDS")
@click.option("--times", type=click.IntRange(1), default=1, show_default=True, help="How often, each way.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write everything here.")
def main(timeout: float, times: int, json_file: Path | None) -> None:
    """Start PostgreSQL (with fsync) and the service, stop and start PostgreSQL under load, and count.

    Exit code 1 when a write that was acknowledged is lost, or a request got something else than 503.
    """
    console = Console(width=None if Console().is_terminal else 200)
    with (
        durable_server(18) as server,
        tempfile.TemporaryDirectory(prefix="diglot-bench-") as folder,
    ):
        with statestore.open(server.url(), migrate=True) as database:
            _, key = database.users.create_first_admin("admin@example.com")
        with Program(server.url(), Path(folder), "--request-timeout", str(timeout)) as program:
            found = [
                outage(server, program.url, key.secret, way, load, timeout=timeout)
                for _ in range(times)
                for load in (LOAD, LOAD._replace(failures=0))
                for way in WAYS
            ]
    _show(console, found, timeout)
    if json_file is not None:
        outages = [one._asdict() | {"kept": one.kept._asdict()} for one in found]
        whole = {"machine": report.machine(), "request_timeout": timeout, "load": LOAD._asdict(), "outages": outages}
        json_file.write_text(json.dumps(whole, indent=1) + "\n")
        console.print(f"written to {json_file}")
    if any(one.kept.lost or one.other for one in found):
        raise click.ClickException("a write was lost, or a request got something else than 503")


def _show(console: Console, found: list[Outage], timeout: float) -> None:
    title = f"{LOAD.writers} clients write, {LOAD.readers} read; --request-timeout {timeout:g}; {report.machine()}"
    table = Table(title=title, title_justify="left")
    table.add_column("PostgreSQL 18")
    for column in ("away s", "ready again s", "written again s", "requests", "503", "other errors", "longest request s",
                   "acknowledged", "lost", "unknown (of them stored)"):  # fmt: skip
        table.add_column(column, justify="right")
    for one in found:
        kept = one.kept
        times = (f"{one.away:.2f}", f"{one.ready:.2f}", f"{one.served:.2f}")
        counts = (f"{one.requests:,}", f"{one.failed:,}", f"{one.other:,}", f"{one.longest:.2f}")
        unknown = f"{kept.unknown} ({kept.unknown_but_stored})"
        table.add_row(one.way, *times, *counts, f"{kept.acknowledged:,}", f"{kept.lost:,}", unknown)
    console.print(table)


if __name__ == "__main__":
    main()
