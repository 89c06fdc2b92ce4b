"""The health of the service: its checks, the database's figures, and the queries with the most total time."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
from litestar import Response, get

from diglot.statestore.server.auth.who import Me
from diglot.statestore.server.metrics import Metrics
from diglot.statestore.server.pages.rendering import rendered
from diglot.statestore.server.routes.health import Probe

MOST_QUERIES = 15
LIVE_SECONDS = 5
_LATENCY = "database_query_duration_seconds"
_OUTCOMES = "database_query_total"


class Figure(msgspec.Struct, frozen=True):
    """A gauge or a counter of the database, with its help text and its unit: bytes, seconds or nothing."""

    help: str
    value: float
    unit: str


class Query(msgspec.Struct):
    """A query and its totals since the service started."""

    name: str
    count: int = 0
    seconds: float = 0.0
    errors: int = 0


@get("/status")
async def status(request: Me) -> Response[Any]:
    """What /health and /metrics report, for people."""
    state = request.app.state
    probe: Probe = state.wellbeing
    health = await probe.ask()
    figures, queries = await asyncio.to_thread(_figures, state.metrics)
    return rendered(
        request,
        "status.html",
        health=health,
        driver=state.database.store.dialect,
        uptime=time.monotonic() - state.started,
        figures=figures,
        queries=queries[:MOST_QUERIES],
        live=LIVE_SECONDS,
    )


def _figures(metrics: Metrics) -> tuple[list[Figure], list[Query]]:
    """The store's figures, none while it can't be reached; and the queries, those with the most total time first."""
    figures: list[Figure] = []
    queries: dict[str, Query] = {}
    for metric in metrics.collect():
        if metric.name in (_LATENCY, _OUTCOMES.removesuffix("_total")):
            for sample in metric.samples:
                name = sample.labels["query"]
                _count(queries.setdefault(name, Query(name)), sample)
        elif metric.type in ("gauge", "counter") and metric.name.startswith("database_"):
            unit = next((unit for unit in ("bytes", "seconds") if metric.name.endswith(unit)), "")
            figures += [
                Figure(metric.documentation.rstrip("."), sample.value, unit)
                for sample in metric.samples
                if "kind" not in sample.labels and not sample.name.endswith("_created")
            ]
    return figures, sorted(queries.values(), key=lambda query: -query.seconds)


def _count(query: Query, sample: Any) -> None:
    if sample.name == f"{_LATENCY}_count":
        query.count += int(sample.value)
    elif sample.name == f"{_LATENCY}_sum":
        query.seconds += sample.value
    elif sample.name == _OUTCOMES and sample.labels["status"] == "error":
        query.errors += int(sample.value)


HANDLERS = [status]
