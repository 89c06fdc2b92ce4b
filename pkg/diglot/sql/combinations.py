"""The combinations of a query's conditional blocks that are enough to try.

Up to eight blocks these are all 2^n. With more, they are: no block, each alone, each two together, all but each, and
all. So every two blocks are tried together, apart and without the others, and 15 blocks make 137 texts, not 32,768.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product

ALL_UP_TO = 8
"""Blocks of which every combination is tried."""

Key = tuple[bool, ...]
"""For each block whether it is there."""


def worth_trying(blocks: int) -> Iterator[Key]:
    """For this number of blocks; the first has none of them, the last all."""
    if blocks <= ALL_UP_TO:
        yield from product((False, True), repeat=blocks)
        return
    for few in range(3):
        for present in combinations(range(blocks), few):
            yield tuple(at in present for at in range(blocks))
    for absent in range(blocks):
        yield tuple(at != absent for at in range(blocks))
    yield (True,) * blocks


def count(blocks: int) -> int:
    """How many these are."""
    return 2**blocks if blocks <= ALL_UP_TO else 2 + 2 * blocks + blocks * (blocks - 1) // 2
