"""``vectors`` runs a test on every provider, each with a real engine: pgvector on PostgreSQL 16 and 18, Redis, both of
Qdrant's local forms, and files."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest

from diglot.statestore.vectors import VectorSettings, open_vectors
from diglot.statestore.vectors.providers import PROVIDERS, Metric, Provider
from diglot.statestore.vectors.store import VectorStore
from tests.databases import POSTGRES, POSTGRES_PARAMS, Databases
from tests.statestore.vectors.redis_server import HAS_REDIS, NO_REDIS, redis_server

KINDS = [*POSTGRES_PARAMS, "redis", "qdrant-memory", "file"]
LASTING = [*POSTGRES_PARAMS, "redis", "qdrant-folder", "file"]
ONE_EACH = [POSTGRES_PARAMS[-1], "redis", "qdrant-memory", "file"]
APPROXIMATE = [POSTGRES_PARAMS[-1], "redis"]
_numbers = itertools.count()


class Opener:
    """Opens collections of one provider, new ones unless an id is given, and closes them."""

    def __init__(self, provider: Provider, place: dict[str, Any], stack: ExitStack) -> None:
        self.provider = provider
        self.metrics = PROVIDERS[provider].metrics
        self.place = place
        self._stack = stack

    def settings(self, dimension: int = 3, metric: Metric = "cosine", **more: Any) -> VectorSettings:
        id = more.pop("id", f"c{next(_numbers)}")
        place = dict(self.place)
        if self.provider == "filesystem":
            place["path"] = f"{place['path']}/{id}.vectors"
        return VectorSettings(id=id, provider=self.provider, dimension=dimension, metric=metric, **place | more)

    def __call__(self, dimension: int = 3, metric: Metric = "cosine", **more: Any) -> VectorStore:
        return self._stack.enter_context(open_vectors(self.settings(dimension, metric, **more)))


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    if not HAS_REDIS:
        pytest.skip(NO_REDIS)
    with redis_server() as url:
        yield url


@pytest.fixture(scope="session")
def vector_databases(databases: Databases) -> Iterator[Callable[[str], str]]:
    """The URL of one database for all vectors of the session, by the name of the server."""
    made: dict[str, str] = {}

    def url(kind: str) -> str:
        if kind not in made:
            made[kind] = databases.postgres(kind).create(migrated=False)
        return databases.postgres(kind).url(made[kind])

    yield url
    for kind, name in made.items():
        databases.postgres(kind).drop(name)


@pytest.fixture(params=KINDS)
def vectors(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    yield from opener(request, request.param, tmp_path)


@pytest.fixture(params=LASTING)
def lasting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """As ``vectors``, where what was written outlives the process."""
    yield from opener(request, request.param, tmp_path)


@pytest.fixture(params=APPROXIMATE)
def approximate(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """As ``vectors``, where a search walks through an index."""
    yield from opener(request, request.param, tmp_path)


@pytest.fixture(scope="module", params=ONE_EACH)
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VectorStore]:
    """One collection with four records for the tests that change nothing."""
    from tests.statestore.vectors.test_same_meaning import LAWS

    for openers in opener(request, request.param, tmp_path_factory.mktemp("vectors")):
        docs = openers()
        docs.upsert(LAWS)
        yield docs


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a file of vectors may be made."""
    return tmp_path / "folder" / "docs.vectors"


def opener(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> Iterator[Opener]:
    provider, place = _provider(request, kind, tmp_path)
    with ExitStack() as stack:
        yield Opener(provider, place, stack)


def _provider(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> tuple[Provider, dict[str, Any]]:
    if kind in POSTGRES:
        databases = cast(Callable[[str], str], request.getfixturevalue("vector_databases"))
        return "pgvector", {"url": databases(kind)}
    if kind == "redis":
        return "redis", {"url": request.getfixturevalue("redis_url")}
    if kind == "file":
        return "filesystem", {"path": str(tmp_path)}
    return "qdrant", {"path": ":memory:" if kind == "qdrant-memory" else str(tmp_path / "qdrant")}
