"""Vectors: texts found by their meaning. One collection is one store, which works the same on four engines.

from diglot.statestore.vectors import Record, VectorSettings, open_vectors

with open_vectors(VectorSettings(id="docs", provider="filesystem", dimension=3)) as docs:
    docs.upsert([Record("a", [1.0, 0.0, 0.0], text="a text", metadata={"tags": ["law"], "year": 2024})])
    for match in docs.search([0.9, 0.1, 0.0], top_k=5, filters={"tags": ["law", "tax"]}):
        print(match.id, match.score)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from diglot.errors import ConfigurationError
from diglot.statestore.vectors.providers import PROVIDERS
from diglot.statestore.vectors.records import Match, Record
from diglot.statestore.vectors.settings import VectorSettings

if TYPE_CHECKING:
    from diglot.statestore.vectors.store import VectorStore
    from diglot.stores.settings import PostgresSettings

__all__ = ["Match", "Record", "VectorSettings", "open_vectors"]


def open_vectors(settings: VectorSettings, database: PostgresSettings | None = None) -> VectorStore:
    """Open the collection of these settings, and create it if it does not exist.

    ``database`` is where pgvector stores its vectors if its settings have no ``url``. Raises ConfigurationError for
    settings that can't be used, a missing extra, or a collection with another dimension or metric;
    DatabaseUnavailable.
    """
    settings.check()
    provider = PROVIDERS[settings.provider]
    try:
        from diglot.statestore.vectors.store import VectorStore

        return VectorStore(settings, import_module(provider.module).open_engine(settings, database))
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in provider.packages:
            raise
        raise ConfigurationError(
            f"vectors need the package {package}: pip install 'diglot[{provider.extra}]'"
        ) from error
