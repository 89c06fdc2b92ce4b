"""The service's settings, checked before anything is opened."""

from __future__ import annotations

import ipaddress
import socket
from typing import Literal

import msgspec

from diglot.errors import ConfigurationError
from diglot.statestore.config import Config
from diglot.stores.settings import SQLiteSettings

LogFormat = Literal["console", "json"]


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Times are in seconds; port 0 means any free port."""

    host: str = "127.0.0.1"
    port: int = 8080
    log_format: LogFormat = "console"
    auth: bool = True
    request_timeout: float = 30.0
    """After this long a request gets a 503, whatever it waits for."""
    max_body: int = 10_000_000
    """The most bytes in a request's body."""
    max_connections: int = 1_000
    """The most connections in total; further ones get a 503."""
    max_connections_per_address: int = 100
    """The most connections from one client address; a trusted proxy only has the total limit."""
    write_timeout: float = 30.0
    """After this long in which the client reads nothing of its response, the connection is ended."""
    page_timeout: float = 5.0
    """After this long a page for people shows an error page instead."""
    probe_timeout: float = 5.0
    """After this long without an answer, /readyz, /health and /metrics treat the database as unavailable."""
    probe_age: float = 1.0
    """How old a result of /readyz and /health may be: more frequent requests cost the database nothing."""
    failures_per_minute: int = 20
    """How many attempts to sign in may fail, for each client address."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses whose X-Forwarded-For is trusted."""
    concurrent_workflows: int | None = None
    """How many workflows are expected to run at once; only for the advice at start-up."""

    def checked(self) -> ServerSettings:
        """Returns itself. Raises ConfigurationError for values that are impossible or not allowed."""
        if not 0 <= self.port <= 65535:
            raise ConfigurationError(f"--port {self.port} can't be used: use a whole number from 0 to 65535")
        if not 0.1 <= self.request_timeout <= 3600:
            raise ConfigurationError(
                f"--request-timeout {self.request_timeout:g} can't be used: use 0.1 to 3600 (seconds)"
            )
        if not 0.1 <= self.write_timeout <= 3600:
            raise ConfigurationError(f"--write-timeout {self.write_timeout:g} can't be used: use 0.1 to 3600 (seconds)")
        for proxy in self.trusted_proxies:
            if not _is_address(proxy):
                raise ConfigurationError(
                    f"--trusted-proxy {proxy!r} can't be used: use an IP address or a network, as in 10.0.0.0/8"
                )
        if not self.auth and not is_loopback(self.host):
            raise _open_to(self.host)
        return self


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a service on this address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _open_to(host: str) -> ConfigurationError:
    return ConfigurationError(
        f"--no-auth would make everybody who reaches {host} an admin: use it with --host 127.0.0.1, or leave it out"
    )


def _is_address(proxy: str) -> bool:
    try:
        ipaddress.ip_network(proxy)
    except ValueError:
        return False
    return True


def listener(settings: ServerSettings) -> socket.socket:
    """A socket that is bound to the address but not yet listening. Raises ConfigurationError if that is impossible."""
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        if not settings.auth and not is_loopback(str(address[0])):
            raise _open_to(f"{settings.host} ({address[0]})")
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except BaseException:
            bound.close()
            raise
    except OSError as error:
        raise can_not_listen(settings, error) from error
    return bound


def can_not_listen(settings: ServerSettings, error: OSError) -> ConfigurationError:
    """The error to raise for an error of the operating system."""
    reason = (error.strerror or "unknown reason").lower()
    return ConfigurationError(
        f"can't listen on {settings.host}:{settings.port}: {reason}: choose another --host or --port"
    )


def within_the_request(config: Config, timeout: float) -> Config:
    """The configuration with database timeouts no longer than a request's: after that nobody waits for the answer."""
    database = config.database
    if isinstance(database, SQLiteSettings):
        bounded: object = msgspec.structs.replace(
            database,
            lock_timeout=min(database.lock_timeout, timeout),
            statement_timeout=min(database.statement_timeout, timeout),
        )
    else:
        bounded = msgspec.structs.replace(
            database,
            deadline=min(database.deadline, timeout),
            statement_timeout=min(database.statement_timeout, timeout),
            lock_timeout=min(database.lock_timeout, timeout),
            pool_timeout=min(database.pool_timeout, timeout),
            connect_timeout=min(database.connect_timeout, timeout),
        )
    return msgspec.structs.replace(config, database=bounded)


def threads(config: Config) -> int:
    """How many requests can use the database at once: as many as get a connection, and on SQLite a few writers.

    On PostgreSQL one connection is reserved for health checks, metrics and recording the use of keys.
    """
    database = config.database
    return database.readers + 4 if isinstance(database, SQLiteSettings) else max(1, database.pool_max - 1)
