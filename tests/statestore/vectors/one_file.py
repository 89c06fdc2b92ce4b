"""One file of vectors, opened by its path; what the tests about its bytes share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diglot.statestore.vectors import Record, VectorSettings
from diglot.statestore.vectors.filesystem import open_engine
from diglot.statestore.vectors.store import VectorStore

A, B, C = Record("a", [1, 0, 0], text="first"), Record("b", [0, 1, 0]), Record("c", [0, 0, 1])


def opened(file: Path, **more: Any) -> VectorStore:
    options = {"lock_timeout": more.pop("lock_timeout", 5.0)}
    sizes = {name: more.pop(name) for name in ("compact_from", "batch_bytes") if name in more}
    given = {"id": "docs", "provider": "filesystem", "dimension": 3, "path": str(file), "options": options}
    settings = VectorSettings(**given | more)
    settings.check()
    return VectorStore(settings, open_engine(settings, **sizes))


def ids(file: Path) -> set[str]:
    with opened(file) as docs:
        return {match.id for match in docs.search([1, 1, 1], top_k=100)}


def written(file: Path, *batches: list[Record]) -> list[int]:
    """The size of the file after each batch, the empty file's first."""
    with opened(file) as docs:
        sizes = [file.stat().st_size]
        for batch in batches:
            docs.upsert(batch)
            sizes.append(file.stat().st_size)
    return sizes
