"""The service's metrics for Prometheus at ``/metrics``.

Every label has a fixed set of values: names of queries, kinds of errors, routes as declared. Nothing that a client
sends becomes a label.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from diglot.errors import DatabaseError, DiglotError
from diglot.sql.session import Dialect
from diglot.stores.statistics import STATISTICS
from diglot.stores.store import Store

M = TypeVar("M", Counter, Histogram)
CONTENT_TYPE = "text/plain; version=0.0.4"
_QUERY_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
REFUSALS = ("connections", "connections_of_address", "slow_body", "slow_reader", "bodies", "answers")
"""Why: too many connections in total or from one address, a body or a reader that is too slow, too many bytes of bodies
or of answers at once."""
_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")


class Metrics:
    """The counters and histograms of one service."""

    def __init__(self, driver: Dialect) -> None:
        self.driver = driver
        self.registry = CollectorRegistry()
        self._of_store = CollectorRegistry()
        self._children: dict[tuple[MetricWrapperBase, tuple[str, ...]], Any] = {}
        query = ["driver", "operation", "query"]
        self._seconds = Histogram(
            "database_query_duration_seconds",
            "How long a query took, including the wait for a connection.",
            query,
            buckets=_QUERY_SECONDS,
            registry=self.registry,
        )
        self._queries = Counter(
            "database_query_total", "Queries by outcome.", [*query, "status"], registry=self.registry
        )
        self._errors = Counter(
            "database_errors_total", "Database errors by kind.", ["driver", "kind"], registry=self.registry
        )
        self._lock_wait = Histogram(
            "database_lock_wait_seconds",
            "How long a transaction waited to write (SQLite), or a statement took to lock its rows (PostgreSQL).",
            ["driver"],
            buckets=_QUERY_SECONDS,
            registry=self.registry,
        ).labels(driver)
        self._attempts = Counter(
            "auth_attempts_total", "Attempts to sign in by outcome.", ["outcome"], registry=self.registry
        )
        for outcome in ("success", "missing", "failure", "limited"):
            self._attempts.labels(outcome)
        self._requests = Counter(
            "http_requests_total", "Requests by outcome.", ["method", "route", "status"], registry=self.registry
        )
        self._request_seconds = Histogram(
            "http_request_duration_seconds",
            "How long a request took.",
            ["method", "route"],
            buckets=_REQUEST_SECONDS,
            registry=self.registry,
        )
        self._refused = Counter(
            "http_refused_total",
            "Requests and connections that were refused or ended because they exceeded a limit.",
            ["reason"],
            registry=self.registry,
        )
        for reason in REFUSALS:
            self._refused.labels(reason)
        self.in_progress = Gauge("http_requests_in_progress", "Requests in progress.", registry=self.registry)

    def watch(self, store: Store) -> None:
        """Read this store's gauges whenever the metrics are requested."""
        self._of_store.register(_Gauges(store))

    def query(self, name: str, operation: str, seconds: float, error: BaseException | None) -> None:
        """Count a query that has ended."""
        labels = (self.driver, operation, name)
        self._child(self._seconds, labels).observe(seconds)
        self._child(self._queries, (*labels, "ok" if error is None else "error")).inc()
        if isinstance(error, DatabaseError):
            self.error(error)

    def error(self, error: DatabaseError) -> None:
        """Count a failure of the database or the connection to it."""
        self._errors.labels(self.driver, kind_of(type(error))).inc()

    def lock_wait(self, seconds: float) -> None:
        self._lock_wait.observe(seconds)

    def refused(self, reason: str) -> None:
        """Count a connection or a request that exceeded a limit: see ``REFUSALS``."""
        self._refused.labels(reason).inc()

    def attempt(self, outcome: str) -> None:
        """Count an attempt to sign in: success, missing (no key), failure, or limited (after too many failures)."""
        self._attempts.labels(outcome).inc()

    def request(self, method: str, route: str, status: int | None, seconds: float) -> None:
        """Count a request that has ended; status None: without an answer, because the client disconnected."""
        known = method if method in _METHODS else "other"
        self._child(self._requests, (known, route, "none" if status is None else str(status))).inc()
        self._child(self._request_seconds, (known, route)).observe(seconds)

    def _child(self, metric: M, labels: tuple[str, ...]) -> M:
        """The child metric for these labels, cached: the library's own lookup is slower. Their number is limited."""
        child: M | None = self._children.get((metric, labels))
        if child is None:
            child = self._children[metric, labels] = metric.labels(*labels)
        return child

    def text(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        return self.own_text() + generate_latest(self._of_store)

    def collect(self) -> Iterator[Metric]:
        """All metrics as families."""
        yield from self.registry.collect()
        yield from self._of_store.collect()

    def own_text(self) -> bytes:
        """The metrics that need no answer from the store."""
        return generate_latest(self.registry)


def kind_of(error: type[Exception]) -> str:
    """``unique_violation`` for UniqueViolation."""
    return _CAPITAL.sub("_", error.__name__).lower()


class _Gauges(Collector):
    """The store's own statistics, read on request."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        try:
            found: Mapping[str, float] = self._store.statistics()
        except (DiglotError, OSError):
            return
        driver = self._store.dialect
        for name, value in found.items():
            declared = STATISTICS[name]
            kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            family = kind(name, declared.help, labels=["driver"] if declared.by_driver else [])
            family.add_metric([driver] if declared.by_driver else [], value)
            yield family
