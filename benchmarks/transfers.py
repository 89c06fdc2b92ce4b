"""Copies, backups and exports beside the plain tools, on the same data in the same run.

``python -m benchmarks.transfers``. The plain tools check nothing: COPY and INSERT by hand through the drivers, SQLite's
online backup, pg_dump.
"""

from __future__ import annotations

import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import click
import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks import data
from benchmarks.contenders.sql_by_hand import TASK_COLUMNS, WORKFLOW_COLUMNS
from benchmarks.databases import PostgresServer, SQLiteFolder, postgres_server, sqlite_folder
from benchmarks.report import machine
from diglot import statestore
from diglot.ops.backup import backup
from diglot.ops.copy import copy
from diglot.ops.export import export
from diglot.ops.import_file import import_file
from diglot.ops.postgres.programs import for_dumping
from diglot.statestore.database import Database
from diglot.statestore.models import TaskState, WorkflowState
from diglot.statestore.project import TREES
from diglot.stores.url import parse_url

TASKS_EACH = 10
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TABLES = {"workflow_states": WORKFLOW_COLUMNS.split(", "), "task_states": TASK_COLUMNS.split(", ")}


class Transfer(NamedTuple):
    """Seconds that it took, and that the plain tool took; None where there is none."""

    name: str
    seconds: float
    plain: float | None
    amount: float
    unit: str


@click.command()
@click.option("--workflows", type=click.IntRange(1), default=10_000, show_default=True, help="With 10 tasks each.")
@click.option("--postgres", "version", type=click.Choice(["16", "18"]), default="18", show_default=True)
def main(workflows: int, version: str) -> None:
    """Move that many workflows there and back, and show seconds, rates and ratios."""
    console = Console(width=None if Console().is_terminal else 160)
    console.print(f"{machine()}; {workflows:,} workflows with {TASKS_EACH} tasks each")
    with sqlite_folder(None) as folder, postgres_server(int(version)) as server:
        table = Table("", "seconds", "rate", "plain tool", "ratio")
        for one in measured(folder, server, workflows, console):
            ratio = "" if one.plain is None else f"{one.seconds / one.plain:.2f}"
            plain = "" if one.plain is None else f"{one.plain:.2f} s"
            table.add_row(one.name, f"{one.seconds:.2f}", f"{one.amount / one.seconds:,.0f} {one.unit}/s", plain, ratio)
        console.print(table)
        for name, place in (("SQLite", folder), ("PostgreSQL", server)):
            kept = kept_beside_a_backup(place, workflows)
            console.print(f"a writer to {name} keeps {kept:.0%} of its rate while a backup runs")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    console.print(f"most memory of this process: {peak:,.0f} MB")


def measured(folder: SQLiteFolder, server: PostgresServer, workflows: int, console: Console) -> Iterator[Transfer]:
    """Each transfer, after its plain tool."""
    with console.status("making the data"):
        source = folder.new()
        folder.insert(source, map(data.workflow, range(workflows)), _tasks(workflows))
    rows = workflows * (1 + TASKS_EACH)
    path = Path(source.removeprefix("sqlite:///"))
    size = path.stat().st_size / 1e6

    by_hand = server.new()
    plain = _timed(lambda: _copy_by_hand(path, by_hand))
    target = server.new()
    took = _timed(lambda: copy(TREES, parse_url(source), parse_url(target), replace=True))
    yield Transfer("copy SQLite to PostgreSQL", took, plain, rows, "rows")

    inserted = folder.new()
    plain = _timed(lambda: _insert_by_hand(target, Path(inserted.removeprefix("sqlite:///"))))
    back = folder.new()
    took = _timed(lambda: copy(TREES, parse_url(target), parse_url(back), replace=True))
    yield Transfer("copy PostgreSQL to SQLite", took, plain, rows, "rows")

    plain = _timed(lambda: _backup_by_hand(path))
    took = _timed(lambda: backup(parse_url(source), path.with_name("one.backup"), NOW))
    yield Transfer("backup of SQLite", took, plain, size, "MB")

    plain = _timed(lambda: _dump_by_hand(target, path.with_name("plain.dump"), server))
    took = _timed(lambda: backup(parse_url(target), path.with_name("two.backup"), NOW))
    yield Transfer("backup of PostgreSQL", took, plain, rows, "rows")

    for name, url, new in (("SQLite", source, folder), ("PostgreSQL", target, server)):
        file = path.with_name(f"{name}.jsonl")
        took = _timed(lambda url=url, file=file: export(parse_url(url), file, NOW))  # type: ignore[misc]
        yield Transfer(f"export from {name}", took, None, rows, "rows")
        empty = new.new()  # type: ignore[attr-defined]
        took = _timed(lambda empty=empty, file=file: import_file(TREES, file, parse_url(empty)))  # type: ignore[misc]
        yield Transfer(f"import into {name}", took, None, rows, "rows")


