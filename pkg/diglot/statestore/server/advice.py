"""Early advice in the log for operators of the service: each item at most once an hour."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import structlog

from diglot.errors import DiglotError
from diglot.statestore.config import Config
from diglot.statestore.database import Database
from diglot.statestore.server.settings import ServerSettings, is_loopback
from diglot.stores.postgres.connection import is_near
from diglot.stores.settings import PostgresSettings

log = structlog.get_logger("diglot.advice")
MOST_WORKFLOWS = 10
"""Workflows running at once; more are too many for SQLite, which has one writer."""
LARGE_FILE = 1024**3
LARGE_LOG = 64 * 1024**2
HOUR = 3600.0
EVERY = 60.0
"""Seconds between two checks."""
_POSTGRES = "use PostgreSQL: it lets many write at once"


def at_start(config: Config, settings: ServerSettings) -> None:
    """Advice that follows from the settings alone."""
    if not settings.auth:
        log.warning("authentication is off", advice="everybody on this machine is an admin; leave --no-auth out")
    database = config.database
    if isinstance(database, PostgresSettings):
        if not is_near(database) and database.ssl_mode not in (None, "verify-full"):
            log.warning(
                "the connection to the database can be read or changed in transit",
                ssl_mode=database.ssl_mode,
                advice="set ssl_mode = verify-full",
            )
        return
    if not is_loopback(settings.host):
        log.warning("SQLite serves a public address", host=settings.host, advice="see docs/choosing.md")
    if (settings.concurrent_workflows or 0) > MOST_WORKFLOWS:
        log.warning("many workflows at once on SQLite", expected=settings.concurrent_workflows, advice=_POSTGRES)


def say_without_admin(database: Database, settings: ServerSettings) -> None:
    """Warns if there is no admin yet: until then nobody can sign in."""
    if settings.auth and not database.users.has_admin():
        log.warning("there is no admin yet", advice="create the first one, with its key: diglot init --admin EMAIL")


class Watch:
    """Watches a SQLite database in operation; PostgreSQL needs no such advice."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._said: dict[str, float] = {}

    def look(self) -> None:
        """Check once; a database that does not answer is ignored here."""
        try:
            running = self._database.workflows.list(status="RUNNING", limit=MOST_WORKFLOWS + 1)
            statistics = self._database.store.statistics()
        except (DiglotError, OSError):
            return
        if len(running.items) > MOST_WORKFLOWS:
            self._say("many workflows at once on SQLite", running=f"more than {MOST_WORKFLOWS}", advice=_POSTGRES)
        file_bytes = int(statistics["database_sqlite_file_size_bytes"])
        if file_bytes > LARGE_FILE:
            self._say("the database file is large", bytes=file_bytes, advice=_POSTGRES)
        log_bytes = int(statistics["database_sqlite_wal_size_bytes"])
        if log_bytes > LARGE_LOG:
            self._say(
                "the write-ahead log is large",
                bytes=log_bytes,
                advice="look for a program that reads the database without end",
            )

    async def keep_looking(self) -> None:
        """Check now and every minute, until it is cancelled."""
        while True:
            await asyncio.to_thread(self.look)
            await asyncio.sleep(EVERY)

    def _say(self, event: str, **facts: Any) -> None:
        now = self._clock()
        if now - self._said.get(event, -HOUR) >= HOUR:
            self._said[event] = now
            log.warning(event, **facts)
