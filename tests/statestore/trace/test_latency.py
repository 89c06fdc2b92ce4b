"""Latencies: what is counted, and that the percentiles are ones that were measured."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from diglot.statestore.trace.latency import Latencies, Meter, Summary, latencies, summary


def _meter(*milliseconds: float) -> Meter:
    """A meter on whose clock the calls take these times, one after the other."""
    now, steps = 0, iter(milliseconds)
    ticks: Callable[[], int] = count().__next__

    def clock() -> int:
        nonlocal now
        if ticks() % 2:
            now += round(next(steps) * 1e6)
        return now

    return Meter(clock)


def test_percentiles_are_by_nearest_rank() -> None:
    assert summary(n * 1_000_000 for n in range(200, 0, -1)) == Summary(count=200, p50=100.0, p99=198.0, max=200.0)
    assert summary([1_234_567]) == Summary(count=1, p50=1.235, p99=1.235, max=1.235)


def test_nothing_measured_is_zeros() -> None:
    nothing = Summary(0, 0.0, 0.0, 0.0)
    assert latencies([]) == Latencies(read=nothing, write=nothing, operations={})


def test_reads_and_writes_of_all_threads_are_added_up_apart() -> None:
    one, other = _meter(1, 2, 30), _meter(3)
    assert one.read("get", lambda: "answer") == "answer"
    one.read("list", lambda: None)
    one.write("save", lambda: None)
    other.read("get", lambda: None)
    found = latencies([one, other])
    assert found.read == Summary(3, 2.0, 3.0, 3.0)
    assert found.write == Summary(1, 30.0, 30.0, 30.0)
    assert found.operations == {
        "get": Summary(2, 1.0, 3.0, 3.0),
        "list": Summary(1, 2.0, 2.0, 2.0),
        "save": Summary(1, 30.0, 30.0, 30.0),
    }


def test_a_call_that_fails_is_raised_and_not_counted() -> None:
    meter = Meter()
    with pytest.raises(ZeroDivisionError):
        meter.write("divide", lambda: 1 // 0)
    assert latencies([meter]).write.count == 0
