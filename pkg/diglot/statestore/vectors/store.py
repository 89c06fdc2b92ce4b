"""An open collection of vectors: every argument is checked here, once, before an engine gets it.

An engine (pgvector.py, qdrant.py, redis.py, filesystem.py) stores and finds; this module defines what a call means:
what is refused, how scores are scaled, and the order of matches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, Self

from diglot.errors import InvalidValue, StoreClosed
from diglot.statestore.vectors.checks import (
    Checked,
    check_ids,
    check_min_score,
    check_records,
    check_top_k,
    check_vector,
)
from diglot.statestore.vectors.matching import Wanted, check_filters
from diglot.statestore.vectors.records import Match, Record
from diglot.statestore.vectors.settings import VectorSettings

if TYPE_CHECKING:
    from diglot.statestore.vectors.checks import Vector


class Engine(Protocol):
    """What a provider does, with checked arguments. Thread-safe."""

    def upsert(self, records: list[Checked]) -> None: ...

    def search(self, vector: Vector, top_k: int, wanted: Wanted) -> list[Match]:
        """The nearest records, in any order, with their scores."""
        ...

    def delete_ids(self, ids: list[str]) -> int: ...

    def delete_matching(self, wanted: Wanted) -> int: ...

    def count(self) -> int: ...

    def close(self) -> None: ...


class VectorStore:
    """One collection. Thread-safe; close it, or use it with ``with``."""

    def __init__(self, settings: VectorSettings, engine: Engine) -> None:
        self.settings = settings
        self._engine: Engine | None = engine
        self._directed = settings.metric == "cosine"

    def upsert(self, records: Iterable[Record]) -> int:
        """Write these records, replacing those with the same ids; returns how many.

        Raises InvalidValue for an invalid record; then nothing is written.
        """
        engine = self._open()
        checked = check_records(records, self.settings.dimension, directed=self._directed)
        if checked:
            engine.upsert(checked)
        return len(checked)

    def search(
        self,
        vector: Any,
        top_k: int = 10,
        min_score: float | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> list[Match]:
        """The ``top_k`` (1 to 1,000) nearest records that match the filters, nearest first, ties by id.

        ``score``: the cosine (-1 to 1) for cosine, the inner product for ip, 1 / (1 + distance) for l2. Matches below
        ``min_score`` are left out.
        """
        engine = self._open()
        asked = check_vector(vector, self.settings.dimension, "vector", directed=self._directed)
        limit = check_top_k(top_k)
        least = None if min_score is None else check_min_score(min_score)
        wanted = check_filters({} if filters is None else filters)
        found = [self._scored(match) for match in engine.search(asked, limit, wanted)]
        if least is not None:
            found = [match for match in found if match.score >= least]
        return sorted(found, key=lambda match: (-match.score, match.id))[:limit]

    def delete(self, ids: Iterable[str] | None = None, *, filters: Mapping[str, Any] | None = None) -> int:
        """Delete by ids, or all that match the filters; returns how many. Raises InvalidValue if neither is given."""
        engine = self._open()
        if (ids is None) == (filters is None):
            raise InvalidValue("delete", "use either ids or filters")
        if ids is not None:
            named = check_ids(ids)
            if not named:
                raise InvalidValue("ids", "an empty list deletes nothing, and never everything: name at least one id")
            return engine.delete_ids(named)
        wanted = check_filters(filters)
        if not wanted:
            raise InvalidValue("filters", "empty filters match everything: name at least one")
        return engine.delete_matching(wanted)

    def count(self) -> int:
        """How many records there are."""
        return self._open().count()

    def close(self) -> None:
        """A second call does nothing; any other call after it raises StoreClosed."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def _scored(self, match: Match) -> Match:
        """Rounds to six digits, the rest is noise: equal vectors have equal scores, and a vector's own cosine is 1."""
        score = max(-1.0, min(1.0, round(match.score, 6))) if self._directed else float(f"{match.score:.6g}")
        return Match(match.id, match.text, match.metadata, score + 0.0)

    def _open(self) -> Engine:
        if self._engine is None:
            raise StoreClosed(f"the vector store {self.settings.id!r} is closed: open it again")
        return self._engine

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<VectorStore {self.settings.id} on {self.settings.provider}>"


def l2_score(distance: float) -> float:
    """From 0 to 1; 1 for the same vector."""
    return 1.0 / (1.0 + distance)
