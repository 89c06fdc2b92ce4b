"""One connection to PostgreSQL with the settings that we rely on, and the messages if it can't be made.

It is in autocommit (a statement is one round trip) and takes ``$1`` placeholders. Integers are sent as int8, so that
a statement has one signature and is prepared once; json comes back as bytes, for our own decoder. set_up.py sets the
session's settings after login: PgBouncer refuses them in ``options=``.
"""

from __future__ import annotations

import logging
import math
import os
import re
import select
import socket
import threading
import time
from pathlib import Path
from typing import Any, ClassVar

import psycopg
from psycopg.adapt import Loader
from psycopg.pq import ConnStatus, ExecStatus, PipelineStatus, TransactionStatus
from psycopg.pq.abc import PGresult
from psycopg.types.numeric import Int8Dumper

from diglot.errors import ConfigurationError, DatabaseUnavailable
from diglot.stores.settings import PostgresSettings

logger = logging.getLogger("diglot.postgres")
INFINITE = math.inf
LIFETIME = 30 * 60.0
"""Seconds after which a connection is replaced, so that none keeps a plan, or an old server, forever."""


class Link:
    """A connection and the watch over its running statement; used by one thread at a time.

    ``expires`` is the deadline of the answer (the watchdog reads it), INFINITE while nothing runs.
    """

    __slots__ = (
        "_readable",
        "_socket",
        "closing",
        "connection",
        "cursor",
        "expires",
        "local",
        "mutex",
        "near",
        "opening",
        "overdue",
        "pgconn",
        "plans_last_until",
        "pooled",
        "read_only",
        "retires",
        "used",
    )

    def __init__(self, connection: psycopg.Connection[Any], settings: PostgresSettings) -> None:
        self.connection = connection
        self.near = is_socket(settings.host) and not settings.options.get("hostaddr")
        """Round trips are so short that a pipeline costs more than it saves."""
        self.pooled = False
        """There is a connection pooler in between, so the session is not ours. Then ``local`` sets our settings for one
        transaction, and ``opening`` and ``closing`` are sent before and after a separate statement."""
        self.local: tuple[str, ...] = ()
        self.opening: tuple[str, ...] = ()
        self.closing: tuple[str, ...] = ()
        self.pgconn = connection.pgconn
        self.cursor: psycopg.RawCursor[Any] = psycopg.RawCursor(connection)
        self.expires = INFINITE
        self.overdue = False
        """The watchdog has shut it down."""
        self.mutex = threading.Lock()
        self.used = time.monotonic()
        self.retires = self.used + LIFETIME
        self.read_only = False
        """Its transactions were read-only by default when it was opened. It stays so after the database is writable
        again, so it serves reads only."""
        self.plans_last_until = 0
        """How many rows the process may write in total before this connection's plans are made again."""
        # A handle of our own to the same socket: libpq closes its own when it likes, and the number is used again.
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))
        self._readable = select.poll()
        self._readable.register(self._socket, select.POLLIN)

    def command(self, text: str) -> str:
        """Run statements of our own (BEGIN, COMMIT, ROLLBACK …); the command tag of the last, such as ``COMMIT``.

        Straight through libpq: half the time of a cursor, and these two are in every transaction.
        """
        return (self._exec(text).command_status or b"").decode()

    def ask(self, text: str) -> list[str | None]:
        """Run a statement of our own; the first row of its result as text."""
        result = self._exec(text)
        values = (result.get_value(0, column) for column in range(result.nfields))
        return [None if value is None else value.decode() for value in values]

    def _exec(self, text: str) -> PGresult:
        result = self.pgconn.exec_(text.encode())
        if result.status not in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
            raise psycopg.errors.error_from_result(result, self.connection.info.encoding)
        return result

    def forget_plans(self) -> None:
        """Have every statement prepared again. Done through the driver, so that it forgets them too."""
        self.cursor.execute("deallocate all", prepare=False)

    def retire(self) -> None:
        """Have the pool replace it once it is not in use."""
        self.retires = -INFINITE

    @property
    def worn(self) -> bool:
        """Whether the server has ended it, or it is to be replaced."""
        return self.has_news() or self.used > self.retires

    def new_cursor(self) -> psycopg.RawCursor[Any]:
        return psycopg.RawCursor(self.connection)

    @property
    def idle(self) -> bool:
        """Whether nothing runs on it and no transaction is open."""
        return self.pgconn.transaction_status == TransactionStatus.IDLE

    @property
    def lost(self) -> bool:
        # A connection that ended within a pipeline can't leave it.
        return self.overdue or self.pgconn.status != ConnStatus.OK or self.pgconn.pipeline_status != PipelineStatus.OFF

    def has_news(self) -> bool:
        """While it is idle the server sends nothing, unless it ends the connection."""
        return bool(self._readable.poll(0))

    def cut(self, expires: float) -> None:
        """Called by the watchdog: end the call whose deadline has passed, if it still waits."""
        with self.mutex:
            if self.expires != expires:
                return
            self.overdue = True
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError as error:
                logger.debug("the connection was gone already: %s", error)

    def close(self) -> None:
        with self.mutex:
            self.expires = INFINITE
            self._socket.close()
        self.connection.close()


