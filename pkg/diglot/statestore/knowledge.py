"""The open vector databases of ``diglot.toml``, in which an application looks up texts by their meaning.

from diglot.statestore.config import load
from diglot.statestore.knowledge import open_knowledge

with open_knowledge(load()) as knowledge:
    knowledge["docs"].search(vector, top_k=5)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from diglot.errors import ConfigurationError, DatabaseError
from diglot.statestore.config.knowledge import check_knowledge
from diglot.statestore.vectors import open_vectors
from diglot.stores.settings import PostgresSettings

if TYPE_CHECKING:
    from diglot.statestore.config import Config
    from diglot.statestore.vectors.store import VectorStore


def open_knowledge(config: Config) -> Knowledge:
    """Check the start-up rules and open each vector database; none if ``knowledge.enabled`` is false.

    ConfigurationError, DatabaseUnavailable and the other errors of opening name the key of the vector database. The
    databases that were already open are then closed.
    """
    check_knowledge(config)
    stores: dict[str, VectorStore] = {}
    with ExitStack() as opened:
        for number, settings in enumerate(config.knowledge.vector_dbs if config.knowledge.enabled else ()):
            database = config.database if isinstance(config.database, PostgresSettings) else None
            try:
                stores[settings.id] = opened.enter_context(open_vectors(settings, database))
            except (ConfigurationError, DatabaseError) as error:
                raise type(error)(f"knowledge.vector_dbs[{number}] ({settings.id!r}): {error}") from error
        return Knowledge(stores, opened.pop_all(), enabled=config.knowledge.enabled)


class Knowledge:
    """The open vector databases by id. Thread-safe; close it, or use it with ``with``."""

    def __init__(self, stores: dict[str, VectorStore], opened: ExitStack, *, enabled: bool) -> None:
        self._stores = stores
        self._opened = opened
        self._enabled = enabled

    def __getitem__(self, id: str) -> VectorStore:
        """Raises ConfigurationError if none has this id."""
        if id in self._stores:
            return self._stores[id]
        if not self._enabled:
            raise ConfigurationError("knowledge is off: set knowledge.enabled = true")
        there = ", ".join(map(repr, self._stores)) or "none"
        raise ConfigurationError(f"knowledge.vector_dbs has no {id!r}: it has {there}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._stores)

    def __len__(self) -> int:
        return len(self._stores)

    def close(self) -> None:
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
