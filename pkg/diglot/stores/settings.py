"""The settings of a store: plain structs, made by ``parse_url`` or by the application's configuration."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from diglot.sql.encoding import MAX_DOCUMENT
from diglot.stores.sqlite.path import expanded

Pooler = Literal["auto", "none", "transaction"]
SslMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]


class SQLiteSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A SQLite database: ``path`` is a file or ``:memory:``; times are in seconds.

    A ``~`` at the start of the path becomes the home folder; ConfigurationError for one that can't be expanded.
    """

    path: str
    readers: int = 4
    lock_timeout: float = 5.0
    statement_timeout: float = 30.0
    synchronous: Literal["full", "relaxed"] = "full"
    max_document: int = MAX_DOCUMENT
    create: bool = True
    """Create the file (and its folder) if it does not exist; else DatabaseUnavailable."""
    read_only: bool = False
    """Only read, and leave the file, its permissions and its folder unchanged; needs no write permission."""

    def __post_init__(self) -> None:
        if "~" in self.path:
            msgspec.structs.force_setattr(self, "path", expanded(self.path))


class PostgresSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A PostgreSQL database; times are in seconds. ``password`` never appears in a repr, a message or a log."""

    host: str = ""
    port: int = 5432
    user: str = ""
    password: str = ""
    dbname: str = ""
    ssl_mode: SslMode | None = None
    """None: ``prefer`` to a unix socket or a loopback address, ``verify-full`` to any other host."""
    options: dict[str, str] = {}
    """Further libpq parameters that the URL named (sslrootcert, target_session_attrs …)."""
    pool_min: int = 0
    pool_max: int = 10
    pool_timeout: float = 5.0
    connect_timeout: float = 5.0
    statement_timeout: float = 30.0
    lock_timeout: float = 5.0
    idle_in_transaction_timeout: float = 60.0
    deadline: float = 35.0
    """A connection that does not answer for this long counts as lost."""
    application_name: str = "diglot"
    max_document: int = MAX_DOCUMENT
    pooler: Pooler = "auto"
    """Whether a connection pooler (PgBouncer) is in between, which gives each transaction another session: ``auto``
    finds out when it connects, ``none`` relies on a session of its own, ``transaction`` never does."""

    def __repr__(self) -> str:
        return (
            f"PostgresSettings(host={self.host!r}, port={self.port}, user={self.user!r}, password=***, "
            f"dbname={self.dbname!r})"
        )

    __str__ = __repr__

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        shown = [(name, getattr(self, name)) for name in ("host", "port", "user", "dbname")]
        return [*shown, ("password", "***")]
