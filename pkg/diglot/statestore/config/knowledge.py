"""The section ``[knowledge]`` of ``diglot.toml``: whether texts are looked up by meaning, and in which databases.

[knowledge]
enabled = true

[[knowledge.vector_dbs]]
id = "docs"
provider = "qdrant"
url = "https://qdrant.example.org:6333"
dimension = 768
options = { api_key = "…" }
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from diglot.errors import ConfigurationError
from diglot.project_file import read_project_file
from diglot.statestore.config import HIDDEN, Value
from diglot.statestore.vectors.providers import METRICS, PROVIDERS
from diglot.statestore.vectors.settings import KnowledgeSettings

if TYPE_CHECKING:
    from diglot.statestore.config import Config

_SECRET = re.compile(r"pass|secret|token|api_key", re.IGNORECASE)
_ALLOWED = {
    "provider": f"use {', '.join(map(repr, PROVIDERS))}",
    "metric": f"use {', '.join(map(repr, METRICS))}",
    "dimension": "use a whole number, the length of your model's vectors",
    "options": "use a table, as in options = { timeout = 5.0 }",
    "enabled": "use true or false",
    "vector_dbs": "write each as a section [[knowledge.vector_dbs]]",
}


def load_knowledge(config_file: Path | str | None) -> tuple[KnowledgeSettings, str]:
    """The settings in the file (or in ``diglot.toml`` of the current folder), and its name; "" if it has none.

    A ConfigurationError names the key and what is allowed. The caller has already checked that the file is TOML.
    """
    read = read_project_file(None if config_file is None else Path(config_file))
    if read is None or "knowledge" not in read.tables:
        return KnowledgeSettings(), ""
    file = read.path
    knowledge = read.section("knowledge", KnowledgeSettings, _ALLOWED)
    seen: set[str] = set()
    for number, settings in enumerate(knowledge.vector_dbs):
        key = f"knowledge.vector_dbs[{number}]"
        try:
            settings.check(key)
        except ConfigurationError as error:
            raise ConfigurationError(f"{error} ({file})") from None
        if settings.id in seen:
            raise ConfigurationError(
                f"{key}.id: {settings.id!r} appears twice: give each vector database its own ({file})"
            )
        seen.add(settings.id)
    return knowledge, str(file)


def check_knowledge(config: Config) -> None:
    """The start-up rules: SQLite itself stores no vectors. A ConfigurationError names the key and what to do."""
    if config.driver != "sqlite":
        return
    for number, settings in enumerate(config.knowledge.vector_dbs):
        if PROVIDERS[settings.provider].in_database:
            raise ConfigurationError(
                f"knowledge.vector_dbs[{number}].provider: {settings.provider} ({settings.id!r}) needs PostgreSQL, but "
                f"the database is SQLite: use {_elsewhere()}, or keep the state store on PostgreSQL (DATABASE_URL)"
            )
    if config.knowledge.enabled and not config.knowledge.vector_dbs:
        raise ConfigurationError(
            "knowledge.enabled is true, but knowledge.vector_dbs is empty, and SQLite stores no vectors: add a section "
            f"[[knowledge.vector_dbs]] with {_elsewhere()}, or set knowledge.enabled = false"
        )


def _elsewhere() -> str:
    """The providers that do not need PostgreSQL, as part of a sentence."""
    *first, last = (f"{of.title} ({name!r})" for name, of in PROVIDERS.items() if not of.in_database)
    return f"{', '.join(first)} or {last}"


def shown_knowledge(knowledge: KnowledgeSettings) -> Iterator[tuple[str, Value]]:
    """(key, value) of each setting; possible secrets in addresses and options are hidden."""
    yield "knowledge.enabled", knowledge.enabled
    for settings in knowledge.vector_dbs:
        prefix = f"knowledge.vector_dbs.{settings.id}"
        yield f"{prefix}.provider", settings.provider
        yield f"{prefix}.url", settings.shown_url()
        yield f"{prefix}.path", settings.path
        yield f"{prefix}.dimension", settings.dimension
        yield f"{prefix}.metric", settings.metric
        for name, value in sorted(settings.options.items()):
            yield f"{prefix}.options.{name}", HIDDEN if _SECRET.search(name) else value