def open_link(settings: PostgresSettings) -> Link:
    """A new connection with its watch; as ``connect``."""
    connection = connect(settings)
    try:
        return Link(connection, settings)
    except OSError as error:
        connection.close()
        raise _refused(error, settings) from error


def connect(settings: PostgresSettings) -> psycopg.Connection[Any]:
    """A new connection; DatabaseUnavailable, in one line that says what to check, or ConfigurationError."""
    refusal: DatabaseUnavailable | ConfigurationError | None = None
    try:
        connection: psycopg.Connection[Any] = psycopg.connect(**parameters(settings), autocommit=True)
    except psycopg.OperationalError as error:
        refusal = DatabaseUnavailable(_unavailable(error, settings))
        if _masked(str(error), settings) == str(error):
            raise refusal from error
    except OSError as error:  # for example, no file descriptor is left
        raise _refused(error, settings) from error
    except (psycopg.Error, ValueError) as error:
        reason = _masked(str(error).strip().partition("\n")[0], settings)
        refusal = ConfigurationError(f"the settings of PostgreSQL can't be used: {reason}")
    if refusal is not None:
        raise refusal  # not chained: the driver's error shows the password
    connection.adapters.register_dumper(int, Int8Dumper)
    connection.adapters.register_loader("json", _Raw)
    connection.adapters.register_loader("jsonb", _Raw)
    connection.prepared_max = PREPARED_MAX
    return connection


def server_version(link: Link) -> str:
    """``PostgreSQL 18.4``, without what a distribution adds. The server reports it at login."""
    said = link.connection.info.parameter_status("server_version") or "?"
    return f"PostgreSQL {said.split()[0]}"


PREPARED_MAX = 500
"""Prepared statements that a connection keeps; more than there are queries, or they would evict each other."""


def location(settings: PostgresSettings) -> str:
    """Where it is, for people, without user and password."""
    host = settings.host or settings.options.get("hostaddr", "") or "localhost"
    dbname = settings.dbname or settings.user
    if host.startswith("/"):
        return f"postgresql://:{settings.port}/{dbname}?host={host}"
    if ":" in host:
        host = f"[{host}]"
    return f"postgresql://{host}:{settings.port}/{dbname}"


def parameters(settings: PostgresSettings) -> dict[str, Any]:
    """The connection parameters for libpq."""
    given = {"host": settings.host, "user": settings.user, "password": settings.password, "dbname": settings.dbname}
    return {
        "keepalives": 1,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": milliseconds(settings.deadline),
        **_tls(settings),
        **settings.options,
        **{name: value for name, value in given.items() if value},
        "port": settings.port,
        "connect_timeout": max(1, math.ceil(settings.connect_timeout)),
        "application_name": settings.application_name,
        "client_encoding": "utf8",
    }