def kept_beside_a_backup(place: SQLiteFolder | PostgresServer, workflows: int, seconds: float = 3.0) -> float:
    """Commits a second of one writer while ``diglot backup`` runs in a process of its own, divided by those of the
    same writer before and after it."""
    url = place.new()
    place.insert(url, map(data.workflow, range(workflows)), _tasks(workflows))
    with tempfile.TemporaryDirectory() as folder, statestore.open(url) as db:
        file = Path(folder, "one.backup")
        before = _written(db, seconds)
        command = [str(Path(sys.executable).with_name("diglot")), "--database-url", url, "backup", str(file)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as backing_up:
            meanwhile = _written(db, None, lambda: backing_up.poll() is not None)
        if backing_up.returncode:
            raise click.ClickException(f"the backup of {url} failed")
        return meanwhile / ((before + _written(db, seconds)) / 2)


def _written(db: Database, seconds: float | None, ended: Callable[[], bool] = bool) -> float:
    began = time.perf_counter()
    count = 0
    while not ended() and (seconds is None or time.perf_counter() - began < seconds):
        db.workflows.upsert(data.workflow(count % 100))
        count += 1
    return count / (time.perf_counter() - began)


def _tasks(workflows: int) -> Iterator[TaskState | WorkflowState]:
    for number in range(workflows):
        for place in range(TASKS_EACH):
            # The ids of data.task are of 4,096 executions.
            yield data.task(number, place).replace(task_exec_id=f"{data.workflow_id(number)}-{place}")


def _timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _copy_by_hand(path: Path, url: str) -> None:
    with closing(sqlite3.connect(path)) as source, psycopg.connect(url) as target, target.cursor() as cursor:
        for table, columns in TABLES.items():
            names = ", ".join(columns)
            with cursor.copy(f"copy {table} ({names}) from stdin") as rows:  # type: ignore[arg-type]
                for row in source.execute(f"select {names} from {table}"):
                    rows.write_row(row)


def _insert_by_hand(url: str, path: Path) -> None:
    as_text = "to_char({0} at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    with psycopg.connect(url) as source, closing(sqlite3.connect(path)) as target:
        for table, columns in TABLES.items():
            read = [as_text.format(name) if name.endswith("_at") else f"{name}::text" for name in columns]
            marks = ", ".join("?" * len(columns))
            with source.cursor(name="rows") as cursor:
                cursor.execute(f"select {', '.join(read)} from {table}")  # type: ignore[arg-type]
                while rows := cursor.fetchmany(1000):
                    target.executemany(f"insert into {table} ({', '.join(columns)}) values ({marks})", rows)
        target.commit()


def _backup_by_hand(path: Path) -> None:
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(path.with_name("plain.db"))) as target:
        source.backup(target)


def _dump_by_hand(url: str, file: Path, server: PostgresServer) -> None:
    programs = for_dumping(server.version())
    assert programs is not None
    subprocess.run([programs.path("pg_dump"), "--format=custom", f"--file={file}", url], check=True)


if __name__ == "__main__":
    main()
