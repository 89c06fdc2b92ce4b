"""yoyo's bookkeeping on a connection that the caller opens, locks and closes.

The backends keep yoyo's tables (migrations, log, version), so that yoyo's own tools can read them, and leave out what
goes wrong there: the second connection, the lock row, the probing for tables that writes errors into the server's
log, and the mark that is set in another transaction than the migration itself.
"""

from __future__ import annotations

import getpass
import socket
import uuid
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from types import ModuleType
from typing import Any, Literal

from yoyo import internalmigrations
from yoyo.backends.base import DatabaseBackend
from yoyo.backends.core import PostgresqlPsycopgBackend, SQLiteBackend
from yoyo.migrations import get_migration_hash

from diglot.migrate.status import APPLIED_TABLE, Applied, Clock, read_applied, tables
from diglot.migrate.tree import Migration
from diglot.sql.session import Dialect, Row, Statement
from diglot.sql.statements import SqlStatement
from diglot.stores.sqlite.library import library

Operation = Literal["apply", "rollback"]


def open_books(connection: Any, dialect: Dialect, clock: Clock) -> Books:
    """The bookkeeping of the database that this driver's connection belongs to."""
    if dialect == "postgres":
        import psycopg

        return PostgresBooks(connection, psycopg, clock)
    return SQLiteBooks(connection, library(), clock)


class Books(DatabaseBackend):  # type: ignore[misc]
    """What both databases share. Call the methods that write within ``atomically``."""

    dialect: Dialect
    in_one_transaction = False
    """The connection comes with a transaction, in which everything runs (behind a connection pooler)."""

    def __init__(self, connection: Any, driver: ModuleType, clock: Clock) -> None:
        self._driver = driver
        self._given = connection
        self._clock = clock
        super().__init__(None, APPLIED_TABLE)

    def applied(self) -> list[Applied]:
        """The applied migrations, oldest first."""
        return read_applied(self._rows, self.dialect)

    def prepare(self) -> None:
        """Create the tables that do not exist yet, all or none."""
        with self.atomically():
            if internalmigrations.needs_upgrading(self):
                internalmigrations.upgrade(self)
            self.execute(_CHECKSUM_TABLE_SQL[self.dialect])

    def record(self, migration: Migration) -> None:
        """Record that the migration is applied: mark, log line and checksums."""
        mark = {"migration_hash": get_migration_hash(migration.id), "migration_id": migration.id, "when": self._now()}
        self.execute(self.format_sql(self.mark_migration_sql), mark)
        self._log(migration, "apply")
        self.record_checksums(migration)

    def forget(self, migration: Migration) -> None:
        """Record that the migration is rolled back: remove mark and checksums, add a log line."""
        mark = {"migration_hash": get_migration_hash(migration.id)}
        self.execute(self.format_sql(self.unmark_migration_sql), mark)
        self._log(migration, "rollback")
        self._forget_checksums(migration)

    def record_checksums(self, migration: Migration) -> None:
        """Record the checksums of the files as they are now."""
        self._forget_checksums(migration)
        values = {
            "id": migration.id,
            "sha256": migration.sha256,
            "rollback_sha256": migration.rollback_sha256,
            "recorded_at": self._now(),
        }
        self.execute(_RECORD_CHECKSUMS, values)

    @contextmanager
    def atomically(self) -> Iterator[None]:
        """A transaction: it ends with a commit, or with a rollback on any error."""
        self.begin()
        try:
            yield
            self.commit()
        except BaseException:
            # If the connection is gone there is nothing to roll back, and the first error is the one to raise.
            with suppress(*self.errors):
                self.rollback()
            raise
        finally:
            self._in_transaction = False

    @abstractmethod
    def run(self, sql: str) -> None:
        """Run one statement of a migration unchanged; rows that it returns are not read."""

    @abstractmethod
    def limit(self, lock_timeout: float, statement_timeout: float) -> None:
        """Seconds to wait for a lock, and for a statement to end; inside a transaction, for this one."""

    @abstractmethod
    def orphans(self) -> list[str]:
        """``api_keys → users``: where rows refer to rows that do not exist."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """The driver's error class."""
        return (self.driver.Error, self.driver.Warning)

    @abstractmethod
    def is_busy(self, error: Exception) -> bool:
        """Whether another session is in the way, so that a retry may succeed."""

    @abstractmethod
    def explain(self, error: Exception, statement: SqlStatement | None) -> tuple[str, int]:
        """The database's message without its detail, which shows whole rows; and the line that it refers to."""

    # --- what yoyo calls -----------------------------------------------------------------------------------

    def connect(self, _: object) -> Any:
        return self._given

    def list_tables(self, **_: Any) -> list[str]:
        return sorted(tables(self._rows, self.dialect))

    # --- details -------------------------------------------------------------------------------------------

    def _rows(self, statement: Statement) -> list[Row]:
        return list(self.execute(statement.text).fetchall())

    def _forget_checksums(self, migration: Migration) -> None:
        self.execute("delete from diglot_migration_checksum where migration_id = :id", {"id": migration.id})

    def _log(self, migration: Migration, operation: Operation) -> None:
        values = {
            "id": str(uuid.uuid4()),
            "migration_hash": get_migration_hash(migration.id),
            "migration_id": migration.id,
            "operation": operation,
            "username": _user_name(),
            "hostname": socket.gethostname(),  # not getfqdn(), which waits for a name server
            "created_at_utc": self._now(),
        }
        self.execute(self.format_sql(self.log_migration_sql), values)

    def _now(self) -> datetime:
        """As yoyo writes it: UTC without a zone."""
        return self._clock().astimezone(UTC).replace(tzinfo=None)


