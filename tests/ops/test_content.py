"""The content of a table: which changes of its rows change its hash."""

from __future__ import annotations

import random

import pytest

from diglot.ops.content import Digest
from diglot.sql.session import Row

ROWS: list[Row] = [(1, "a", None), (2, "b", 1.5), (3, "", b"\x00"), (3, "", b"\x00")]


def digest(rows: list[Row]) -> str:
    found = Digest()
    found.add(rows)
    return found.content().hash


def test_the_order_of_rows_and_of_batches_does_not_matter() -> None:
    shuffled = random.Random(1).sample(ROWS, len(ROWS))
    parts = Digest()
    for row in shuffled:
        parts.add([row])
    assert parts.content().hash == digest(ROWS)
    assert parts.content().rows == len(ROWS)


@pytest.mark.parametrize(
    "rows",
    [
        ROWS[:3],
        [*ROWS, ROWS[0]],
        [(1, "a", ""), *ROWS[1:]],
        [("1", "a", None), *ROWS[1:]],
        [(1, None, "a"), *ROWS[1:]],
        [(1, "b", None), (2, "a", 1.5), *ROWS[2:]],
        [],
    ],
    ids=["one less", "one twice", "null and empty", "text and number", "columns swapped", "rows mixed", "none"],
)
def test_any_other_rows_have_another_hash(rows: list[Row]) -> None:
    assert digest(rows) != digest(ROWS)
