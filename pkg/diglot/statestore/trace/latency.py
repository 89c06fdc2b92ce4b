"""How long the calls of a replay took, with reads and writes separate.

A read is a call that only reads; a write is a call, or a whole transaction, that is committed when it returns
(including the wait for its turn): the time that a caller waits. Each thread has its own meter, so measuring needs no
lock. Failed calls are not counted.
"""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, TypeVar

from msgspec import Struct

Kind = Literal["read", "write"]
KINDS: tuple[Kind, Kind] = ("read", "write")
T = TypeVar("T")


class Summary(Struct, frozen=True):
    """Milliseconds; percentiles by nearest rank, so each is a measured latency. All zero if count is 0."""

    count: int
    p50: float
    p99: float
    max: float


class Latencies(Struct, frozen=True):
    """All calls of each kind together, and each operation (``read the progress``, ``start a task``) separately."""

    read: Summary
    write: Summary
    operations: dict[str, Summary]


class Meter:
    """Times calls. For one thread; ``clock`` returns nanoseconds."""

    def __init__(self, clock: Callable[[], int] = time.perf_counter_ns) -> None:
        self._clock = clock
        self.taken: Mapping[Kind, dict[str, array[int]]] = {"read": {}, "write": {}}

    def read(self, operation: str, call: Callable[[], T]) -> T:
        return self._time("read", operation, call)

    def write(self, operation: str, call: Callable[[], T]) -> T:
        return self._time("write", operation, call)

    def _time(self, kind: Kind, operation: str, call: Callable[[], T]) -> T:
        start = self._clock()
        result = call()
        elapsed = self._clock() - start
        taken = self.taken[kind].get(operation)
        if taken is None:
            taken = self.taken[kind][operation] = array("q")
        taken.append(elapsed)
        return result


def latencies(meters: Iterable[Meter]) -> Latencies:
    """The measurements of all threads' meters."""
    totals: dict[Kind, array[int]] = {"read": array("q"), "write": array("q")}
    operations: dict[str, array[int]] = {}
    for meter in meters:
        for kind in KINDS:
            for operation, taken in meter.taken[kind].items():
                totals[kind].extend(taken)
                operations.setdefault(operation, array("q")).extend(taken)
    return Latencies(
        read=summary(totals["read"]),
        write=summary(totals["write"]),
        operations={name: summary(operations[name]) for name in sorted(operations)},
    )


def summary(nanoseconds: Iterable[int]) -> Summary:
    """Count, median, 99th percentile and maximum, in milliseconds with three digits."""
    ordered = sorted(nanoseconds)
    if not ordered:
        return Summary(0, 0.0, 0.0, 0.0)
    return Summary(count=len(ordered), p50=_rank(ordered, 0.50), p99=_rank(ordered, 0.99), max=_rank(ordered, 1.0))


def _rank(ordered: list[int], share: float) -> float:
    return round(ordered[math.ceil(share * len(ordered)) - 1] / 1e6, 3)
