"""Runs the service, from the first check of the settings to the last log line."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import cast

import structlog
import uvicorn
from litestar.concurrency import set_asyncio_executor

from diglot.errors import DiglotError
from diglot.statestore.config import Config
from diglot.statestore.config.knowledge import check_knowledge
from diglot.statestore.server.advice import at_start, say_without_admin
from diglot.statestore.server.app import create_app
from diglot.statestore.server.logs import logging_to_stderr
from diglot.statestore.server.measured import MeasuredStore
from diglot.statestore.server.memory import give_large_blocks_back
from diglot.statestore.server.metrics import Metrics
from diglot.statestore.server.opening import open_database
from diglot.statestore.server.protocol import BoundedProtocol, Limits
from diglot.statestore.server.settings import ServerSettings, can_not_listen, listener, threads, within_the_request

log = structlog.get_logger("diglot.server")


def serve(config: Config, settings: ServerSettings) -> None:
    """Serve until SIGTERM, SIGHUP or Ctrl-C; then finish the requests in flight and close the database."""
    settings = settings.checked()
    config = within_the_request(config, settings.request_timeout)
    check_knowledge(config)
    give_large_blocks_back()
    with logging_to_stderr(settings.log_format), listener(settings) as bound:
        at_start(config, settings)
        metrics = Metrics("sqlite" if config.driver == "sqlite" else "postgres")
        with (
            open_database(config, lambda store: MeasuredStore(store, metrics)) as database,
            _threads(threads(config)),
        ):
            metrics.watch(database.store)
            say_without_admin(database, settings)
            app = create_app(database, settings, metrics)
            server = _Server(
                uvicorn.Config(
                    app,
                    log_config=None,
                    log_level="warning",
                    lifespan="on",
                    http=cast("type[asyncio.Protocol]", partial(BoundedProtocol, limits=_limits(settings, metrics))),
                    ws="none",
                    access_log=False,
                    server_header=False,
                    proxy_headers=bool(settings.trusted_proxies),
                    forwarded_allow_ips=list(settings.trusted_proxies),
                    timeout_graceful_shutdown=int(settings.request_timeout) + 1,
                )
            )
            try:
                bound.listen(server.config.backlog)  # uvloop would not report that somebody else listens there by now
            except OSError as error:
                raise can_not_listen(settings, error) from error
            # uvicorn stops cleanly, and then passes the signal on to its caller.
            with suppress(KeyboardInterrupt):
                server.run([bound])
            if not server.started:
                raise DiglotError("the service could not start: the log says why")
        log.info("stopped")


def _limits(settings: ServerSettings, metrics: Metrics) -> Limits:
    most = settings.max_connections
    logged_at: dict[str, float] = {}

    def refused(reason: str, address: str) -> None:
        """Count each, and write at most one log line per second and reason."""
        metrics.refused(reason)
        now = time.monotonic()
        if now - logged_at.get(reason, -1.0) >= 1.0:
            logged_at[reason] = now
            log.warning("connection refused", reason=reason, client=address or None)

    return Limits(
        body_seconds=settings.request_timeout + 1.0,  # the application's own response comes first
        write_seconds=settings.write_timeout,
        most=most,
        # With a proxy, all connections come from its address.
        most_of_address=most if settings.trusted_proxies else min(most, settings.max_connections_per_address),
        refused=refused,
    )


@contextmanager
def _threads(number: int) -> Iterator[None]:
    """The threads in which requests use the database; at the end of the block all of them have finished."""
    with ThreadPoolExecutor(number, thread_name_prefix="diglot-request") as executor:
        set_asyncio_executor(executor)
        try:
            yield
        finally:
            set_asyncio_executor(None)


class _Server(uvicorn.Server):
    """Logs when and where it can be reached. Stops on SIGHUP as on SIGTERM, unless SIGHUP was ignored (nohup)."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = signal.getsignal(signal.SIGHUP) if hasattr(signal, "SIGHUP") else signal.SIG_IGN
        if before is signal.SIG_IGN or threading.current_thread() is not threading.main_thread():
            with super().capture_signals():
                yield
            return
        signal.signal(signal.SIGHUP, self.handle_exit)
        try:
            with super().capture_signals():
                yield
        finally:
            signal.signal(signal.SIGHUP, before)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            log.info("listening", url=f"http://{f'[{host}]' if ':' in host else host}:{port}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        log.info("stopping", requests_in_flight=len(self.server_state.tasks))
        await super().shutdown(sockets)
