"""One connection to a SQLite database with the settings that we rely on, each read back after it is set.

Transactions are begun by our own statements (isolation_level None). A progress handler ends a statement that runs
past its limit, and lets Ctrl-C end one too.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from diglot.errors import DatabaseError, DatabaseUnavailable, StatementTimeout
from diglot.stores.settings import SQLiteSettings
from diglot.stores.sqlite.errors import INTERRUPT, READONLY, translate
from diglot.stores.sqlite.library import library
from diglot.stores.sqlite.path import MEMORY
from diglot.stores.sqlite.trouble import Trouble

if TYPE_CHECKING:
    import sqlite3

Role = Literal["writer", "reader", "memory"]


class Link:
    """A connection and the watch over its running statement; used by one thread at a time.

    ``trouble`` records every failure from a full disk or an I/O error.
    """

    __slots__ = ("__weakref__", "connection", "refused", "trouble", "watch")

    def __init__(self, connection: sqlite3.Connection, watch: Watch, trouble: Trouble) -> None:
        self.connection = connection
        self.watch = watch
        self.trouble = trouble
        self.refused = False
        """SQLite has refused to write with it, because the file was read-only when it was opened."""

    def command(self, text: str) -> None:
        """Run a statement of our own (BEGIN, COMMIT, PRAGMA …)."""
        self.watch.deadline = 0.0
        self.connection.execute(text).close()

    def run(self, text: str) -> None:
        """As ``command``; raises our errors."""
        try:
            self.command(text)
        except library().Error as error:
            raise self.failure(error, None) from error

    def failure(self, error: Exception, query: str | None, *, writing: bool = False) -> BaseException:
        """Our error for what a statement raised; KeyboardInterrupt if Ctrl-C ended it."""
        watch = self.watch
        fault, watch.fault = watch.fault, None
        if fault is not None:
            return fault
        code = getattr(error, "sqlite_errorcode", 0)
        self.refused = self.refused or code & 0xFF == READONLY
        if code == INTERRUPT:
            text = f"the statement ran longer than {watch.limit:g} s and was cancelled; nothing was changed"
            return StatementTimeout(text, query=query)
        return self.trouble.noted(translate(error, query, writing=writing))


class Watch:
    """When the running statement must end: ``deadline`` 0.0 means that it has just begun and has ``limit`` seconds."""

    __slots__ = ("deadline", "fault", "limit")

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.deadline = 0.0
        self.fault: BaseException | None = None

    def expired(self) -> bool:
        return 0.0 < self.deadline <= time.monotonic()

    def ticks(self) -> Iterator[bool]:
        """True if the statement must end; SQLite calls it every TICK instructions.

        A generator that has been started, not a function: a signal's exception comes up on entry, where a function
        has no ``try`` yet and the driver would lose it; the generator is entered in the middle of its own.
        """
        stop = False
        while True:
            try:
                while True:
                    yield stop
                    if not self.deadline:
                        self.deadline = time.monotonic() + self.limit
                    stop = self.expired()
            except GeneratorExit:
                return
            except BaseException as fault:
                self.fault = fault
                stop = True


# Instructions of SQLite's machine between two looks at the clock: 1 to 10 ms of work.
TICK = 100_000


def connect(target: str, role: Role, settings: SQLiteSettings, trouble: Trouble) -> Link:
    """Open it: ``target`` is a ``file:`` URI of ours or ``:memory:``."""
    driver = library()
    try:
        connection = driver.connect(
            target,
            timeout=settings.lock_timeout,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=CACHED_STATEMENTS,
            uri=target != MEMORY,
        )
    except driver.Error as error:
        raise trouble.noted(translate(error, None)) from error
    watch = Watch(settings.statement_timeout)
    try:
        _set_up(connection, role, settings)
        watch_over(connection, watch)
    except driver.Error as error:
        connection.close()
        raise trouble.noted(translate(error, None)) from error
    except BaseException:
        connection.close()
        raise
    return Link(connection, watch, trouble)


CACHED_STATEMENTS = 512


def watch_over(connection: sqlite3.Connection, watch: Watch | None) -> None:
    """Let this watch end the connection's statements; None: let them run."""
    if watch is None:
        connection.set_progress_handler(None, 0)
    else:
        ticks = watch.ticks()
        next(ticks)
        connection.set_progress_handler(ticks.__next__, TICK)