def may_pass(error: DatabaseUnavailable) -> bool:
    """Whether to try again soon: there was no answer, or one that a server gives while it starts or is full.

    Not for a refused login or an unknown database: repeating that locks accounts and helps nobody. The driver
    has no SQLSTATE here, so the text decides.
    """
    text = str(error.__cause__ or error)
    return bool(_PASSES.search(text)) or not _FINAL.search(text)


class _Raw(Loader):
    """json as received; ``bytes`` itself is the function, which is the fastest."""

    load: ClassVar[Any] = bytes


# --- TLS ---------------------------------------------------------------------------------------------------


def _tls(settings: PostgresSettings) -> dict[str, str]:
    """Verified to any other host unless the settings say otherwise, which is then logged."""
    local = is_near(settings)
    mode = settings.ssl_mode or ("prefer" if local else "verify-full")
    if not local and mode not in ("verify-full", "verify-ca"):
        logger.warning(
            "the connection to %s is not verified (sslmode=%s): anybody in between can read and change it; "
            "use sslmode=verify-full",
            location(settings),
            mode,
        )
    found: dict[str, str] = {"sslmode": mode}
    if mode.startswith("verify") and not (Path.home() / ".postgresql" / "root.crt").exists():
        found["sslrootcert"] = _system_certificates()
    return found


def is_near(settings: PostgresSettings) -> bool:
    """Whether every possible host is this machine."""
    return all(_is_local(host) for host in (settings.options.get("hostaddr") or settings.host).split(","))


def is_socket(host: str) -> bool:
    """A unix socket; it is the default."""
    return host == "" or host.startswith(("/", "@"))


def _is_local(host: str) -> bool:
    """A unix socket or a loopback address."""
    return is_socket(host) or host in ("localhost", "::1") or bool(_LOOPBACK.fullmatch(host))


_LOOPBACK = re.compile(r"127(\.\d{1,3}){3}")


def _system_certificates() -> str:
    """The authorities that Python trusts; the libpq in psycopg's wheel looks for them where Debian has none."""
    import ssl

    return ssl.get_default_verify_paths().cafile or "system"


# --- messages -------------------------------------------------------------------------------------------------

_PASSES = re.compile(
    "starting up|shutting down|recovery|not yet accepting|too many (clients|connections)|slots are|"
    # PgBouncer's messages while it has no server, or is full.
    "server login (failed|has been failing)|cannot connect to server|server conn crashed|query_wait_timeout|"
    "no more connections allowed"
)
_FINAL = re.compile(r"FATAL|password|authentication|certificate|SSL|GSS|no pg_hba")
_NOISE = re.compile(r"^(connection failed: |connection is bad: )?(connection to server .*? failed: )?(FATAL: +)?")


def _unavailable(error: psycopg.OperationalError, settings: PostgresSettings) -> str:
    text = str(error).strip()
    reason = _NOISE.sub("", text.partition("\n")[0])
    advice = ""
    if "refused" in reason or "No such file" in reason:
        advice = "; is the server running, and does it listen there?"
    elif "no password supplied" in reason:
        reason, advice = "it asks for a password", "; put it in ~/.pgpass or in the settings"
    return _masked(f"can't reach PostgreSQL at {location(settings)}: {reason}{advice}", settings)


def _refused(error: OSError, settings: PostgresSettings) -> DatabaseUnavailable:
    return DatabaseUnavailable(f"can't connect to PostgreSQL at {location(settings)}: {error.strerror or error}")


def _masked(text: str, settings: PostgresSettings) -> str:
    for secret in (settings.password, settings.options.get("sslpassword", "")):
        if secret:
            text = text.replace(secret, "***")
    return text


def milliseconds(seconds: float) -> int:
    """At least one: 0 would mean no limit."""
    return max(1, math.ceil(seconds * 1000))
