"""The health of an open PostgreSQL database: whether it answers and is writable.

After a write that failed on a full disk or with an I/O error, a real write is tried: rows that make a temporary
table grow on the database's own disk. It is rolled back. While writes work nothing is tried, because each try would
leave dead rows in the catalog.
"""

from __future__ import annotations

import time

from diglot.errors import DatabaseReadOnly, DiglotError
from diglot.stores.postgres.calls import Calls
from diglot.stores.postgres.connection import server_version
from diglot.stores.store import Check, Health

SECONDS = 5.0
"""Seconds that all checks together may take."""
OLDEST = 15
"""The oldest major version of PostgreSQL that the queries are tested on."""
_QUESTION = (
    "select pg_is_in_recovery(), current_setting('default_transaction_read_only') = 'on', "
    "current_setting('server_version_num')::int8 / 10000"
)


_WRITE = (
    "begin; set local temp_tablespaces = ''; "
    "create temporary table diglot_room (x text) on commit drop; "
    "insert into pg_temp.diglot_room select repeat('x', 1900) from generate_series(1, 140); rollback"
)
"""256 KiB; no row is long enough to be compressed."""
REMEMBERED = 30.0
"""Seconds that a failed write counts if no write can be tried: then the next write of a caller decides."""


def health(calls: Calls, *, seconds: float = SECONDS, remembered: float = REMEMBERED) -> Health:
    """One query; its result is judged here. An error is a finding, never raised."""
    started = time.perf_counter()
    try:
        with calls.leased(seconds) as link:
            version, through = server_version(link), ", through a connection pooler" if link.pooled else ""
            ((standby, read_only, major),) = link.cursor.execute(_QUESTION, ()).fetchall()
    except DiglotError as error:
        failed = Check("reachable", False, str(error), (time.perf_counter() - started) * 1000)
        return Health(False, [failed])
    milliseconds = (time.perf_counter() - started) * 1000
    why = "it is a standby" if standby else "default_transaction_read_only is on" if read_only else ""
    old = f"PostgreSQL {OLDEST} is the oldest supported version" if major < OLDEST else ""
    checks = [
        Check("reachable", True, f"{version}{through}", milliseconds),
        Check("writable", False, why, 0.0) if why else _has_room(calls, seconds, remembered),
        Check("version", not old, old or version, 0.0),
    ]
    return Health(all(check.ok for check in checks), checks)


def _has_room(calls: Calls, seconds: float, remembered: float) -> Check:
    trouble = calls.trouble
    if trouble is None:
        return Check("writable", True, "a primary that takes writes", 0.0)
    started = time.perf_counter()
    failed, at = trouble
    try:
        with calls.leased(seconds) as link:
            link.command(_WRITE)
        problem = ""
    except DatabaseReadOnly:  # this role may not create temporary tables
        problem = str(failed) if time.monotonic() - at < remembered else ""
    except DiglotError as error:
        problem = str(error)
    if not problem and calls.trouble is trouble:
        calls.trouble = None
    return Check("writable", not problem, problem or "writes work again", (time.perf_counter() - started) * 1000)
