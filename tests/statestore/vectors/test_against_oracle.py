"""Any sequence of calls gives on every provider what a dictionary and exact arithmetic give."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from diglot.statestore.vectors import Record
from diglot.statestore.vectors.settings import Metric
from diglot.statestore.vectors.store import VectorStore
from tests.statestore.vectors.conftest import ONE_EACH, opener

VALUES: list[Any] = [
    *(
        "",
        "a",
        "A",
        "1",
        "true",
        "null",
        "n1.0",
        "sa",
        "b1",
        "%",
        "_",
        '"',
        "'",
        "\\",
        "\\u0061",
        '") or ("',
        "$.a",
        "]",
    ),
    *(
        "é",
        "e\u0301",
        "日本",
        "\U0001f600",
        "\u2028",
        "\x7f\x01",
        "a\nb\tc",
        " ",
        " a ",
        "x" * 300,
        "%61",
        "+",
        "\ufeff",
    ),
    *(0, 1, -1, 2, 2**53 - 1, -(2**53 - 1), 2**53 - 2, 10**15),
    *(1.0, 0.5, -0.0, -0.5, 0.1, 0.30000000000000004, 0.3, 1e300, -1e300, 5e-324, 1e15, 4.99e16, 9007199254740992.0),
    *(True, False),
]
NAMES = ["a", "A", "t_a", "t_t_a", "in", "and", "metadata", "text", "id", "_", "true", "tokens", "x" * 63]
IDS = [
    "a",
    "A",
    "é",
    "e\u0301",
    " ",
    "a b",
    '"',
    "'; --",
    "\\",
    "%",
    "日本",
    "\U0001f600",
    "../a",
    "0",
    "00",
    "{}",
    "x" * 255,
]

scalars = st.sampled_from(VALUES) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6
)
names = st.sampled_from(NAMES)
metadata = st.dictionaries(names, scalars | st.lists(scalars, max_size=3), max_size=4)
filters = st.dictionaries(names, scalars | st.lists(scalars, min_size=1, max_size=3), min_size=1, max_size=2)
components = st.floats(-4, 4, width=32).map(lambda number: round(number, 2))
vectors = st.lists(components, min_size=3, max_size=3).filter(lambda vector: any(vector))
ids = st.sampled_from(IDS)
texts = st.sampled_from(["", "text", '","t_a":["sa"],"x":"\\', "\\", '"t_a":["sa"]']) | scalars.map(str)
records = st.builds(Record, ids, vectors, texts, metadata)
batches = st.lists(records, min_size=1, max_size=6, unique_by=lambda record: record.id)
calls = st.one_of(
    st.tuples(st.just("upsert"), batches),
    st.tuples(st.just("search"), vectors, st.integers(1, 20), st.none() | st.floats(-1, 1), st.none() | filters),
    st.tuples(st.just("delete"), st.lists(ids, min_size=1, max_size=4)),
    st.tuples(st.just("delete_matching"), filters),
)
sequences = st.tuples(batches, st.lists(calls, max_size=8), filters)
CHEAP = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


class Oracle:
    """What the calls mean, in the plainest way."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.records: dict[str, Record] = {}

    def upsert(self, batch: list[Record]) -> int:
        self.records |= {record.id: record for record in batch}
        return len(batch)

    def scores(self, vector: list[float], wanted: dict[str, Any] | None) -> dict[str, float]:
        return {r.id: self._score(r.vector, vector) for r in self.records.values() if matches(r.metadata, wanted or {})}

    def delete(self, names: list[str]) -> int:
        return sum(self.records.pop(name, None) is not None for name in names)

    def delete_matching(self, wanted: dict[str, Any]) -> int:
        return self.delete([r.id for r in self.records.values() if matches(r.metadata, wanted)])

    def _score(self, one: Any, other: Any) -> float:
        product = math.fsum(a * b for a, b in zip(one, other, strict=True))
        if self.metric == "ip":
            return product
        if self.metric == "l2":
            return 1 / (1 + math.dist(one, other))
        return product / math.hypot(*one) / math.hypot(*other)


def matches(metadata: Any, wanted: dict[str, Any]) -> bool:
    return all(
        any(alike(one, other) for one in listed(metadata[name]) for other in listed(value))
        if name in metadata
        else False
        for name, value in wanted.items()
    )


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def alike(one: Any, other: Any) -> bool:
    kinds = [bool if isinstance(each, bool) else str if isinstance(each, str) else float for each in (one, other)]
    return kinds[0] is kinds[1] and one == other


@pytest.fixture(scope="module", params=ONE_EACH)
def collections(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[VectorStore]]:
    """An empty collection for each metric."""
    for opened in opener(request, request.param, tmp_path_factory.mktemp("oracle")):
        yield [opened(metric=metric) for metric in opened.metrics]


@CHEAP
@given(sequence=sequences, data=st.data())
def test_any_sequence_of_calls(collections: list[VectorStore], sequence: Any, data: st.DataObject) -> None:
    first, then, last = sequence
    docs = data.draw(st.sampled_from(collections))
    docs.delete(IDS)
    oracle = Oracle(docs.settings.metric)
    for name, *arguments in [
        ("upsert", first),
        *then,
        ("search", [1, 0, 0], 20, None, last),
        ("search", [0, 1, 0], 20, None, None),
    ]:
        if name == "search":
            check_search(docs, oracle, *arguments)
        elif name == "delete_matching":
            assert docs.delete(filters=arguments[0]) == oracle.delete_matching(arguments[0])
        else:
            assert getattr(docs, name)(arguments[0]) == getattr(oracle, name)(arguments[0])
        assert docs.count() == len(oracle.records)


def check_search(
    docs: VectorStore, oracle: Oracle, vector: list[float], top_k: int, least: float | None, wanted: Any
) -> None:
    scores = oracle.scores(vector, wanted)
    if least is not None and any(abs(score - least) < 1e-4 for score in scores.values()):
        least = None  # too near to tell
    found = docs.search(vector, top_k, least, wanted)
    expected = sorted((s for s in scores.values() if least is None or s >= least), reverse=True)[:top_k]
    assert [match.score for match in found] == pytest.approx(expected, abs=1e-5, rel=1e-5)
    assert len({match.id for match in found}) == len(found)
    for match in found:
        record = oracle.records[match.id]
        assert match.score == pytest.approx(scores[match.id], abs=1e-5, rel=1e-5)
        assert type(match.score) is float
        assert match.text == record.text
        assert typed(match.metadata) == typed(record.metadata)


def typed(metadata: Any) -> Any:
    """With the types: 1, 1.0 and True are three values."""
    return {
        name: [(type(each), each) for each in listed(value)] + [isinstance(value, list)]
        for name, value in metadata.items()
    }
