"""The latencies of a replay as a table, optionally with the targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diglot.cli.output import Output

if TYPE_CHECKING:
    from diglot.statestore.trace.latency import Latencies, Summary

TARGETS = {"read": 50.0, "write": 100.0}
"""Milliseconds that the 99th percentile must stay below."""


def meets(kind: str, summary: Summary) -> bool:
    """Whether the 99th percentile is below the target of its kind."""
    return summary.p99 < TARGETS[kind]


def print_latencies(out: Output, latencies: Latencies, *, operations: bool = False, targets: bool = False) -> None:
    """Prints a line for the reads and a line for the writes.

    ``operations`` adds a line for each kind of call; ``targets`` shows the targets in place of the slowest call.
    """
    columns = ["CALLS", "COUNT", "P50 MS", "P99 MS", *(["TARGET", ""] if targets else ["MAX MS"])]
    rows: list[list[str]] = []
    for kind, summary in (("read", latencies.read), ("write", latencies.write)):
        met = [f"p99 < {TARGETS[kind]:g} ms", "pass" if meets(kind, summary) else "MISS"]
        rows.append([f"{kind}s", *_numbers(summary), *(met if targets else [f"{summary.max:.2f}"])])
    if operations:
        rows += [
            [f"  {name}", *_numbers(summary), f"{summary.max:.2f}"] for name, summary in latencies.operations.items()
        ]
    for column in range(1, 4 if targets else 5):
        width = max(len(row[column]) for row in (columns, *rows))
        for row in rows:
            row[column] = row[column].rjust(width)
    out.table(columns, rows, None)


def _numbers(summary: Summary) -> list[str]:
    return [f"{summary.count:,}", f"{summary.p50:.2f}", f"{summary.p99:.2f}"]
