"""ANALYZE and VACUUM of the tables of a PostgreSQL schema."""

from __future__ import annotations

import psycopg

from diglot.ops.progress import Report, Step
from diglot.ops.statements import statement
from diglot.sql.identifiers import quoted
from diglot.stores.postgres.errors import translate
from diglot.stores.session import Store


def size(store: Store) -> int:
    """Bytes of the database."""
    found: int = store.rows(statement("postgres", "database_sizes"))[0][0]
    return found


def optimize(store: Store, vacuum: bool, timeout: float, report: Report) -> list[str]:
    """What was done. Others may read and write meanwhile."""
    tables = [row[0] for row in store.rows(statement("postgres", "table_sizes"))]
    command = "vacuum (analyze)" if vacuum else "analyze"
    with store.migration_connection(timeout) as connection:
        try:
            for number, table in enumerate(tables):
                report(Step(f"{table}: {command}", number, len(tables)))
                connection.execute(f"{command} {quoted(table)}".encode())
        except psycopg.Error as error:
            raise translate(error, "ops.optimize") from error
    return [f"{command} of {len(tables)} tables"]
