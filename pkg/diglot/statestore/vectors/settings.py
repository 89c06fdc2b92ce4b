"""The settings that a collection of vectors needs.

Plain structs, from the application or from ``[[knowledge.vector_dbs]]`` in ``diglot.toml``. An error names the wrong
key and what is allowed; an address may have a password, so it is never repeated.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import msgspec

from diglot.errors import ConfigurationError
from diglot.statestore.vectors.providers import PROVIDERS, Metric, Options, Provider
from diglot.stores.sqlite.path import expanded

MAX_DIMENSION = 16_000

_ID = re.compile(r"[a-z][a-z0-9_-]{0,47}\Z")


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
        """Raises ConfigurationError, with the dotted key below ``key``, for the first invalid setting."""
        if self.provider not in PROVIDERS:
            raise ConfigurationError(f"{key}.provider: unknown vector database: use {_either(tuple(PROVIDERS))}")
        if not _ID.match(self.id):
            raise ConfigurationError(
                f"{key}.id: use at most 48 lower-case letters, digits, '_' and '-', beginning with a letter"
            )
        if not 1 <= self.dimension <= MAX_DIMENSION:
            raise ConfigurationError(f"{key}.dimension: use a whole number from 1 to {MAX_DIMENSION}")
        metrics = PROVIDERS[self.provider].metrics
        if self.metric not in metrics:
            raise ConfigurationError(
                f"{key}.metric: {self.provider} has no {self.metric!r}: use {_either(metrics)}, or another provider"
            )
        self._check_place(key)
        problem = self.typed_options(key).problem(self.dimension, key)
        if problem is not None:
            raise ConfigurationError(problem)

    def typed_options(self, key: str = "vectors") -> Options:
        """``options`` in the provider's types. Raises ConfigurationError for an unknown key or a wrong value."""
        kind = PROVIDERS[self.provider].options
        try:
            return msgspec.convert(self.options, kind)
        except msgspec.ValidationError as error:
            known = ", ".join(kind.__struct_fields__)
            raise ConfigurationError(f"{key}.options: {said(error)}: {self.provider} has the options {known}") from None

    def shown_url(self) -> str | None:
        """The address without possible secrets: the user, the password and the parameters."""
        if self.url is None:
            return None
        try:
            parts = urlsplit(self.url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            return "***"
        # A password that was not percent-encoded may be anywhere.
        if not re.fullmatch(r"[\w.:-]*", host) or "#" in self.url or "@" in parts.path + parts.query:
            return "***"
        hidden = "***@" if "@" in parts.netloc else ""
        return f"{parts.scheme}://{hidden}{host}{f':{port}' if port else ''}{parts.path}{'?***' if parts.query else ''}"

    def _check_place(self, key: str) -> None:
        provider, url, path = self.provider, self.url, self.path
        of = PROVIDERS[provider]
        if url is not None and of.address is None:
            raise ConfigurationError(f"{key}.url: the provider {provider} uses a {of.path}: set {key}.path")
        if path is not None and of.path is None:
            raise ConfigurationError(f"{key}.path: {provider} is a server: set {key}.url")
        if of.address is not None and of.path is not None and (url is None) == (path is None):
            raise ConfigurationError(
                f'{key}: {provider} needs either url = "{of.address.example}" or path = "./{of.path.upper()}" '
                "(':memory:' for tests)"
            )
        if of.address is not None and of.path is None and url is None and not of.in_database:
            raise ConfigurationError(f"{key}.url: {provider} needs an address: use {of.address.example}")
        if path is not None and (not path.strip() or not path.isprintable() or "://" in path):
            raise ConfigurationError(f"{key}.path: use the path of a {of.path}")
        if url is None or of.address is None:
            return
        if url.partition("://")[0] not in of.address.schemes:
            raise ConfigurationError(f"{key}.url: this is not an address for {provider}: use {of.address.example}")
        problem = of.address.problem(url)
        if problem is not None:
            raise ConfigurationError(f"{key}.url: {problem}")

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
    """msgspec's message without the root of its path, as part of a sentence."""
    text, _, path = str(error).partition(" - at `")
    where = path.rstrip("`").removeprefix("$").removeprefix(".")
    text = text[:1].lower() + text[1:]
    return f"{where}: {text}" if where else text


def _either(names: tuple[str, ...]) -> str:
    quoted = [f"'{name}'" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"
