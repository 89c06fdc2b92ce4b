"""The application: its routes, and what they have in common."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.types import ASGIApp

from diglot.statestore.database import Database
from diglot.statestore.server import pages
from diglot.statestore.server.advice import Watch
from diglot.statestore.server.auth.attempts import Failures
from diglot.statestore.server.auth.uses import Uses
from diglot.statestore.server.auth.who import Everybody, SignedIn
from diglot.statestore.server.metrics import Metrics
from diglot.statestore.server.openapi import document
from diglot.statestore.server.pages.errors import page_or_problem
from diglot.statestore.server.requests import Requests
from diglot.statestore.server.routes import accounts, health, tasks, workflows
from diglot.statestore.server.routes.parameters import refuse_unknown
from diglot.statestore.server.settings import ServerSettings, is_loopback


def create_app(database: Database, settings: ServerSettings, metrics: Metrics) -> ASGIApp:
    """The service on an open database, which the caller must close."""
    who = SignedIn() if settings.auth else Everybody()
    api = Router(
        "/api/v0",
        route_handlers=[*accounts.HANDLERS, *workflows.HANDLERS, *tasks.HANDLERS],
        middleware=[who],
        before_request=refuse_unknown,
        dependencies={"database": Provide(lambda: database, sync_to_thread=False)},
        security=[{"key": []}] if settings.auth else [],
    )

    # With a proxy on this machine, the whole world can reach a loopback address.
    open_to_all = settings.auth and is_loopback(settings.host) and not settings.trusted_proxies
    figures = Router(
        "/",
        route_handlers=[health.report, health.figures],
        middleware=[] if open_to_all else [who],
        security=[{"key": []}] if settings.auth and not open_to_all else [],
    )

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        probe = partial(health.Probe, timeout=settings.probe_timeout, age=settings.probe_age)
        app.state.readiness = probe(partial(health.look, database, deep=False), "readyz")
        app.state.wellbeing = probe(partial(health.look, database, deep=True), "health")
        app.state.uses = Uses(database.api_keys.note_use)
        watch = asyncio.create_task(Watch(database).keep_looking()) if database.store.dialect == "sqlite" else None
        try:
            yield
        finally:
            if watch is not None:
                watch.cancel()
            app.state.readiness.close()
            app.state.wellbeing.close()
            await asyncio.to_thread(app.state.uses.close)

    app = Litestar(
        route_handlers=[health.alive, health.ready, figures, api, *pages.routers(auth=settings.auth)],
        exception_handlers={Exception: page_or_problem},
        lifespan=[lifespan],
        state=State(
            {
                "database": database,
                "metrics": metrics,
                "failures": Failures(settings.failures_per_minute, time.monotonic),
                "recent": pages.sign_in.Recent(),
                "started": time.monotonic(),
                "probe_timeout": settings.probe_timeout,
            }
        ),
        request_max_body_size=settings.max_body,
        logging_config=None,
        openapi_config=document.config(auth=settings.auth),
    )
    return Requests(app, settings, metrics)
