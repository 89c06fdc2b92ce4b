"""The application: which paths there are, and what all requests have in common."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from litestar import Litestar
from litestar.datastructures import State
from litestar.types import ASGIApp

from diglot.database import Database
from diglot.server import health, problems
from diglot.server.requests import Requests
from diglot.server.settings import ServerSettings


def create_app(database: Database, settings: ServerSettings) -> ASGIApp:
    """The service on an open database, which stays the caller's to close."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        app.state.readiness = health.Probe(partial(health.look, database, deep=False), "readyz")
        app.state.wellbeing = health.Probe(partial(health.look, database, deep=True), "health")
        try:
            yield
        finally:
            app.state.readiness.close()
            app.state.wellbeing.close()

    app = Litestar(
        route_handlers=[health.alive, health.ready, health.report],
        exception_handlers={Exception: problems.answer},
        lifespan=[lifespan],
        state=State({"database": database, "started": time.monotonic()}),
        request_max_body_size=settings.max_body,
        logging_config=None,
        openapi_config=None,
    )
    return Requests(app, settings)
