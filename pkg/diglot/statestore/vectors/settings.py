"""What a collection of vectors needs to know to open, and what each provider can do.

Plain structs, made by the application or by ``[[knowledge.vector_dbs]]`` of ``diglot.toml``. A message names the key
that is wrong and what is allowed there; an address may hold a password, so it is never repeated.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, get_args
from urllib.parse import parse_qsl, urlsplit

import msgspec
from msgspec import Meta

from diglot.errors import ConfigurationError
from diglot.stores.sqlite.path import expanded
from diglot.stores.url import parse_url

Provider = Literal["pgvector", "qdrant", "redis", "filesystem"]
Metric = Literal["cosine", "l2", "ip"]
Seconds = Annotated[float, Meta(gt=0, le=3600)]

PROVIDERS: tuple[Provider, ...] = get_args(Provider)
METRICS: dict[Provider, tuple[Metric, ...]] = {
    "pgvector": ("cosine", "l2", "ip"),
    "qdrant": ("cosine", "l2", "ip"),
    "redis": ("cosine",),
    "filesystem": ("cosine", "l2", "ip"),
}
"""What each engine has: a vector set of Redis knows the cosine alone."""
MAX_DIMENSION = 16_000
MAX_INDEXED_DIMENSION = 2_000
"""pgvector's HNSW takes no more."""

_ID = re.compile(r"[a-z][a-z0-9_-]{0,47}\Z")
_SCHEMES: dict[Provider, tuple[str, ...]] = {
    "pgvector": ("postgresql", "postgres"),
    "qdrant": ("http", "https"),
    "redis": ("redis", "rediss", "unix"),
}
_ADDRESS: dict[Provider, str] = {
    "pgvector": "postgresql://USER@HOST/DBNAME",
    "qdrant": "http://HOST:6333",
    "redis": "redis://HOST:6379/0 or unix:///PATH/redis.sock",
}

_REDIS_PARAMETERS = frozenset({"db", "username", "password", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})


class PgvectorOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``index = "none"`` is exact search. ``m``, ``ef_construction`` and ``ef_search`` are of hnsw, ``lists`` and
    ``probes`` of ivfflat."""

    index: Literal["hnsw", "ivfflat", "none"] = "hnsw"
    m: Annotated[int, Meta(ge=2, le=100)] = 16
    ef_construction: Annotated[int, Meta(ge=4, le=1000)] = 64
    ef_search: Annotated[int, Meta(ge=1, le=1000)] = 250
    lists: Annotated[int, Meta(ge=1, le=32_768)] = 100
    probes: Annotated[int, Meta(ge=1, le=32_768)] = 20


class QdrantOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    api_key: str | None = None
    timeout: Seconds = 10.0

    def __repr__(self) -> str:
        return f"QdrantOptions(api_key={'***' if self.api_key else None}, timeout={self.timeout})"

    __str__ = __repr__

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("api_key", "***" if self.api_key else None), ("timeout", self.timeout)]


class RedisOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``key`` is the vector set's, ``diglot:vectors:ID`` by default. ``int8`` and ``binary`` save memory."""

    key: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    quantization: Literal["none", "int8", "binary"] = "none"
    m: Annotated[int, Meta(ge=4, le=4096)] = 16
    ef_construction: Annotated[int, Meta(ge=1, le=1_000_000)] = 200
    ef_search: Annotated[int, Meta(ge=1, le=1_000_000)] = 300
    timeout: Seconds = 5.0


class FilesystemOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``lock_timeout``: seconds to wait for another process."""

    lock_timeout: Seconds = 5.0


Options = PgvectorOptions | QdrantOptions | RedisOptions | FilesystemOptions
_OPTIONS: dict[Provider, type[Options]] = {
    "pgvector": PgvectorOptions,
    "qdrant": QdrantOptions,
    "redis": RedisOptions,
    "filesystem": FilesystemOptions,
}


class VectorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A collection: ``id`` is its name, ``dimension`` the length of its vectors. ``options`` are the provider's."""

    id: str
    provider: Provider
    dimension: int
    metric: Metric = "cosine"
    url: str | None = None
    path: str | None = None
    options: dict[str, Any] = {}

    def __post_init__(self) -> None:
        if self.path is not None and "~" in self.path:
            place = expanded(self.path, f"the path of the vectors {self.id!r}")
            msgspec.structs.force_setattr(self, "path", place)

    def check(self, key: str = "vectors") -> None:
        """ConfigurationError, with the dotted key below ``key``, for the first thing that is not right."""
        if self.provider not in PROVIDERS:
            raise ConfigurationError(f"{key}.provider: unknown vector database: use {_either(PROVIDERS)}")
        if not _ID.match(self.id):
            raise ConfigurationError(
                f"{key}.id: use at most 48 small letters, digits, '_' and '-', beginning with a letter"
            )
        if not 1 <= self.dimension <= MAX_DIMENSION:
            raise ConfigurationError(f"{key}.dimension: use a whole number from 1 to {MAX_DIMENSION}")
        if self.metric not in METRICS[self.provider]:
            raise ConfigurationError(
                f"{key}.metric: {self.provider} has no {self.metric!r}: use {_either(METRICS[self.provider])}, "
                "or another provider"
            )
        self._check_place(key)
        options = self.typed_options(key)
        if isinstance(options, PgvectorOptions) and options.index != "none" and self.dimension > MAX_INDEXED_DIMENSION:
            raise ConfigurationError(
                f"{key}.dimension: pgvector can index at most {MAX_INDEXED_DIMENSION}: use fewer, or "
                f'{key}.options.index = "none" for exact search'
            )

    def typed_options(self, key: str = "vectors") -> Options:
        """``options`` in the provider's types; ConfigurationError for an unknown key or a wrong value."""
        try:
            return msgspec.convert(self.options, _OPTIONS[self.provider])
        except msgspec.ValidationError as error:
            known = ", ".join(_OPTIONS[self.provider].__struct_fields__)
            raise ConfigurationError(f"{key}.options: {said(error)}: {self.provider} knows {known}") from None

    def shown_url(self) -> str | None:
        """The address without what may be secret: the user, the password and the parameters."""
        if self.url is None:
            return None
        try:
            parts = urlsplit(self.url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            return "***"
        # A password that was not percent-encoded may have ended up anywhere.
        if not re.fullmatch(r"[\w.:-]*", host) or "#" in self.url or "@" in parts.path + parts.query:
            return "***"
        hidden = "***@" if "@" in parts.netloc else ""
        return f"{parts.scheme}://{hidden}{host}{f':{port}' if port else ''}{parts.path}{'?***' if parts.query else ''}"

    def _check_place(self, key: str) -> None:
        if self.url is not None and self.provider == "filesystem":
            raise ConfigurationError(f"{key}.url: the provider filesystem keeps a file: use {key}.path")
        if self.path is not None and self.provider in ("pgvector", "redis"):
            raise ConfigurationError(f"{key}.path: {self.provider} is a server: use {key}.url")
        if self.provider == "qdrant" and (self.url is None) == (self.path is None):
            raise ConfigurationError(
                f'{key}: qdrant needs either url = "http://HOST:6333" or path = "./FOLDER" (\':memory:\' for tests)'
            )
        if self.provider == "redis" and self.url is None:
            raise ConfigurationError(f"{key}.url: redis needs an address: use {_ADDRESS['redis']}")
        if self.path is not None and (not self.path.strip() or not self.path.isprintable() or "://" in self.path):
            raise ConfigurationError(
                f"{key}.path: use the path of a {'file' if self.provider != 'qdrant' else 'folder'}"
            )
        if self.url is not None and self.url.partition("://")[0] not in _SCHEMES[self.provider]:
            raise ConfigurationError(f"{key}.url: this is no address of {self.provider}: use {_ADDRESS[self.provider]}")
        if self.url is not None:
            self._check_address(self.url, key)

    def _check_address(self, url: str, key: str) -> None:
        """What the library of the provider would stumble over, before it is asked; never repeated."""
        if self.provider == "pgvector":
            try:
                parse_url(url)
            except ConfigurationError as error:
                raise ConfigurationError(f"{key}.url: {error}") from None
            return
        try:
            parts = urlsplit(url)
            readable = parts.port != 0 and (self.provider == "redis" or bool(parts.hostname))
        except ValueError:
            readable = False
        if not readable:
            raise ConfigurationError(f"{key}.url: this address can't be read: use {_ADDRESS[self.provider]}")
        if self.provider == "redis" and not _REDIS_PARAMETERS.issuperset(name for name, _ in parse_qsl(parts.query)):
            raise ConfigurationError(
                f"{key}.url: of the parameters of an address of redis only {', '.join(sorted(_REDIS_PARAMETERS))} are "
                "used: leave the others out"
            )

    def __repr__(self) -> str:
        return (
            f"VectorSettings(id={self.id!r}, provider={self.provider!r}, dimension={self.dimension}, "
            f"metric={self.metric!r}, url={self.shown_url()!r}, path={self.path!r}, options=***)"
        )

    __str__ = __repr__

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        shown = {"url": self.shown_url(), "options": "***"}
        return [(name, shown.get(name, getattr(self, name))) for name in self.__struct_fields__]


class KnowledgeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whether texts are looked up by their meaning, and the collections that they are in."""

    enabled: bool = False
    vector_dbs: tuple[VectorSettings, ...] = ()


def said(error: msgspec.ValidationError) -> str:
    """msgspec's complaint without its path's root, as a part of a sentence."""
    text, _, path = str(error).partition(" - at `")
    where = path.rstrip("`").removeprefix("$").removeprefix(".")
    text = text[:1].lower() + text[1:]
    return f"{where}: {text}" if where else text


def _either(names: tuple[str, ...]) -> str:
    quoted = [f"'{name}'" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"
