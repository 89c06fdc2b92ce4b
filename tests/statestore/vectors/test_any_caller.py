"""What callers hand in and do with what they get: numbers of numpy, enumerations, iterators, changes to a match."""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Any

import numpy as np
import pytest

from diglot.errors import InvalidValue
from diglot.statestore.vectors import Record, checks
from diglot.statestore.vectors.matching import MAX_METADATA
from diglot.statestore.vectors.store import VectorStore
from tests.statestore.vectors.conftest import Opener

NEAR = [1, 0.05, 0.01]


class Color(str, Enum):  # noqa: UP042 - also what is older than StrEnum
    RED = "red"


class Level(IntEnum):
    HIGH = 3


@pytest.fixture
def docs(shared: VectorStore) -> VectorStore:
    """The collection of the module; what a test adds, it removes."""
    return shared


@pytest.mark.parametrize(
    "vector",
    [
        np.array([1, 0, np.inf], np.float16),
        np.array([1, np.nan, 0], np.float16),
        np.array([-(2**63), 1, 0], np.int64),
        np.array([1, 0, 2**63], np.uint64),
        [1, 0, 2**70],
        np.array([[1, 0, 0]]),
        np.array([1, 0, 0], np.complex64),
        np.array([1, 0, 0], "M8[s]"),
        object(),
        {"a": 1},
        iter([1, 0, 0]),
    ],
    ids=["inf", "nan", "-2^63", "2^63", "2^70", "matrix", "complex", "times", "object", "dict", "iterator"],
)
def test_no_number_slips_in_by_its_type(docs: VectorStore, vector: Any) -> None:
    with pytest.raises(InvalidValue, match=r"^vector"):
        docs.search(vector)
    with pytest.raises(InvalidValue, match=r"^records\[0\]\.vector"):
        docs.upsert([Record("x", vector)])
    assert docs.count() == 4


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.longdouble, np.int8, np.uint64])
def test_vectors_of_any_type_of_numbers_are_the_same_vector(docs: VectorStore, kind: Any) -> None:
    docs.upsert([Record("x", np.array([3, 4, 12], kind))])
    assert docs.search(np.array([6, 8, 24], kind), top_k=1)[0].id == "x"
    assert docs.delete(iter(["x"])) == 1


def test_a_record_is_found_by_its_own_vector_with_the_highest_score(vectors: Opener) -> None:
    points = np.random.default_rng(3).normal(size=(40, 24))
    docs = vectors(dimension=24)
    docs.upsert(Record(f"p{number:02}", point) for number, point in enumerate(points))
    for number, point in enumerate(points):
        assert [(match.id, match.score) for match in docs.search(point, min_score=1.0)] == [(f"p{number:02}", 1.0)]
    assert [match.score for match in docs.search(-points[7], top_k=40)][-1] == -1.0


def test_equal_vectors_come_by_their_ids(vectors: Opener) -> None:
    docs = vectors(dimension=7)
    vector, other = np.random.default_rng(4).normal(size=(2, 7))
    docs.upsert(Record(f"e{number:02}", vector * (1 + number / 7)) for number in reversed(range(30)))
    docs.upsert(Record(f"f{number}", other) for number in range(3))
    for asked in (vector, other, vector + other):
        found = [match.id for match in docs.search(asked, top_k=40) if match.id.startswith("e")]
        assert found == [f"e{number:02}" for number in range(30)]


def test_who_changes_a_match_or_a_record_changes_nothing_stored(docs: VectorStore) -> None:
    tags = ["x"]
    docs.upsert([Record("mine", [0.5, 0.5, 0.5], metadata={"tags": tags})])
    tags.append("later")
    found = docs.search([1, 1, 1], filters={"tags": "x"})[0].metadata
    assert found == {"tags": ["x"]}
    found["tags"].append("later")  # type: ignore[union-attr]
    found["new"] = 1  # type: ignore[index]
    assert docs.search([1, 1, 1], filters={"tags": "x"})[0].metadata == {"tags": ["x"]}
    assert docs.delete(filters={"tags": "later"}) == 0
    assert docs.delete(["mine"]) == 1


def test_metadata_of_numpy_and_of_enumerations_is_plain(docs: VectorStore) -> None:
    given = {"a": np.float64(0.5), "b": np.int64(7), "c": Color.RED, "d": [Level.HIGH, np.float32(0.25)], "e": (1, "x")}
    docs.upsert([Record("x", [0.5, 0.5, 0.5], metadata=given)])
    found = docs.search([1, 1, 1], filters={name: given[name] for name in "abcd"}, top_k=np.int64(3))[0].metadata
    assert found == {"a": 0.5, "b": 7, "c": "red", "d": [3, 0.25], "e": [1, "x"]}
    assert [type(found[name]) for name in "abc"] == [float, int, str]
    assert docs.delete(["x"]) == 1
    with pytest.raises(InvalidValue, match=r"metadata\.a: text, a number, .* not numpy\.bool"):
        docs.upsert([Record("x", [1, 0, 0], metadata={"a": np.True_})])  # type: ignore[dict-item]


@pytest.mark.parametrize("records", [None, 1, "abc", b"abc", {"a": 1}, Record("a", [1, 0, 0]), [None]], ids=repr)
def test_what_is_no_list_of_records_is_refused(docs: VectorStore, records: Any) -> None:
    with pytest.raises(InvalidValue, match=r"^records"):
        docs.upsert(records)


@pytest.mark.parametrize("least", [10**400, -(10**400), np.float64("nan"), 1j], ids=str)
def test_a_min_score_beyond_all_numbers_is_refused(docs: VectorStore, least: Any) -> None:
    with pytest.raises(InvalidValue, match="min_score: use a finite number"):
        docs.search(NEAR, min_score=least)


def test_the_most_that_a_filter_and_a_record_may_have(docs: VectorStore) -> None:
    long = "\U0001f600" * 4096
    most = {f"n{number}": [f"v{each}\"'" for each in range(256 if number == 0 else 4)] for number in range(63)}
    docs.upsert([Record("x" * 255, NEAR, text='\\"' * 500_000, metadata={"n0": "v255\"'", "last": [long] * 8})])
    assert [match.id for match in docs.search(NEAR, filters={"n0": most["n0"], "last": long})] == ["x" * 255]
    assert docs.search(NEAR, filters=most | {"last": long}) == []
    assert docs.delete(filters={"last": [long]}) == 1
    with pytest.raises(InvalidValue, match=rf"metadata: at most {MAX_METADATA} bytes"):
        docs.upsert([Record("x", NEAR, metadata={"n": [long] * 62})])
    assert docs.count() == 4


def test_a_batch_is_sent_in_parts_that_a_server_takes(docs: VectorStore) -> None:
    assert checks.BATCH_BYTES < 8_000_000
    checked = checks.check_records([Record(f"r{n}", NEAR, text="x" * 400) for n in range(7)], 3, directed=True)
    assert [len(part) for part in checks.in_batches(checked, 500, 1_000)] == [3, 3, 1]
    assert [len(part) for part in checks.in_batches(checked, 2, 1_000)] == [2, 2, 2, 1]
    docs.upsert(Record(f"r{n}", NEAR, text="x" * 400_000) for n in range(7))
    assert docs.delete(f"r{n}" for n in range(7)) == 7
