"""The results, for people as tables and for programs as JSON."""

from __future__ import annotations

import os
import platform
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.contenders import KINDS, TITLES, Kind
from benchmarks.growth import Growth
from benchmarks.harness import Ratio, Result
from benchmarks.memory import IMPORT_TARGET, Peak, does_not_grow
from benchmarks.operations import ONE_STATEMENT, OPERATIONS, TARGETS, Database
from benchmarks.statements import Traffic

_TITLES = {operation.name: operation.title for operation in OPERATIONS}
_DATABASES: dict[Database, str] = {"sqlite": "SQLite", "postgres": "PostgreSQL"}


class Verdict(NamedTuple):
    """One target: what it asks for, what was measured."""

    what: str
    target: str
    measured: str
    reached: bool


class Measured(NamedTuple):
    """Everything of one database."""

    database: Database
    server: str
    results: list[Result]
    traffic: dict[str, dict[Kind, Traffic]]
    memory: tuple[Peak, Peak] | None
    growth: list[Growth]


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {platform.system()}"


def verdicts(measured: list[Measured], import_seconds: float | None) -> list[Verdict]:
    """Each target that this run can speak about."""
    found = []
    for one in measured:
        where = _DATABASES[one.database]
        results = {result.operation: result for result in one.results}
        for target in TARGETS:
            if target.database == one.database and target.operation in results:
                ratio = results[target.operation].ratio(target.slower, target.faster)
                found.append(
                    Verdict(
                        f"{where}: {_TITLES[target.operation]}, {TITLES[target.slower]} ÷ {TITLES[target.faster]}",
                        f"{'≤' if target.at_most else '≥'} {target.limit:g}",
                        _ratio(ratio),
                        target.reached(ratio.median),
                    )
                )
        for name in ONE_STATEMENT:
            if name in one.traffic:
                traffic = one.traffic[name]["diglot"]
                found.append(
                    Verdict(
                        f"{where}: {_TITLES[name]}, statements (and round trips)",
                        "1",
                        _traffic(traffic),
                        traffic.statements == 1 and traffic.round_trips in (1, None),
                    )
                )
        if one.memory:
            few, many = one.memory
            found.append(
                Verdict(
                    f"{where}: peak memory of listing {many.rows:,} tasks ÷ {few.rows:,} tasks",
                    "≤ 1.05",
                    f"Python {many.python / few.python:.2f}, process {many.process / few.process:.2f} "
                    f"({few.process / 2**20:.0f} → {many.process / 2**20:.0f} MiB)",
                    does_not_grow(few, many),
                )
            )
    if import_seconds is not None:
        found.append(
            Verdict(
                "import diglot",
                f"< {IMPORT_TARGET * 1000:g} ms",
                f"{import_seconds * 1000:.0f} ms",
                import_seconds < IMPORT_TARGET,
            )
        )
    return found


def show(console: Console, one: Measured, rounds: int) -> None:
    """The table of one database."""
    table = Table(
        title=f"{one.server}: µs a call, medians of {rounds} rounds; ratios within a round: median (least..most)",
        title_justify="left",
    )
    table.add_column("operation")
    for kind in KINDS:
        table.add_column(TITLES[kind], justify="right")
    for heading in ("Diglot ÷ by hand", "Core ÷ Diglot", "ORM ÷ Diglot"):
        table.add_column(heading, justify="right")
    for result in one.results:
        has = result.microseconds
        table.add_row(
            _TITLES[result.operation],
            *(f"{result.median(kind):,.1f}" if kind in has else "" for kind in KINDS),
            _ratio(result.ratio("diglot", "hand")),
            _ratio(result.ratio("core", "diglot")) if "core" in has else "",
            _ratio(result.ratio("orm", "diglot")) if "orm" in has else "",
        )
    console.print(table)
    if one.traffic:
        table = Table(title=f"{one.server}: statements{_round_trips(one)} a call", title_justify="left")
        table.add_column("operation")
        for kind in KINDS:
            table.add_column(TITLES[kind], justify="right")
        for name, traffic in one.traffic.items():
            table.add_row(_TITLES[name], *(_traffic(traffic[kind]) if kind in traffic else "" for kind in KINDS))
        console.print(table)


def show_growth(console: Console, one: Measured) -> None:
    if not one.growth:
        return
    sizes = list(one.growth[0].milliseconds)
    table = Table(title=f"{one.server}: ms a call by the tasks of the execution", title_justify="left")
    table.add_column("call")
    for statistics in ("without", "with"):
        for size in sizes:
            table.add_column(f"{size:,} {statistics} statistics", justify="right")
    known = {(growth.call, growth.with_statistics): growth.milliseconds for growth in one.growth}
    for call in dict.fromkeys(growth.call for growth in one.growth):
        found = [known[call, with_statistics][size] for with_statistics in (False, True) for size in sizes]
        table.add_row(call, *(f"{milliseconds:,.2f}" for milliseconds in found))
    console.print(table)


def show_verdicts(console: Console, found: list[Verdict]) -> None:
    table = Table(title="targets", title_justify="left")
    for heading in ("what", "target", "measured", ""):
        table.add_column(heading)
    for verdict in found:
        mark = "[green]reached[/]" if verdict.reached else "[bold red]missed[/]"
        table.add_row(verdict.what, verdict.target, verdict.measured, mark)
    console.print(table)


def as_json(
    measured: list[Measured], found: list[Verdict], rounds: int, import_seconds: float | None
) -> dict[str, Any]:
    """Everything, the single rounds included."""
    return {
        "machine": machine(),
        "rounds": rounds,
        "import_seconds": import_seconds,
        "databases": {one.database: _database(one) for one in measured},
        "targets": [verdict._asdict() for verdict in found],
    }


def _database(one: Measured) -> dict[str, Any]:
    return {
        "server": one.server,
        "operations": {
            result.operation: {
                "calls_a_round": result.calls_a_round,
                "microseconds": result.microseconds,
                "medians": {kind: result.median(kind) for kind in result.microseconds},
                "over_hand": {kind: result.ratio(kind, "hand")._asdict() for kind in result.microseconds},
                "over_diglot": {kind: result.ratio(kind, "diglot")._asdict() for kind in result.microseconds},
            }
            for result in one.results
        },
        "traffic": {
            name: {kind: traffic._asdict() for kind, traffic in by_kind.items()}
            for name, by_kind in one.traffic.items()
        },
        "memory": [peak._asdict() for peak in one.memory] if one.memory else None,
        "growth": [growth._asdict() for growth in one.growth],
    }


def _ratio(ratio: Ratio) -> str:
    return f"{ratio.median:.2f} ({ratio.least:.2f}..{ratio.most:.2f})"


def _traffic(traffic: Traffic) -> str:
    if traffic.round_trips is None:
        return str(traffic.statements)
    return f"{traffic.statements} / {traffic.round_trips}"


def _round_trips(one: Measured) -> str:
    return " / round trips" if one.database == "postgres" else ""
