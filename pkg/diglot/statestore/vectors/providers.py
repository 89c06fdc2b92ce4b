"""The providers of vectors: one description each, which is all that the rest of the package knows about them.

A new provider needs a ``Provider`` name, options and a description here, and a module with its engine, whose
``open_engine(settings, database)`` opens a collection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, get_args
from urllib.parse import parse_qsl, urlsplit

import msgspec
from msgspec import Meta

from diglot.errors import ConfigurationError
from diglot.stores.url import parse_url

Provider = Literal["pgvector", "qdrant", "redis", "filesystem"]
Metric = Literal["cosine", "l2", "ip"]
Seconds = Annotated[float, Meta(gt=0, le=3600)]

METRICS: tuple[Metric, ...] = get_args(Metric)
MAX_INDEXED_DIMENSION = 2_000
"""The limit of pgvector's HNSW."""
_REDIS_PARAMETERS = frozenset({"db", "username", "password", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})


# --- options -----------------------------------------------------------------------------------------------


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A provider's ``options``."""

    def problem(self, dimension: int, key: str) -> str | None:
        """Why vectors of this length can't be stored with these options, with the dotted key below ``key``."""
        return None


class PgvectorOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``index = "none"`` is exact search. ``m``, ``ef_construction`` and ``ef_search`` are for hnsw, ``lists`` and
    ``probes`` for ivfflat."""

    index: Literal["hnsw", "ivfflat", "none"] = "hnsw"
    m: Annotated[int, Meta(ge=2, le=100)] = 16
    ef_construction: Annotated[int, Meta(ge=4, le=1000)] = 64
    ef_search: Annotated[int, Meta(ge=1, le=1000)] = 250
    lists: Annotated[int, Meta(ge=1, le=32_768)] = 100
    probes: Annotated[int, Meta(ge=1, le=32_768)] = 20

    def problem(self, dimension: int, key: str) -> str | None:
        if self.index == "none" or dimension <= MAX_INDEXED_DIMENSION:
            return None
        return (
            f"{key}.dimension: pgvector can index at most {MAX_INDEXED_DIMENSION}: use fewer, or "
            f'{key}.options.index = "none" for exact search'
        )


class QdrantOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    api_key: str | None = None
    timeout: Seconds = 10.0

    def __repr__(self) -> str:
        return f"QdrantOptions(api_key={'***' if self.api_key else None}, timeout={self.timeout})"

    __str__ = __repr__

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("api_key", "***" if self.api_key else None), ("timeout", self.timeout)]


class RedisOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``key`` is the vector set's, ``diglot:vectors:ID`` by default. ``int8`` and ``binary`` save memory."""

    key: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    quantization: Literal["none", "int8", "binary"] = "none"
    m: Annotated[int, Meta(ge=4, le=4096)] = 16
    ef_construction: Annotated[int, Meta(ge=1, le=1_000_000)] = 200
    ef_search: Annotated[int, Meta(ge=1, le=1_000_000)] = 300
    timeout: Seconds = 5.0


class FilesystemOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``lock_timeout``: seconds to wait for another process."""

    lock_timeout: Seconds = 5.0


# --- addresses ---------------------------------------------------------------------------------------------


def _problem_of_postgres(url: str) -> str | None:
    try:
        parse_url(url)
    except ConfigurationError as error:
        return str(error)
    return None


def _problem_of_http(url: str) -> str | None:
    return None if _parts(url, needs_host=True) else "this address can't be read: use http://HOST:6333"


def _problem_of_redis(url: str) -> str | None:
    if not _parts(url, needs_host=False):
        return f"this address can't be read: use {_REDIS}"
    if not _REDIS_PARAMETERS.issuperset(name for name, _ in parse_qsl(urlsplit(url).query)):
        return (
            f"the address of redis can only have the parameters {', '.join(sorted(_REDIS_PARAMETERS))}: "
            "leave the others out"
        )
    return None


def _parts(url: str, *, needs_host: bool) -> bool:
    """Whether the address has the parts that it needs."""
    try:
        parts = urlsplit(url)
        return parts.port != 0 and (bool(parts.hostname) or not needs_host)
    except ValueError:
        return False


class Address(msgspec.Struct, frozen=True):
    """What ``url`` is. ``problem`` says what the provider's library can't read, and never repeats the url."""

    schemes: tuple[str, ...]
    example: str
    problem: Callable[[str], str | None]


# --- descriptions ------------------------------------------------------------------------------------------


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider is and can do. ``address`` and ``path``: where it stores vectors; if it has both, set only one.

    ``in_database``: without an address it uses the state store's own PostgreSQL.
    """

    title: str
    options: type[Options]
    module: str
    packages: tuple[str, ...] = ("numpy",)
    extra: str = "vectors"
    metrics: tuple[Metric, ...] = METRICS
    address: Address | None = None
    path: Literal["file", "folder"] | None = None
    in_database: bool = False


_REDIS = "redis://HOST:6379/0 or unix:///PATH/redis.sock"
PROVIDERS: dict[Provider, Description] = {
    "pgvector": Description(
        title="pgvector",
        options=PgvectorOptions,
        module="diglot.statestore.vectors.pgvector",
        address=Address(("postgresql", "postgres"), "postgresql://USER@HOST/DBNAME", _problem_of_postgres),
        in_database=True,
    ),
    "qdrant": Description(
        title="Qdrant",
        options=QdrantOptions,
        module="diglot.statestore.vectors.qdrant",
        packages=("numpy", "qdrant_client"),
        address=Address(("http", "https"), "http://HOST:6333", _problem_of_http),
        path="folder",
    ),
    "redis": Description(
        title="Redis",
        options=RedisOptions,
        module="diglot.statestore.vectors.redis",
        packages=("numpy", "redis"),
        metrics=("cosine",),  # a vector set has no other
        address=Address(("redis", "rediss", "unix"), _REDIS, _problem_of_redis),
    ),
    "filesystem": Description(
        title="Filesystem",
        options=FilesystemOptions,
        module="diglot.statestore.vectors.filesystem",
        path="file",
    ),
}
