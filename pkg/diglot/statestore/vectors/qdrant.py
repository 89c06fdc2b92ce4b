"""Vectors in Qdrant: a server, or only its client with a folder or in this process's memory (then exact).

Qdrant's own ids are UUIDs, so a point's id is derived from the record's id, which is in the payload. Qdrant matches no
floats, so the payload also has the metadata as tokens (matching.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from json import JSONDecodeError
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID, uuid5

from httpx import TimeoutException
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from diglot.errors import ConfigurationError, DatabaseError, DatabaseFull, DatabaseTimeout, DatabaseUnavailable
from diglot.statestore.vectors.checks import Checked, in_batches
from diglot.statestore.vectors.matching import Wanted, tokens
from diglot.statestore.vectors.providers import Metric, QdrantOptions
from diglot.statestore.vectors.records import Match
from diglot.statestore.vectors.settings import VectorSettings
from diglot.statestore.vectors.store import l2_score
from diglot.stores.settings import PostgresSettings

if TYPE_CHECKING:
    from diglot.statestore.vectors.checks import Vector

_BATCH = 500
_IDS = UUID("6f2d1f3e-6b0b-5f0e-9f6e-3f6f6c1d7a10")
"""The namespace of the points' ids: it must never change."""
_DISTANCES: dict[Metric, models.Distance] = {
    "cosine": models.Distance.COSINE,
    "l2": models.Distance.EUCLID,
    "ip": models.Distance.DOT,
}


def open_engine(settings: VectorSettings, _database: PostgresSettings | None = None) -> QdrantEngine:
    """Raises ConfigurationError if the collection has another dimension or metric; DatabaseUnavailable."""
    options = cast(QdrantOptions, settings.typed_options())
    if settings.url is not None:
        client = QdrantClient(
            url=settings.url, api_key=options.api_key, timeout=max(1, round(options.timeout)), check_compatibility=False
        )
    elif settings.path == ":memory:":
        client = QdrantClient(location=":memory:")
    else:
        # A folder can be opened only once, so each collection has its own folder below the path.
        folder = Path(settings.path or "") / settings.id
        try:
            # Our lock serializes the threads; the client's own check of SQLite would leave a connection open.
            client = QdrantClient(path=str(folder), force_disable_check_same_thread=True)
        except RuntimeError as error:  # the folder is locked
            raise DatabaseUnavailable(
                f"the folder {folder} is already in use: only a Qdrant server can be shared, so set url instead of path"
            ) from error
        except OSError as error:
            why = (error.strerror or "unknown reason").lower()
            raise DatabaseUnavailable(f"the folder {folder} can't be used: {why}") from error
    engine = QdrantEngine(settings, client)
    try:
        engine.prepare()
    except BaseException:
        engine.close()
        raise
    return engine


class QdrantEngine:
    def __init__(self, settings: VectorSettings, client: QdrantClient) -> None:
        self._settings = settings
        self._client = client
        self._name = settings.id
        self._where = f"qdrant at {settings.shown_url() or settings.path}"
        # The client's own storage is not thread-safe; a server is.
        self._lock = nullcontext() if settings.url is not None else RLock()

    def prepare(self) -> None:
        wanted = models.VectorParams(size=self._settings.dimension, distance=_DISTANCES[self._settings.metric])
        with self._errors():
            if not self._client.collection_exists(self._name):
                self._client.create_collection(self._name, vectors_config=wanted)
            found = self._client.get_collection(self._name).config.params.vectors
        if not isinstance(found, models.VectorParams):
            raise ConfigurationError(f"the Qdrant collection {self._name!r} has named vectors: choose another id")
        if (found.size, found.distance) != (wanted.size, wanted.distance):
            raise ConfigurationError(
                f"the Qdrant collection {self._name!r} has dimension {found.size} and distance {found.distance.value}, "
                f"not {wanted.size} and {wanted.distance.value}: set those, or choose another id"
            )

    def upsert(self, records: list[Checked]) -> None:
        for batch in in_batches(records, _BATCH):
            points = [
                models.PointStruct(
                    id=_point(record.id),
                    vector=record.vector.tolist(),
                    payload={
                        "id": record.id,
                        "text": record.text,
                        "metadata": record.metadata,
                        "tokens": tokens(record.metadata),
                    },
                )
                for record in batch
            ]
            with self._errors():
                self._client.upsert(self._name, points, wait=True)

    def search(self, vector: Vector, top_k: int, wanted: Wanted) -> list[Match]:
        with self._errors():
            found = self._client.query_points(
                self._name,
                query=vector.tolist(),
                limit=top_k,
                query_filter=_filter(wanted) if wanted else None,
                with_payload=["id", "text", "metadata"],
            )
        return [self._match(point.score, point.payload or {}) for point in found.points]

    def delete_ids(self, ids: list[str]) -> int:
        points: list[Any] = [_point(id) for id in ids]
        with self._errors():
            there = len(self._client.retrieve(self._name, points, with_payload=False))
            self._client.delete(self._name, models.PointIdsList(points=points), wait=True)
        return there

    def delete_matching(self, wanted: Wanted) -> int:
        which = _filter(wanted)
        with self._errors():
            there = self._client.count(self._name, count_filter=which, exact=True).count
            self._client.delete(self._name, models.FilterSelector(filter=which), wait=True)
        return there

    def count(self) -> int:
        with self._errors():
            return self._client.count(self._name, exact=True).count

    def close(self) -> None:
        self._client.close()

    def _match(self, score: float, payload: dict[str, Any]) -> Match:
        closeness = l2_score(score) if self._settings.metric == "l2" else score
        return Match(payload["id"], payload["text"], payload["metadata"], closeness)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except ResponseHandlingException as error:
                if isinstance(error.source, TimeoutException):
                    raise DatabaseTimeout(f"{self._where} did not answer in time: raise options.timeout") from error
                if isinstance(error.source, ValueError):
                    raise self._another_service() from error
                raise DatabaseUnavailable(f"{self._where} can't be reached") from error
            except UnexpectedResponse as error:
                if error.status_code in (401, 403):
                    raise DatabaseUnavailable(f"{self._where} refuses the key: set options.api_key") from error
                raise DatabaseError(f"{self._where} refused (HTTP status {error.status_code})") from error
            except (ApiException, QdrantException) as error:
                raise DatabaseUnavailable(f"{self._where} is too busy") from error
            except (JSONDecodeError, AssertionError) as error:  # the client asserts that an answer is complete
                raise self._another_service() from error
            except (sqlite3.Error, OSError) as error:
                full = "full" in str(error) or "I/O" in str(error)
                raise (DatabaseFull if full else DatabaseError)(f"{self._where} can't be written or read") from error

    def _another_service(self) -> DatabaseError:
        return DatabaseError(f"{self._where} does not answer as Qdrant does: is it another service?")


def _point(id: str) -> str:
    return str(uuid5(_IDS, id))


def _filter(wanted: Wanted) -> models.Filter:
    return models.Filter(
        must=[
            models.FieldCondition(key=f"tokens.{name}", match=models.MatchAny(any=values))
            for name, values in tokens(wanted).items()
        ]
    )