class PostgresBooks(Books, PostgresqlPsycopgBackend):  # type: ignore[misc]
    """On a psycopg connection in autocommit."""

    dialect = "postgres"

    def init_connection(self, connection: Any) -> None:
        self.in_one_transaction = connection.info.transaction_status != self.TRANSACTION_STATUS_IDLE
        # So that the server notices when this process is killed, ends its statement and frees the lock. A server whose
        # platform can't watch a socket refuses it.
        with suppress(self.driver.Error), connection.transaction() if self.in_one_transaction else nullcontext():
            connection.execute(
                f"select set_config('client_connection_check_interval', '500ms', {self.in_one_transaction})"
            )

    def begin(self) -> None:
        self.execute(f"savepoint {_SAVEPOINT}" if self.in_one_transaction else "begin")
        self._in_transaction = True

    def commit(self) -> None:
        self.execute(f"release savepoint {_SAVEPOINT}" if self.in_one_transaction else "commit")

    def rollback(self) -> None:
        self.execute(f"rollback to savepoint {_SAVEPOINT}" if self.in_one_transaction else "rollback")

    def run(self, sql: str) -> None:
        with self.cursor() as cursor:
            cursor.execute(sql.encode(), prepare=False)

    def limit(self, lock_timeout: float, statement_timeout: float) -> None:
        values = {
            "lock": f"{lock_timeout * 1000:.0f}ms",
            "statement": f"{statement_timeout * 1000:.0f}ms",
            "local": self._in_transaction,
        }
        self.execute(
            "select set_config('lock_timeout', :lock, :local), set_config('statement_timeout', :statement, :local)",
            values,
        )

    def orphans(self) -> list[str]:
        return []  # PostgreSQL never allows any

    def is_busy(self, error: Exception) -> bool:
        return getattr(error, "sqlstate", None) in ("55P03", "40P01")  # lock not available, deadlock

    def explain(self, error: Exception, statement: SqlStatement | None) -> tuple[str, int]:
        diagnosis = getattr(error, "diag", None)
        message = getattr(diagnosis, "message_primary", None) or str(error)
        hint = getattr(diagnosis, "message_hint", None)
        if getattr(error, "sqlstate", None) == "25001":  # active transaction
            hint = "write '-- transactional: false' above the first statement of its migration"
        position = getattr(diagnosis, "statement_position", None)
        line = statement.line_at(int(position) - 1) if statement and position else statement.line if statement else 0
        return f"{message} ({hint})" if hint else message, line

    def cursor(self) -> Any:
        # Not the cursor and row factory of the store's connections: yoyo's parameters are %(name)s.
        return self.driver.Cursor(self.connection, row_factory=self.driver.rows.tuple_row)


class SQLiteBooks(Books, SQLiteBackend):  # type: ignore[misc]
    """On a connection of the chosen SQLite library without implicit transactions."""

    dialect = "sqlite"

    def run(self, sql: str) -> None:
        self.connection.execute(sql).close()

    def limit(self, lock_timeout: float, statement_timeout: float) -> None:
        """Nothing to do: the write lock is ours, and there is no other to wait for."""

    def orphans(self) -> list[str]:
        found = self.execute("pragma foreign_key_check").fetchall()
        return sorted({f"{table} → {parent}" for table, _, parent, _ in found})

    def is_busy(self, error: Exception) -> bool:
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in (5, 6)  # SQLITE_BUSY, SQLITE_LOCKED

    def explain(self, error: Exception, statement: SqlStatement | None) -> tuple[str, int]:
        return str(error), statement.line if statement else 0

    def begin(self) -> None:
        self.execute("begin immediate")
        self._in_transaction = True

    def commit(self) -> None:
        self.execute("commit")

    def rollback(self) -> None:
        self.execute("rollback")

    def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> Any:
        # The driver's own adapter for datetimes is deprecated, and registered for the whole process.
        values = {
            name: value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value
            for name, value in (params or {}).items()
        }
        return super().execute(sql, values)


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without an entry in the password file
        return "unknown"


_SAVEPOINT = "diglot_migration"
_RECORD_CHECKSUMS = """/* diglot:migrate.record_checksums */
    insert into diglot_migration_checksum (migration_id, sha256, rollback_sha256, recorded_at_utc)
    values (:id, :sha256, :rollback_sha256, :recorded_at)"""
_CHECKSUM_TABLE_SQL: dict[Dialect, str] = {
    "postgres": """/* diglot:migrate.checksum_table */
        create table if not exists diglot_migration_checksum (
            migration_id text collate "C" not null,
            sha256 text collate "C" not null,
            rollback_sha256 text collate "C" not null,
            recorded_at_utc timestamp not null,
            constraint pk_diglot_migration_checksum primary key (migration_id)
        )""",
    "sqlite": """/* diglot:migrate.checksum_table */
        create table if not exists diglot_migration_checksum (
            migration_id text not null,
            sha256 text not null,
            rollback_sha256 text not null,
            recorded_at_utc text not null,
            constraint pk_diglot_migration_checksum primary key (migration_id)
        ) strict""",
}
