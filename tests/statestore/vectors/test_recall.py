"""Approximate search finds what exact search finds: at least 95 of 100 of the ten nearest, among 10,000."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from diglot.statestore.vectors import Record, open_vectors
from diglot.statestore.vectors.pgvector import PgvectorEngine
from diglot.statestore.vectors.store import VectorStore
from tests.statestore.vectors.conftest import Opener

DIMENSION, RECORDS, QUERIES, NEAREST = 10, 10_000, 40, 10


def test_recall_at_ten_is_at_least_95_percent(approximate: Opener) -> None:
    random = np.random.default_rng(11)
    points = random.normal(size=(RECORDS, DIMENSION)).astype(np.float32)
    asked = random.normal(size=(QUERIES, DIMENSION)).astype(np.float32)
    cosines = asked @ points.T / np.linalg.norm(points, axis=1)
    exact = np.argpartition(-cosines, NEAREST, axis=1)[:, :NEAREST]
    records = [Record(f"p{i}", point) for i, point in enumerate(points)]
    if approximate.provider == "redis":
        docs = approximate(DIMENSION, options={"m": 8, "ef_construction": 40})
        docs.upsert(records)
        assert recall(docs, asked, exact) >= 0.95
        return
    with open_vectors(approximate.settings(DIMENSION, id="many", options={"index": "none"})) as docs:
        docs.upsert(records)  # quicker: an index is built when all are there
        assert recall(docs, asked, exact) == 1.0
    for options in ({"index": "hnsw", "m": 8, "ef_construction": 40}, {"index": "ivfflat", "lists": 50, "probes": 10}):
        with open_vectors(approximate.settings(DIMENSION, id="many", options=options)) as docs:
            assert recall(docs, asked, exact) >= 0.95, options
            assert isinstance(docs._engine, PgvectorEngine)
            assert docs._engine._index_method() == options["index"]
            assert "Index Scan using ix_embedding_many" in plan(docs._engine, asked[0].tolist())


def recall(docs: VectorStore, asked: Any, exact: Any) -> float:
    found = [{match.id for match in docs.search(query, top_k=NEAREST)} for query in asked]
    return sum(len(got & {f"p{i}" for i in best}) for got, best in zip(found, exact, strict=True)) / exact.size


def plan(engine: PgvectorEngine, vector: list[float]) -> str:
    """What PostgreSQL does for a search as it is sent."""
    asked = {"collection": engine.settings.id, "dimension": len(vector), "embedding": vector, "path": None, "limit": 10}
    statement, values = engine.queries.search_cosine.call(**asked)
    explain = msgspec.structs.replace(statement, text=f"explain {statement.text}")
    with engine.store.transaction() as session:
        engine.queries.tune_search(
            session, collection=engine.settings.id, few=1000, ef_search="100", probes="20", indexed=True
        )
        return "\n".join(line for (line,) in session.rows(explain, values))
