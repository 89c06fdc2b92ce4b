"""Sets up a new connection: the settings of its session, and what changes behind a connection pooler.

How the server writes a value and reads a literal depends on settings that a database or a role may change. One
statement after login sets all of them. The same statement finds out whether a pooler (PgBouncer) is in between: a
pooler gives its clients a process id of its own, which is not that of the server's process.

Behind a pooler the next statement may run in another session, and other clients use this one. So nothing of ours may
stay in it: no prepared statement, no setting, no lock. A separate statement then runs in a transaction of its own,
sent in one pipeline, with ``set_config(…, is_local => true)`` before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.adapt import Buffer, Loader
from psycopg.pq import Format
from psycopg.types.datetime import IntervalLoader

from diglot.errors import ConfigurationError
from diglot.stores.postgres.connection import Link, location, milliseconds
from diglot.stores.settings import PostgresSettings

FIXED = {
    # How values are written, which the driver's loaders rely on.
    "client_encoding": "UTF8",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    # How the text of a query and its values are read.
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    # What a query returns.
    "transform_null_equals": "off",
    "gin_fuzzy_search_limit": "0",
}
"""Always set, to PostgreSQL's own defaults except for the time zone. What belongs to the database stays as it is
found: search_path, lc_monetary, lc_numeric, lc_time, default_text_search_config, default_transaction_read_only."""
_REPORTED = ("client_encoding", "DateStyle", "IntervalStyle", "TimeZone", "standard_conforming_strings")
"""Settings that the server reports to its client, so the driver knows them."""
BEGIN = "begin isolation level read committed"
"""For the transaction that a separate statement runs in behind a pooler."""


def set_up(link: Link, settings: PostgresSettings, statement_timeout: float | None) -> None:
    """Set the session's settings in one round trip; behind a pooler set nothing, and prepare ``link`` for a pooler.

    ConfigurationError if the settings don't last.
    """
    values = session_settings(settings, statement_timeout)
    # Set local to a separate statement, a setting is gone when the statement ends.
    local = {"auto": f"pg_backend_pid() <> {link.connection.info.backend_pid}", "none": "false", "transaction": "true"}
    text = _set_config({**values, "default_transaction_isolation": "read committed"}, local[settings.pooler])
    found = link.ask(f"select pg_backend_pid(), {text}")
    has_own_process = int(found[0] or 0) == link.connection.info.backend_pid
    if settings.pooler == "transaction" or (settings.pooler == "auto" and not has_own_process):
        _behind_pooler(link, values)
        return
    said = {name: link.connection.info.parameter_status(name) or "" for name in _REPORTED}
    lost = [name for name in _REPORTED if said[name].upper() != FIXED[name].upper()]  # PgBouncer says utf8
    if lost:
        raise ConfigurationError(
            f"{location(settings)} does not keep the session's {lost[0]}: set pooler to 'transaction' if there is a "
            "connection pooler in between"
        )


def session_settings(settings: PostgresSettings, statement_timeout: float | None) -> dict[str, str]:
    """Every setting that a session needs, by its name."""
    return FIXED | {
        "statement_timeout": str(0 if statement_timeout is None else milliseconds(statement_timeout)),
        "lock_timeout": str(milliseconds(settings.lock_timeout)),
        "idle_in_transaction_session_timeout": str(milliseconds(settings.idle_in_transaction_timeout)),
    }


def _behind_pooler(link: Link, values: Mapping[str, str]) -> None:
    link.pooled = True
    link.near = False
    link.local = (f"select {_set_config(values, 'true')}",)
    link.opening = (BEGIN, *link.local)
    link.closing = ("commit",)
    link.connection.prepare_threshold = None
    for name in ("date", "timestamp", "timestamptz"):
        link.connection.adapters.register_loader(name, _Iso)
    link.connection.adapters.register_loader("interval", _Interval)
    link.cursor = link.new_cursor()  # a cursor keeps the loaders that were registered when it was made


def _set_config(values: Mapping[str, str], local: str) -> str:
    return ", ".join(f"set_config('{name}', '{value}', {local})" for name, value in values.items())


# The driver chooses how to read a date by the DateStyle that the server reported. Behind a pooler that is another
# session's; the values come in ours.


class _Iso(Loader):
    """The driver's own loader, for DateStyle ISO and TimeZone UTC, which are its defaults without a connection."""

    def __init__(self, oid: int, context: Any = None) -> None:
        super().__init__(oid, context)
        loader = psycopg.adapters.get_loader(oid, Format.TEXT)
        assert loader is not None  # noqa: S101 - the driver has one for each of these types
        self.load = loader(oid, None).load  # type: ignore[method-assign]

    def load(self, data: Buffer) -> Any:
        raise NotImplementedError  # pragma: no cover - replaced above


class _Interval(IntervalLoader):
    """For IntervalStyle postgres."""

    def load(self, data: Buffer) -> Any:
        return self._load_postgres(self, data)
