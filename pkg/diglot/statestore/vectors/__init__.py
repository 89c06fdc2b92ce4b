"""Vectors: texts found by their meaning. One collection is one store, and four engines give it the same meaning.

from diglot.statestore.vectors import Record, VectorSettings, open_vectors

with open_vectors(VectorSettings(id="docs", provider="filesystem", dimension=3)) as docs:
    docs.upsert([Record("a", [1.0, 0.0, 0.0], text="a text", metadata={"tags": ["law"], "year": 2024})])
    for match in docs.search([0.9, 0.1, 0.0], top_k=5, filters={"tags": ["law", "tax"]}):
        print(match.id, match.score)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from diglot.errors import ConfigurationError
from diglot.statestore.vectors.records import Match, Record
from diglot.statestore.vectors.settings import VectorSettings

if TYPE_CHECKING:
    from diglot.statestore.vectors.store import Engine, VectorStore
    from diglot.stores.settings import PostgresSettings

__all__ = ["Match", "Record", "VectorSettings", "open_vectors"]


def open_vectors(settings: VectorSettings, database: PostgresSettings | None = None) -> VectorStore:
    """Open the collection of these settings, and make it where it is not there yet.

    ``database`` is where pgvector keeps its vectors when its settings have no ``url``. ConfigurationError for settings
    that can't be used, an extra that is not installed, or a collection of another dimension or metric;
    DatabaseUnavailable.
    """
    settings.check()
    try:
        from diglot.statestore.vectors.store import VectorStore

        return VectorStore(settings, _engine(settings, database))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("numpy", "qdrant_client", "redis"):
            raise
        raise ConfigurationError(
            f"vectors need the package {error.name.partition('.')[0]}: pip install 'diglot[vectors]'"
        ) from error


def _engine(settings: VectorSettings, database: PostgresSettings | None) -> Engine:
    """Only the library of the chosen one is imported."""
    if settings.provider == "pgvector":
        from diglot.statestore.vectors.pgvector import open_pgvector

        return open_pgvector(settings, database)
    if settings.provider == "qdrant":
        from diglot.statestore.vectors.qdrant import open_qdrant

        return open_qdrant(settings)
    if settings.provider == "redis":
        from diglot.statestore.vectors.redis import open_redis

        return open_redis(settings)
    from diglot.statestore.vectors.filesystem import open_filesystem

    return open_filesystem(settings)
