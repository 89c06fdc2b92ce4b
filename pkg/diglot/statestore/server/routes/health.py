"""Whether the service is alive, ready, and healthy: ``/healthz``, ``/readyz``, ``/health``.

Every caller gets an answer within ``probe_timeout`` seconds, even if the database does not answer at all: the check of
the database continues in its own thread, and all callers in the meantime share it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import msgspec
from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.openapi.datastructures import ResponseSpec

from diglot._version import __version__
from diglot.errors import DiglotError
from diglot.statestore.database import Database
from diglot.statestore.server.metrics import CONTENT_TYPE, Metrics
from diglot.statestore.server.problems import responses
from diglot.stores.store import Check, Health

Anyone = Request[Any, Any, State]


class Alive(msgspec.Struct, frozen=True):
    """The process runs and answers."""

    status: Literal["ok"]
    version: str


class Readiness(msgspec.Struct, frozen=True):
    """``ready`` if the service can do its work; else ``reasons`` says why not."""

    ready: bool
    reasons: list[str]


class Report(msgspec.Struct, frozen=True):
    """Every check with its result and its duration in milliseconds."""

    ok: bool
    version: str
    driver: str
    uptime_seconds: float
    checks: list[Check]


class Probe:
    """Checks the database, one check at a time. A result is valid for ``age`` seconds and awaited for ``timeout``."""

    def __init__(self, look: Callable[[], Health], name: str, *, timeout: float, age: float) -> None:
        self._look = look
        self._timeout = timeout
        self._age = age
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=f"diglot-{name}")
        self._running: asyncio.Future[Health] | None = None
        self._found: Health | None = None
        self._found_at = 0.0

    async def ask(self) -> Health:
        """A result that is at most ``age`` seconds old, or a new one."""
        if self._found is not None and time.monotonic() - self._found_at < self._age:
            return self._found
        if self._running is None or self._running.done():
            self._running = asyncio.get_running_loop().run_in_executor(self._executor, self._look)
            self._running.add_done_callback(self._keep)
        try:
            return await asyncio.wait_for(asyncio.shield(self._running), self._timeout)
        except TimeoutError:
            late = f"the database did not answer within {self._timeout:g} s"
            silent = Check("reachable", False, late, self._timeout * 1000)
            return Health(False, [silent])

    def close(self) -> None:
        """Does not wait for a check that is in progress."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _keep(self, done: asyncio.Future[Health]) -> None:
        if not done.cancelled() and done.exception() is None:
            self._found, self._found_at = done.result(), time.monotonic()


def look(database: Database, *, deep: bool) -> Health:
    """Checks the store and the migrations; never raises for a database that is down."""
    health = database.health(deep=deep)
    if not health.checks[0].ok:
        return health
    checks = [*health.checks, _migrated(database)]
    return Health(all(check.ok for check in checks), checks)


def _migrated(database: Database) -> Check:
    started = time.perf_counter()
    try:
        pending = database.migrator().pending()
        ok, detail = not pending, f"{len(pending)} pending: run 'diglot migrate up'" if pending else "up to date"
    except DiglotError as error:
        ok, detail = False, str(error)
    return Check("migrated", ok, detail, (time.perf_counter() - started) * 1000)


# --- the responses -------------------------------------------------------------------------------------------------

_REFUSED = {status: response for status, response in responses().items() if status in (401, 403, 429)}
_NOT_READY = {503: ResponseSpec(Readiness, generate_examples=False, description="The service can't work now.")}
_NOT_WELL = {503: ResponseSpec(Report, generate_examples=False, description="A check failed.")}


@get("/healthz", tags=["Health"], summary="Is the process alive?", sync_to_thread=False)
def alive() -> Alive:
    """200 as long as the process answers; the database is not checked."""
    return Alive("ok", __version__)


@get("/readyz", tags=["Health"], summary="Can it work?", responses=_NOT_READY)
async def ready(request: Anyone) -> Response[Readiness]:
    """200 if the database is reachable, migrated, set up correctly, and has space; else 503 with the reasons."""
    probe: Probe = request.app.state.readiness
    health = await probe.ask()
    where = request.app.state.database.store.location
    reasons = [f"{check.name}: {check.detail}" for check in health.checks if not check.ok]
    # Nobody has signed in here, so the response does not show where the database is.
    for place in (where, str(Path(where).parent)):
        reasons = [reason.replace(place, "…") if len(place) > 1 else reason for reason in reasons]
    return Response(Readiness(health.ok, reasons), status_code=200 if health.ok else 503)


@get("/health", tags=["Health"], summary="Is it healthy?", responses={**_REFUSED, **_NOT_WELL})
async def report(request: Anyone) -> Response[Report]:
    """Every check with its result and its latency; 503 if a check failed."""
    state = request.app.state
    probe: Probe = state.wellbeing
    health = await probe.ask()
    database: Database = state.database
    uptime = round(time.monotonic() - state.started, 3)
    checks = [msgspec.structs.replace(check, milliseconds=round(check.milliseconds, 3)) for check in health.checks]
    found = Report(health.ok, __version__, database.store.dialect, uptime, checks)
    return Response(found, status_code=200 if health.ok else 503)


@get("/metrics", tags=["Health"], summary="Figures for Prometheus", media_type=CONTENT_TYPE, responses=_REFUSED)
async def figures(request: Anyone) -> bytes:
    """In the text format of Prometheus; without the database's figures while it does not answer."""
    metrics: Metrics = request.app.state.metrics
    try:
        return await asyncio.wait_for(asyncio.to_thread(metrics.text), request.app.state.probe_timeout)
    except TimeoutError:
        return metrics.own_text()
