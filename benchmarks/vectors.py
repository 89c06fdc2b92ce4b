"""``python -m benchmarks.vectors``: how long the four engines of vectors take to write and to search, side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table
from tests.statestore.vectors.redis_server import redis_server

from benchmarks import report
from benchmarks.databases import postgres_server
from diglot.statestore.vectors import Record, VectorSettings, open_vectors
from diglot.statestore.vectors.settings import Provider
from diglot.statestore.vectors.store import VectorStore

BATCH = 500
TOP_K = 10


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--records", default=10_000, show_default=True, type=click.IntRange(BATCH))
@click.option("--dimension", default=128, show_default=True, type=click.IntRange(1, 2_000))
@click.option("--searches", default=100, show_default=True, type=click.IntRange(2), help="Of each kind.")
def main(records: int, dimension: int, searches: int) -> None:
    """Write random vectors in batches of 500 and one by one, and search them with and without a filter.

    Each engine is real and local: pgvector in an embedded PostgreSQL, Redis on a unix socket, Qdrant's client in
    memory (a Qdrant server is not measured), and a file.
    """
    console = Console(width=None if Console().is_terminal else 200)
    random = np.random.default_rng(1)
    points = random.normal(size=(records, dimension)).astype(np.float32)
    asked = random.normal(size=(searches, dimension)).astype(np.float32)
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    nearest = np.argsort(-(asked @ unit.T), axis=1)[:, :TOP_K]
    table = Table(title=f"{records} vectors of {dimension} dimensions, milliseconds: median (99 of 100)")
    for title in ("engine", "load, records/s", "upsert of 1", "search", "search, 1 in 10 match", "recall@10", "reopen"):
        table.add_column(title, justify="left" if title == "engine" else "right")
    with engines() as found:
        for title, settings in found:
            with console.status(title):
                table.add_row(title, *measured(settings(dimension), points, asked, nearest))
    console.print(report.machine())
    console.print(table)


def measured(settings: VectorSettings, points: Any, asked: Any, nearest: Any) -> Iterator[str]:
    with open_vectors(settings) as docs:
        records = [
            Record(f"p{number}", point, text="a text " * 20, metadata={"part": number % 10, "tags": ["a", "b"]})
            for number, point in enumerate(points)
        ]
        start = time.perf_counter()
        for first in range(0, len(records), BATCH):
            docs.upsert(records[first : first + BATCH])
        yield f"{len(records) / (time.perf_counter() - start):,.0f}"
        yield each(lambda number: docs.upsert([Record(f"q{number}", asked[number])]), len(asked))
        docs.delete([f"q{number}" for number in range(len(asked))])
        yield each(lambda number: docs.search(asked[number], TOP_K), len(asked))
        yield each(lambda number: docs.search(asked[number], TOP_K, filters={"part": 3}), len(asked))
        yield f"{recall(docs, asked, nearest):.3f}"
    start = time.perf_counter()
    with open_vectors(settings) as docs:
        docs.count()
    yield f"{(time.perf_counter() - start) * 1000:.0f}"


def each(action: Callable[[int], Any], times: int) -> str:
    seconds = []
    for number in range(times):
        start = time.perf_counter()
        action(number)
        seconds.append(time.perf_counter() - start)
    middle, late = np.percentile(seconds, [50, 99]) * 1000
    return f"{middle:.2f} ({late:.1f})"


def recall(docs: VectorStore, asked: Any, nearest: Any) -> float:
    hits = 0
    for query, best in zip(asked, nearest, strict=True):
        hits += len({match.id for match in docs.search(query, TOP_K)} & {f"p{number}" for number in best})
    return hits / nearest.size


Settings = Callable[[int], VectorSettings]


@contextmanager
def engines() -> Iterator[list[tuple[str, Settings]]]:
    def settings(provider: Provider, id: str, **more: Any) -> Settings:
        return lambda dimension: VectorSettings(id=id, provider=provider, dimension=dimension, **more)

    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="diglot-vectors-")))
        postgres = stack.enter_context(postgres_server(18))
        redis = stack.enter_context(redis_server())
        url = postgres.new()
        yield [
            ("pgvector, hnsw", settings("pgvector", "hnsw", url=url)),
            ("pgvector, exact", settings("pgvector", "exact", url=url, options={"index": "none"})),
            ("redis", settings("redis", "docs", url=redis)),
            ("qdrant, :memory:", settings("qdrant", "docs", path=":memory:")),
            ("filesystem", settings("filesystem", "docs", path=str(folder / "docs.vectors"))),
        ]


if __name__ == "__main__":
    main()