def set_pragma(connection: sqlite3.Connection, name: str, value: str | int) -> None:
    """Set it and read it back; DatabaseError if SQLite did not accept it."""
    connection.execute(f"pragma {name} = {value}").fetchall()
    found = read_pragma(connection, name)
    if found != value:
        raise DatabaseError(f"SQLite did not accept 'pragma {name} = {value}': the value is {found!r}")


def read_pragma(connection: sqlite3.Connection, name: str) -> Any:
    """Its value; None if this database has none."""
    row = connection.execute(f"pragma {name}").fetchone()
    return row[0] if row else None


def use_wal(connection: sqlite3.Connection) -> None:
    """Switch the file to the write-ahead log; needs the file for itself, so only inside the gate."""
    connection.execute("pragma auto_vacuum = incremental")  # takes effect only in an empty file
    row = connection.execute("pragma journal_mode = wal").fetchone()
    if row[0] != "wal":
        raise DatabaseUnavailable(f"SQLite could not switch the database to its write-ahead log: it is in {row[0]!r}")


# --- settings -------------------------------------------------------------------------------------------

MEBIBYTE = 1024 * 1024
# By the names of SQLITE_LIMIT_…; pysqlite3 can't set them. Not LENGTH, which is for whole rows too, nor SQL_LENGTH and
# EXPR_DEPTH: what one library accepts, the other must accept. Values are limited where they are encoded (max_document).
LIMITS = {"ATTACHED": 0, "VARIABLE_NUMBER": 32_766}
# Switches, by the names of SQLITE_DBCONFIG_…; Python 3.12's own driver can set them.
SWITCHES = {
    "DEFENSIVE": True,
    "DQS_DML": False,
    "DQS_DDL": False,
    "ENABLE_LOAD_EXTENSION": False,
    "TRUSTED_SCHEMA": False,
}


def pragmas(role: Role, settings: SQLiteSettings) -> dict[str, str | int]:
    """Every setting of a connection in this role, in the order in which they are set."""
    everywhere: dict[str, str | int] = {
        "busy_timeout": int(settings.lock_timeout * 1000),
        "foreign_keys": 1,
        "recursive_triggers": 1,
        "cell_size_check": 1,
        "temp_store": 2,  # memory
        "secure_delete": 1,  # a revoked key's hash does not stay in free pages
        "analysis_limit": 400,
    }
    if role == "memory":
        return {**everywhere, "query_only": 1}
    on_file: dict[str, str | int] = {
        **everywhere,
        "mmap_size": 0,
        "synchronous": 2 if settings.synchronous == "full" else 1,
        "journal_size_limit": 64 * MEBIBYTE,
    }
    if role == "writer":
        return {**on_file, "wal_autocheckpoint": 1000}
    # Only the writer, inside the gate, may checkpoint: two at once damage the file on SQLite before 3.51.3.
    return {**on_file, "wal_autocheckpoint": 0, "query_only": 1}


_INNOCUOUS = 0x200000


def json_is_innocuous(connection: sqlite3.Connection) -> bool:
    """Whether this SQLite lets a CHECK call json_valid() while trusted_schema is off; 3.40, Debian 12's, does not."""
    row = connection.execute(
        "select min(flags & ?) from pragma_function_list where name in ('json_valid', 'json_type')", (_INNOCUOUS,)
    ).fetchone()
    return bool(row[0])


def _set_up(connection: sqlite3.Connection, role: Role, settings: SQLiteSettings) -> None:
    driver = library()
    # Without it the CHECKs of JSON columns would be refused. It also lets the schema call the other JSON functions and
    # load_extension(), which is off.
    trusted = not json_is_innocuous(connection)
    if hasattr(connection, "setlimit"):
        for name, value in LIMITS.items():
            connection.setlimit(getattr(driver, f"SQLITE_LIMIT_{name}"), value)
    if hasattr(connection, "setconfig"):
        for name, on in SWITCHES.items():
            connection.setconfig(
                getattr(driver, f"SQLITE_DBCONFIG_{name}"), on or (name == "TRUSTED_SCHEMA" and trusted)
            )
    for name, setting in (pragmas(role, settings) | {"trusted_schema": int(trusted)}).items():
        set_pragma(connection, name, setting)
