"""One outage: PostgreSQL goes away while clients write and read, comes back, and nobody touches the service."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import NamedTuple

from tests.postgres_server import PostgresServer

from benchmarks.outages.clients import Answer, Clients, Kept, kept
from diglot import statestore

WAYS: dict[str, Callable[[PostgresServer], None]] = {
    "pg_ctl stop -m fast": lambda server: server.stop("fast"),
    "pg_ctl stop -m immediate": lambda server: server.stop("immediate"),
    "kill -9 of all its processes": lambda server: server.kill(),
}
_PATIENCE = 60.0


class Outage(NamedTuple):
    """Times in seconds. ``ready`` and ``served`` count from when PostgreSQL takes connections again."""

    way: str
    away: float
    ready: float
    """Until /readyz says 200."""
    served: float
    """Until a write is acknowledged."""
    requests: int
    failed: int
    """Those that were answered with 503."""
    other: int
    """Those that got another error, or no answer: must be 0."""
    longest: float
    kept: Kept


class Load(NamedTuple):
    """How hard the clients work, and for how long before, during and after the outage."""

    writers: int
    readers: int
    pause: float
    before: int
    """Writes acknowledged before PostgreSQL goes away, and again after it came back."""
    failures: int
    """Requests refused before it is started again; 0: it is started again at once."""


def outage(server: PostgresServer, url: str, key: str, way: str, load: Load, *, timeout: float) -> Outage:
    """Take the server away and bring it back; ``timeout`` is the service's for a request."""
    with Clients(
        url, key, writers=load.writers, readers=load.readers, pause=load.pause, timeout=timeout + _PATIENCE
    ) as clients:
        clients.wait_for("writes before the outage", lambda answers: _written(answers, 0.0) >= load.before)
        left = time.monotonic()
        WAYS[way](server)
        clients.wait_for("requests refused", lambda answers: sum(a.status == 503 for a in answers) >= load.failures)
        server.start()
        back = time.monotonic()
        ready = _until_ready(url) - back
        clients.wait_for("writes after the outage", lambda answers: _written(answers, back) >= load.before)
    answers = clients.answers
    served = min(answer.ended for answer in answers if _is_write(answer) and answer.ended > back) - back
    with statestore.open(server.url(), migrate=False) as database:
        found = kept(answers, database)
    return Outage(
        way if load.failures else f"{way}, back at once",
        away=back - left,
        ready=ready,
        served=served,
        requests=len(answers),
        failed=sum(answer.status == 503 for answer in answers),
        other=sum(answer.status not in (200, 201, 503) for answer in answers),
        longest=max(answer.seconds for answer in answers),
        kept=found,
    )


def _is_write(answer: Answer) -> bool:
    return answer.number is not None and answer.status in (200, 201)


def _written(answers: list[Answer], since: float) -> int:
    return sum(1 for answer in answers if answer.began >= since and _is_write(answer))


def _until_ready(url: str) -> float:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=_PATIENCE):  # noqa: S310
                return time.monotonic()
        except urllib.error.HTTPError as error:
            error.close()
            time.sleep(0.02)
    raise RuntimeError(f"the service was not ready {_PATIENCE:g} s after PostgreSQL was back")
