"""Times contenders in turns: one round is a batch of the same calls by each of them, and a ratio is made in each round.

The machine's speed drifts by tens of percent within seconds, so only what ran side by side can be compared. pyperf
runs one benchmark after the other in processes of its own and can't take turns; hence these few lines. The garbage
collector stays on (each pays for what it allocates), but begins each batch without leftovers of another one.
"""

from __future__ import annotations

import gc
import itertools
import statistics
from collections.abc import Mapping
from time import perf_counter_ns
from typing import Any, NamedTuple

from benchmarks.contenders import Contender, Kind
from benchmarks.data import Data
from benchmarks.operations import Operation

WARM_UP_SECONDS = 0.3
FEWEST_CALLS = 6


class Ratio(NamedTuple):
    """Of the rounds' ratios."""

    median: float
    least: float
    most: float


class Result(NamedTuple):
    """Microseconds a call, for each contender one value a round."""

    operation: str
    calls_a_round: int
    microseconds: dict[Kind, list[float]]

    def median(self, kind: Kind) -> float:
        return statistics.median(self.microseconds[kind])

    def ratio(self, slower: Kind, faster: Kind) -> Ratio:
        """How many times the other's time it takes, worked out within each round."""
        rounds = zip(self.microseconds[slower], self.microseconds[faster], strict=True)
        ratios = [one / other for one, other in rounds]
        return Ratio(statistics.median(ratios), min(ratios), max(ratios))


def measure(
    operation: Operation,
    contenders: Mapping[Kind, Contender],
    data: Data,
    *,
    rounds: int,
    batch_seconds: float,
) -> Result:
    """``batch_seconds`` is about how long a batch of the hand-written code takes; the others make as many calls."""
    turns = {
        kind: (getattr(contender, operation.method), itertools.cycle(operation.arguments(contender, data)))
        for kind, contender in contenders.items()
    }
    each = {kind: _warm_up(call, arguments) for kind, (call, arguments) in turns.items()}
    calls = max(1, round(batch_seconds / each["hand"]))
    kinds = list(turns)
    taken: dict[Kind, list[float]] = {kind: [] for kind in kinds}
    gc.collect()
    gc.freeze()
    try:
        for number in range(rounds):
            # Each begins a round as often as the others.
            first = number % len(kinds)
            for kind in kinds[first:] + kinds[:first]:
                call, arguments = turns[kind]
                taken[kind].append(_time(call, list(itertools.islice(arguments, calls))) / calls / 1000)
    finally:
        gc.unfreeze()
    return Result(operation.name, calls, taken)


def _time(call: Any, batch: list[tuple[Any, ...]]) -> int:
    gc.collect()
    started = perf_counter_ns()
    for arguments in batch:
        call(*arguments)
    return perf_counter_ns() - started


def _warm_up(call: Any, arguments: Any) -> float:
    """Seconds a call, when statements are prepared and compiled and caches are full."""
    calls, started = FEWEST_CALLS, perf_counter_ns()
    while True:
        taken = _time(call, list(itertools.islice(arguments, calls)))
        if perf_counter_ns() - started >= WARM_UP_SECONDS * 1e9:
            return taken / calls / 1e9
        calls *= 2
