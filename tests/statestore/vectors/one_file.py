"""One file of vectors, opened by its path; what the tests about its bytes share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diglot.statestore.vectors import Record, VectorSettings, open_vectors
from diglot.statestore.vectors.store import VectorStore

A, B, C = Record("a", [1, 0, 0], text="first"), Record("b", [0, 1, 0]), Record("c", [0, 0, 1])


def opened(file: Path, **more: Any) -> VectorStore:
    options = {"lock_timeout": more.pop("lock_timeout", 5.0)}
    settings = {"id": "docs", "provider": "filesystem", "dimension": 3, "path": str(file), "options": options}
    return open_vectors(VectorSettings(**settings | more))


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
