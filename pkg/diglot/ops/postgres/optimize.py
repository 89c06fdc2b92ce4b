"""ANALYZE and VACUUM for the tables of a PostgreSQL schema."""

from __future__ import annotations

import psycopg

from diglot.errors import ConfigurationError, LockTimeout
from diglot.ops.progress import Report, Step
from diglot.ops.statements import statement
from diglot.sql.identifiers import quoted
from diglot.stores.postgres.errors import translate
from diglot.stores.store import Store

_LOCKED = "locked by another session"


def size(store: Store) -> int:
    """The bytes of the database."""
    found: int = store.rows(statement("postgres", "database_sizes"))[0][0]
    return found


def optimize(store: Store, vacuum: bool, timeout: float, report: Report) -> tuple[list[str], list[str]]:
    """Returns what was done, and what was left out and why. Others can read and write meanwhile."""
    if store.rows(statement("postgres", "current_schema")) == [(None,)]:
        raise ConfigurationError(f"the connection to {store.location} has no schema of its own: set its search_path")
    tables = [row[0] for row in store.rows(statement("postgres", "maintained_tables"))]
    command = "vacuum (analyze)" if vacuum else "analyze"
    left: dict[str, str] = {}
    with store.migration_connection(timeout) as connection:
        if vacuum and connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            raise ConfigurationError("VACUUM can't run through a connection pooler: connect to the server itself")
        refused: list[str | None] = []
        # PostgreSQL skips a table of another role with only a warning, which is in the server's language.
        connection.add_notice_handler(lambda diag: refused.append(diag.sqlstate))
        for number, table in enumerate(tables):
            report(Step(f"{table}: {command}", number, len(tables)))
            refused.clear()
            try:
                connection.execute(f"{command} {quoted(table)}".encode())
            except psycopg.errors.LockNotAvailable:
                left[table] = _LOCKED
            except psycopg.errors.UndefinedTable:
                left[table] = "dropped in the meantime"
            except psycopg.Error as error:
                raise translate(error, "ops.optimize") from error
            if refused:
                left[table] = "this role does not own it"
    if tables and len(left) == len(tables):
        reasons = ", ".join(sorted(set(left.values())))
        kind = LockTimeout if set(left.values()) == {_LOCKED} else ConfigurationError
        raise kind(f"no table of {store.location} could be processed: {reasons}")
    done = len(tables) - len(left)
    return [f"{command} of {done} {'table' if done == 1 else 'tables'}"], [f"{t}: {why}" for t, why in left.items()]
