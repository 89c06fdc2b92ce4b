"""A batch of tasks is written parents first, in whatever order it comes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diglot.errors import InvalidValue
from diglot.statestore.repositories.parents import parents_first
from tests.parity.strategies import MANY


def batch(*tasks):
    """Of (task, parent) pairs of one execution, or (execution, task, parent)."""
    threes = [task if len(task) == 3 else ("w", *task) for task in tasks]
    return {(w, t): p for w, t, p in threes}


def order(made):
    return [task for _, task in parents_first(made)]


def test_nothing_is_nothing():
    assert parents_first({}) == []


def test_tasks_without_parents_keep_their_order():
    assert order(batch(("c", None), ("a", None), ("b", None))) == ["c", "a", "b"]


def test_a_parent_moves_before_its_children_and_nothing_else_moves():
    assert order(batch(("c", "b"), ("x", None), ("b", "a"), ("a", None))) == ["a", "b", "c", "x"]


def test_a_parent_outside_of_the_batch_does_not_matter():
    assert order(batch(("b", "stored"), ("a", "b"))) == ["b", "a"]


def test_a_parent_is_of_the_same_execution():
    assert order(batch(("v", "b", "a"), ("w", "a", None))) == ["b", "a"]


@pytest.mark.parametrize("ring", [1, 2, 5])
def test_tasks_that_are_their_own_ancestors_are_refused(ring):
    names = [f"t{i}" for i in range(ring)]
    tasks = [("root", None), *zip(names, names[1:] + names[:1], strict=True)]
    with pytest.raises(InvalidValue, match=r"^parent_state_id: task 't\d' is its own ancestor$"):
        parents_first(batch(*tasks))


def test_a_long_chain_is_no_matter():
    tasks = [(f"t{i}", f"t{i + 1}" if i < 19_999 else None) for i in range(20_000)]
    assert order(batch(*tasks)) == [f"t{i}" for i in range(19_999, -1, -1)]


@MANY
@given(st.lists(st.integers(-1, 30), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_each_task_stands_once_and_behind_its_parent(parents, random):
    # Task i has a parent with a lower number, or none: a forest, shuffled.
    tasks = [(f"t{i}", f"t{p % i}" if i and p >= 0 else None) for i, p in enumerate(parents)]
    random.shuffle(tasks)
    made = batch(*tasks)
    found = order(made)
    assert sorted(found) == sorted(t for t, _ in tasks)
    place = {task: i for i, task in enumerate(found)}
    assert all(place[parent] < place[task] for task, parent in tasks if parent is not None)
