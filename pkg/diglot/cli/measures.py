"""The latencies of a replay as a table, beside the targets where they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diglot.cli.output import Output

if TYPE_CHECKING:
    from diglot.trace.latency import Latencies, Summary

TARGETS = {"read": 50.0, "write": 100.0}
"""Milliseconds that the 99th percentile must stay below."""


def meets(kind: str, summary: Summary) -> bool:
    """Whether the 99th percentile is below the target of its kind."""
    return summary.p99 < TARGETS[kind]


def print_latencies(out: Output, latencies: Latencies, *, operations: bool = False, targets: bool = False) -> None:
    """A line for the reads and one for the writes; with ``operations`` a line for each kind of call below them."""
    columns = ["CALLS", "COUNT", "P50 MS", "P99 MS", "MAX MS"] + ["TARGET", ""] * targets
    rows: list[list[Any]] = []
    for kind, summary in (("read", latencies.read), ("write", latencies.write)):
        row = [f"{kind}s", *_numbers(summary)]
        if targets:
            row += [f"p99 < {TARGETS[kind]:g} ms", "pass" if meets(kind, summary) else "MISS"]
        rows.append(row)
    if operations:
        rows += [[f"  {name}", *_numbers(summary)] for name, summary in latencies.operations.items()]
    width = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        row[1:5] = [row[column].rjust(width[column]) for column in range(1, 5)]
    out.table(columns, rows, None)


def _numbers(summary: Summary) -> list[str]:
    return [f"{summary.count:,}", f"{summary.p50:.2f}", f"{summary.p99:.2f}", f"{summary.max:.2f}"]
