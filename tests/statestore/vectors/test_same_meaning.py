"""One suite for all providers: the same calls give the same answers, and the same mistakes the same errors."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from diglot.errors import ConfigurationError, InvalidValue, StoreClosed
from diglot.statestore.vectors import Record, open_vectors
from tests.statestore.vectors.conftest import Opener

LAWS = [
    Record("a", [1, 0, 0], text="first", metadata={"lang": "de", "tags": ["law", "tax"], "year": 2024, "open": True}),
    Record("b", [0.9, 0.1, 0], text="second", metadata={"lang": "en", "tags": ["law"], "year": 2023, "open": False}),
    Record("c", [0, 1, 0], metadata={"lang": "de", "tags": [], "year": 2024.5, "open": 1}),
    Record("d", [0, 0, 1], metadata={"lang": "1", "year": 1, "grades": [1, 2.5, True]}),
]
NEAR = [1, 0.05, 0.01]


def ids(found: list[Any]) -> list[str]:
    return [match.id for match in found]


def test_what_was_written_is_found_whole_and_nearest_first(vectors: Opener) -> None:
    docs = vectors()
    assert docs.upsert(LAWS) == 4
    found = docs.search([1, 0, 0], top_k=4)
    assert ids(found) == ["a", "b", "c", "d"]
    assert (found[0].text, found[0].metadata) == (LAWS[0].text, LAWS[0].metadata)
    assert [type(found[0].metadata[name]) for name in ("year", "open")] == [int, bool]
    assert [match.score for match in found] == pytest.approx([1, 0.9 / math.sqrt(0.82), 0, 0], abs=1e-5)
    assert docs.count() == 4


def test_an_upsert_replaces_all_of_a_record(vectors: Opener) -> None:
    docs = vectors()
    docs.upsert(LAWS)
    assert docs.upsert([Record("a", [0, 1, 0.1], text="new", metadata={"lang": "fr"})]) == 1
    assert docs.count() == 4
    found = docs.search([0, 1, 0.1], top_k=1)[0]
    assert (found.id, found.text, found.metadata) == ("a", "new", {"lang": "fr"})
    assert docs.search(NEAR, filters={"tags": "tax"}) == []
    assert docs.upsert([]) == 0


def test_scores_are_the_same_everywhere_and_higher_is_closer(vectors: Opener) -> None:
    points = np.random.default_rng(5).normal(size=(20, 4)) * 3
    asked = points[0] + 0.1
    expected = {
        "cosine": points @ asked / np.linalg.norm(points, axis=1) / np.linalg.norm(asked),
        "l2": 1 / (1 + np.linalg.norm(points - asked, axis=1)),
        "ip": points @ asked,
    }
    for metric in vectors.metrics:
        docs = vectors(dimension=4, metric=metric)
        docs.upsert([Record(f"p{i:02}", point) for i, point in enumerate(points)])
        order = np.argsort(-expected[metric])[:5]
        found = docs.search(asked, top_k=5)
        assert ids(found) == [f"p{i:02}" for i in order], metric
        assert [match.score for match in found] == pytest.approx(expected[metric][order].tolist(), rel=1e-4, abs=1e-5)
        least = float(expected[metric][order[2]]) - 1e-4
        assert ids(docs.search(asked, top_k=5, min_score=least)) == ids(found)[:3]


def test_a_metric_that_the_engine_has_not_is_refused(vectors: Opener) -> None:
    for metric in {"cosine", "l2", "ip"} - set(vectors.metrics):
        with pytest.raises(ConfigurationError, match=f"metric: {vectors.provider} has no '{metric}': use 'cosine'"):
            vectors(metric=metric)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"lang": "de"}, "ac"),
        ({"lang": ["de", "en"]}, "abc"),
        ({"lang": ["de", 1]}, "ac"),
        ({"lang": "DE"}, ""),
        ({"lang": "d"}, ""),
        ({"lang": 1}, ""),
        ({"tags": "law"}, "ab"),
        ({"tags": ["tax", "other"]}, "a"),
        ({"tags": "la"}, ""),
        ({"year": 2024}, "a"),
        ({"year": 2024.0}, "a"),
        ({"year": [2023, 2024.5]}, "bc"),
        ({"year": "2024"}, ""),
        ({"year": True}, ""),
        ({"open": True}, "a"),
        ({"open": False}, "b"),
        ({"open": 1}, "c"),
        ({"open": 0}, ""),
        ({"grades": 2.5}, "d"),
        ({"grades": True}, "d"),
        ({"grades": [7, "1"]}, ""),
        ({"lang": "de", "year": 2024}, "a"),
        ({"lang": "de", "tags": ["law", "x"], "open": [True, "x"]}, "a"),
        ({"lang": "de", "missing": "x"}, ""),
        ({}, "abcd"),
    ],
    ids=repr,
)
def test_filters_mean_the_same(shared: Any, filters: dict[str, Any], expected: str) -> None:
    assert sorted(ids(shared.search(NEAR, filters=filters))) == sorted(expected)


HARD = [
    '"',
    "'",
    "\\",
    '") or ("',
    "ß%_*",
    "日本\U0001f600",
    "a\nb\tc",
    "$.x",
    "s",
    "",
    " x ",
    "true",
    "NaN",
    "\x7f\x01",
]


def test_no_text_is_more_than_a_text(vectors: Opener) -> None:
    docs = vectors()
    docs.upsert(
        [
            Record(f"r {i} '\"%\\ é", [1, i, 0], text=text, metadata={"x": text, "l": [text]})
            for i, text in enumerate(HARD)
        ]
    )
    for i, text in enumerate(HARD):
        for filters in ({"x": text}, {"l": [text, "other"]}):
            found = docs.search(NEAR, top_k=50, filters=filters)
            assert [(m.id, m.text, m.metadata) for m in found] == [(f"r {i} '\"%\\ é", text, {"x": text, "l": [text]})]
    assert docs.delete(["r 0 '\"%\\ é"]) == 1
    assert docs.delete(filters={"x": HARD[1:3]}) == 2
    assert docs.count() == len(HARD) - 3


def test_numbers_are_kept_exactly(vectors: Opener) -> None:
    docs = vectors()
    numbers = [2**53 - 1, -(2**53 - 1), 2**53 - 2, 0.1, 1e300, 5e-324, -0.5, 0, 0.30000000000000004, 0.3]
    docs.upsert([Record(f"n{i}", [1, i, 0], metadata={"n": number}) for i, number in enumerate(numbers)])
    for i, number in enumerate(numbers):
        found = docs.search(NEAR, top_k=50, filters={"n": number})
        assert [(m.id, m.metadata["n"]) for m in found] == [(f"n{i}", number)]


def test_delete_by_ids_and_by_filters(vectors: Opener) -> None:
    docs = vectors()
    docs.upsert(LAWS)
    assert docs.delete(["a", "a", "nobody"]) == 1
    assert docs.delete(["nobody"]) == 0
    assert docs.delete(filters={"lang": ["de", "en"], "open": [False, 1]}) == 2
    assert docs.delete(filters={"lang": "de"}) == 0
    assert (docs.count(), ids(docs.search(NEAR))) == (1, ["d"])
    assert docs.delete(["d"]) == 1
    assert (docs.count(), docs.search(NEAR), docs.delete(filters={"lang": "1"})) == (0, [], 0)
    docs.upsert(LAWS[:1])
    assert ids(docs.search(NEAR)) == ["a"]


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ({}, "delete"),
        ({"ids": None, "filters": None}, "delete"),
        ({"ids": ["a"], "filters": {"lang": "de"}}, "delete"),
        ({"ids": []}, "ids"),
        ({"ids": "a"}, "ids"),
        ({"ids": [""]}, "ids[0]"),
        ({"ids": [1]}, "ids[0]"),
        ({"filters": {}}, "filters"),
        ({"filters": {"lang": []}}, "filters.lang"),
    ],
    ids=repr,
)
def test_an_empty_delete_is_refused_and_deletes_nothing(shared: Any, arguments: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        shared.delete(**arguments)
    assert refused.value.path == path
    assert shared.count() == 4


@pytest.mark.parametrize(
    "vector",
    [
        [1, 0],
        [1, 0, 0, 0],
        [],
        [[1, 0, 0]],
        [math.nan, 0, 0],
        [0, math.inf, 0],
        [0, 0, -math.inf],
        [0, 0, 1e39],
        [0, 0, 0],
        ["1", "0", "0"],
        [True, False, False],
        [None, 0, 0],
        [[1], 0, 0],
        None,
        "abc",
        1,
    ],
    ids=repr,
)
def test_a_vector_that_is_none_is_refused_before_the_engine_is_asked(shared: Any, vector: Any) -> None:
    with pytest.raises(InvalidValue, match=r"^vector"):
        shared.search(vector)
    with pytest.raises(InvalidValue, match=r"^records\[1\]\.vector"):
        shared.upsert([Record("new", [1, 0, 0]), Record("bad", vector)])
    assert shared.count() == 4


@pytest.mark.parametrize("top_k", [0, -1, 1001, 1.0, True, None, "3"])
def test_top_k_out_of_range_is_refused(shared: Any, top_k: Any) -> None:
    with pytest.raises(InvalidValue, match="top_k: use a whole number from 1 to 1000"):
        shared.search(NEAR, top_k=top_k)


@pytest.mark.parametrize("min_score", [math.nan, math.inf, "1", True])
def test_min_score_must_be_a_number(shared: Any, min_score: Any) -> None:
    with pytest.raises(InvalidValue, match="min_score"):
        shared.search(NEAR, min_score=min_score)


@pytest.mark.parametrize(
    ("record", "path"),
    [
        (Record("", [1, 0, 0]), "records[0].id"),
        (Record("x" * 256, [1, 0, 0]), "records[0].id"),
        (Record("a\0b", [1, 0, 0]), "records[0].id"),
        (Record("a\nb", [1, 0, 0]), "records[0].id"),
        (Record(1, [1, 0, 0]), "records[0].id"),  # type: ignore[arg-type]
        (Record("x", [1, 0, 0], text="\0"), "records[0].text"),
        (Record("x", [1, 0, 0], text=None), "records[0].text"),  # type: ignore[arg-type]
        (Record("x", [1, 0, 0], metadata={"a": "\ud800"}), "records[0].metadata.a"),
        (Record("x", [1, 0, 0], metadata={"a": None}), "records[0].metadata.a"),  # type: ignore[dict-item]
        (Record("x", [1, 0, 0], metadata={"a": {"b": 1}}), "records[0].metadata.a"),  # type: ignore[dict-item]
        (Record("x", [1, 0, 0], metadata={"a": [1, [2]]}), "records[0].metadata.a[1]"),
        (Record("x", [1, 0, 0], metadata={"a": math.nan}), "records[0].metadata.a"),
        (Record("x", [1, 0, 0], metadata={"a": 2**53}), "records[0].metadata.a"),
        (Record("x", [1, 0, 0], metadata={"a b": 1}), "records[0].metadata"),
        (Record("x", [1, 0, 0], metadata={'a"': 1}), "records[0].metadata"),
        (Record("x", [1, 0, 0], metadata=[]), "records[0].metadata"),  # type: ignore[arg-type]
        (("x", [1, 0, 0]), "records[0]"),
    ],
    ids=repr,
)
def test_a_record_that_one_engine_would_refuse_all_refuse(shared: Any, record: Any, path: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        shared.upsert([record])
    assert refused.value.path.startswith(path)
    assert shared.count() == 4


def test_an_id_that_stands_twice_in_a_batch_is_refused(shared: Any) -> None:
    with pytest.raises(InvalidValue, match=r"records\[1\]\.id: 'x' appears twice"):
        shared.upsert([Record("x", [1, 0, 0]), Record("x", [0, 1, 0])])


def test_only_the_direction_counts_for_the_cosine_however_long_a_vector_is(vectors: Opener) -> None:
    docs = vectors()
    docs.upsert([Record("tiny", [1e-30, 0, 0]), Record("huge", [0, 1e15, 0])])
    assert docs.search([1e15, 0, 0], top_k=1)[0].score == pytest.approx(1, abs=1e-6)
    assert docs.search([0, 5e-324, 0], top_k=1)[0].id == "huge"


def test_filters_find_the_few_among_many(vectors: Opener) -> None:
    """Also those that a walk through the index would not come by."""
    docs = vectors(dimension=8)
    points = np.random.default_rng(7).normal(size=(600, 8))
    docs.upsert([Record(f"p{i}", point, metadata={"rare": i % 200 == 7}) for i, point in enumerate(points)])
    far = -points[7]
    assert sorted(ids(docs.search(far, top_k=10, filters={"rare": True}))) == ["p207", "p407", "p7"]
    assert len(docs.search(far, top_k=500, filters={"rare": False})) == 500
    assert len(docs.search(far, top_k=600)) == 600


def test_a_collection_is_there_again_and_others_are_not_touched(lasting: Opener) -> None:
    one, other = lasting(), lasting()
    one.upsert(LAWS)
    other.upsert([Record("z", [0, 0, 1])])
    one.close()
    again = lasting(id=one.settings.id)
    assert other.delete(["a", "b"]) == 0
    assert ids(other.search(NEAR)) == ["z"]
    found = again.search(NEAR, top_k=2, filters={"tags": "law"})
    assert [(m.id, m.text, m.metadata) for m in found] == [(r.id, r.text, r.metadata) for r in LAWS[:2]]


def test_threads_share_a_store(lasting: Opener) -> None:
    docs = lasting()

    def work(number: int) -> int:
        docs.upsert([Record(f"{number}-{i}", [1, number, i], metadata={"n": number}) for i in range(3)])
        found = docs.search([1, number, 1], top_k=9, filters={"n": number})
        return len(found) - docs.delete([f"{number}-0"])

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(work, range(12))) == [2] * 12
    assert docs.count() == 24


def test_another_dimension_or_metric_than_it_was_made_with_is_refused(lasting: Opener) -> None:
    docs = lasting()
    docs.upsert(LAWS)
    docs.close()
    with pytest.raises(ConfigurationError, match="dimension 3"):
        lasting(dimension=4, id=docs.settings.id)
    if "l2" in lasting.metrics:
        with pytest.raises(ConfigurationError, match="set those, or"):
            lasting(metric="l2", id=docs.settings.id)
    assert lasting(id=docs.settings.id).count() == 4


def test_after_close_every_call_says_so(vectors: Opener) -> None:
    docs = open_vectors(vectors.settings())
    docs.close()
    docs.close()
    for action in (docs.count, lambda: docs.search(NEAR), lambda: docs.delete(["a"]), lambda: docs.upsert([])):
        with pytest.raises(StoreClosed, match="is closed"):
            action()
