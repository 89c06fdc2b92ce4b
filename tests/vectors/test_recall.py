"""Approximate search finds what exact search finds: at least 95 of 100 of the ten nearest, among 10,000."""

from __future__ import annotations

import msgspec
import numpy as np

from diglot.vectors import Record, open_vectors
from diglot.vectors.pgvector import PgvectorEngine
from tests.vectors.conftest import Opener

DIMENSION, RECORDS, QUERIES, NEAREST = 10, 10_000, 50, 10


def test_recall_at_ten_is_at_least_95_percent(approximate: Opener) -> None:
    random = np.random.default_rng(11)
    points = random.normal(size=(RECORDS, DIMENSION)).astype(np.float32)
    asked = random.normal(size=(QUERIES, DIMENSION)).astype(np.float32)
    records = [Record(f"p{i}", point) for i, point in enumerate(points)]
    if approximate.provider == "pgvector":  # quicker: the index is built when all are there
        with open_vectors(approximate.settings(DIMENSION, id="many", options={"index": "none"})) as loading:
            loading.upsert(records)
    docs = approximate(DIMENSION, id="many", options={"m": 8, "ef_construction": 40})
    if not docs.count():
        docs.upsert(records)
    cosines = asked @ points.T / np.linalg.norm(points, axis=1)
    exact = np.argsort(-cosines, axis=1)[:, :NEAREST]
    found = [{match.id for match in docs.search(query, top_k=NEAREST)} for query in asked]
    hits = sum(len(got & {f"p{i}" for i in best}) for got, best in zip(found, exact, strict=True))
    assert hits / (QUERIES * NEAREST) >= 0.95
    if isinstance(docs._engine, PgvectorEngine):
        assert "ix_embedding_" in plan(docs._engine, asked[0].tolist())


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
