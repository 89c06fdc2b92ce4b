"""What can be told of an open PostgreSQL database: whether it answers and can be written."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from diglot.errors import DiglotError
from diglot.stores.postgres.connection import Link, server_version
from diglot.stores.session import Check, Health

Leased = Callable[[float], AbstractContextManager[Link]]
"""A connection for at most so many seconds."""
SECONDS = 5.0
"""How long all of it may take."""
OLDEST = 15
"""The oldest major version of PostgreSQL that the queries are tested on."""
_QUESTION = (
    "select pg_is_in_recovery(), current_setting('default_transaction_read_only') = 'on', "
    "current_setting('server_version_num')::int8 / 10000"
)


def health(leased: Leased) -> Health:
    """Ask once; what the database answers is judged here. An error is a finding, never raised."""
    started = time.perf_counter()
    try:
        with leased(SECONDS) as link:
            version, through = server_version(link), ", through a connection pooler" if link.pooled else ""
            ((standby, read_only, major),) = link.cursor.execute(_QUESTION, ()).fetchall()
    except DiglotError as error:
        failed = Check("reachable", False, str(error), (time.perf_counter() - started) * 1000)
        return Health(False, [failed])
    milliseconds = (time.perf_counter() - started) * 1000
    why = "it is a standby" if standby else "default_transaction_read_only is on" if read_only else ""
    old = f"PostgreSQL {OLDEST} is the oldest that is supported" if major < OLDEST else ""
    checks = [
        Check("reachable", True, f"{version}{through}", milliseconds),
        Check("writable", not why, why or "a primary that takes writes", 0.0),
        Check("version", not old, old or version, 0.0),
    ]
    return Health(all(check.ok for check in checks), checks)
