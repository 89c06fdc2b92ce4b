"""Which combinations of conditional blocks are tried: all of a few, and of many every two blocks together and apart."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from diglot.sql.combinations import ALL_UP_TO, count, worth_trying


@pytest.mark.parametrize("blocks", range(ALL_UP_TO + 1))
def test_of_a_few_blocks_every_combination_is_tried_once(blocks: int) -> None:
    assert list(worth_trying(blocks)) == list(product((False, True), repeat=blocks))


@pytest.mark.parametrize("blocks", [ALL_UP_TO + 1, 15, 40])
def test_of_many_blocks_every_two_are_tried_in_all_four_ways(blocks: int) -> None:
    tried = list(worth_trying(blocks))
    for one, other in combinations(range(blocks), 2):
        assert {(key[one], key[other]) for key in tried} == {*product((False, True), repeat=2)}
        assert tuple(at in (one, other) for at in range(blocks)) in tried
    assert tried[0] == (False,) * blocks
    assert tried[-1] == (True,) * blocks


@pytest.mark.parametrize("blocks", [0, 1, ALL_UP_TO, ALL_UP_TO + 1, 15, 40])
def test_they_are_counted_without_being_made(blocks: int) -> None:
    tried = list(worth_trying(blocks))
    assert len(set(tried)) == len(tried) == count(blocks)


def test_the_number_for_many_blocks_grows_with_their_square() -> None:
    assert count(15) == 137
    assert count(60) < 2**11
