"""A load on PostgreSQL: COPY, with foreign keys, triggers and (for many rows) indexes set aside in the transaction."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from typing import Any, cast

import psycopg
from psycopg.copy import QueuedLibpqWriter

from diglot.errors import ConstraintViolation
from diglot.ops.content import TableFields, convert, converters
from diglot.ops.merging import on_conflict, upsert
from diglot.ops.postgres.values import loader
from diglot.ops.statements import statement
from diglot.sql.identifiers import listed, quoted
from diglot.sql.session import Batches, Dialect, Row, Statement, Values
from diglot.stores.postgres.errors import translate
from diglot.stores.store import Store

_SORTING = "128MB"
"""The memory that the server may use to sort the keys of an index."""
_CHUNK = 200
"""Rows that the client library returns at once: about as many as fit into the buffer of a socket."""
_CHUNKED = 170000
"""The first libpq that returns rows in chunks; older ones return them one by one."""


@contextmanager
def loading(store: Store, timeout: float) -> Iterator[PostgresLoad]:
    """See ``ops.loading.loading``."""
    with store.migration_connection(timeout) as connection:
        try:
            with connection.transaction():
                yield PostgresLoad(connection)
        except psycopg.Error as error:
            raise translate(error, "ops.load") from error


class PostgresLoad:
    """See ``ops.loading.Load`` for what each method promises."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._temporary: dict[str, str] = {}
        self._later: list[str] = []
        """The statements that restore what was set aside, in order."""

    @property
    def dialect(self) -> Dialect:
        return "postgres"

    def rows(self, statement: Statement, values: Values = ()) -> list[Row]:
        with psycopg.RawCursor(self._connection) as cursor:
            cursor.execute(statement.text, values)
            return cursor.fetchall() if cursor.description else []

    def stream(self, statement: Statement, values: Values = (), *, size: int = 1000) -> Batches:
        # Not a cursor of the server: this way it works on the next rows while these are compared.
        with psycopg.RawCursor(self._connection) as cursor:
            chunk = min(size, _CHUNK) if psycopg.pq.version() >= _CHUNKED else 1
            rows = cast("Generator[Row, None, None]", cursor.stream(statement.text.encode(), values, size=chunk))
            with closing(rows):
                while batch := list(islice(rows, size)):
                    yield batch

    def counts(self, tables: Sequence[TableFields]) -> dict[str, int]:
        found = {}
        for table in tables:
            text = f"/* diglot:ops.any_row */ select exists (select from {quoted(table.name)})"
            found[table.name] = int(self.rows(Statement("ops.any_row", text))[0][0])
        return found

    def prepare(self, tables: Sequence[TableFields], *, large: bool, empty: bool = True) -> None:
        names = listed(table.name for table in tables)
        self._run(f"set local maintenance_work_mem = '{_SORTING}'")
        self._run(f"lock table {names} in access exclusive mode")
        oids = [table.name for table in tables]
        drop, restore = [], []
        asides: list[tuple[str, Values]] = [("foreign_keys", (oids,)), ("triggers", (oids,))]
        if large:
            asides.append(("indexes", (oids, empty)))
        for kind, values in asides:
            for dropping, restoring in self.rows(statement("postgres", f"aside_{kind}"), values):
                drop.append(dropping)
                restore.append(restoring)
        for text in drop:
            self._run(text)
        # Indexes are restored before the foreign keys that need them.
        self._later = list(reversed(restore))
        if empty:
            self._run(f"truncate {names}")

    def load(self, table: TableFields, batches: Iterable[list[Row]]) -> int:
        columns = listed(field.column.name for field in table.fields)
        places = converters(table, loader)
        count = 0
        text = f"/* diglot:ops.load */ copy {quoted(table.name)} ({columns}) from stdin"
        with self._connection.cursor() as cursor, cursor.copy(text, writer=QueuedLibpqWriter(cursor)) as copy:
            for rows in batches:
                for row in convert(rows, places, table):
                    copy.write_row(row)
                count += len(rows)
        return count

    def merge(self, table: TableFields, rows: list[Row]) -> int:
        columns = listed(field.column.name for field in table.fields)
        places = converters(table, loader)
        waiting = self._waiting(table)
        try:
            with self._connection.transaction(), self._connection.cursor() as cursor:
                with cursor.copy(f"/* diglot:ops.merge */ copy {waiting} ({columns}) from stdin") as copy:
                    for row in convert(rows, places, table):
                        copy.write_row(row)
                cursor.execute(f"{upsert(table)} select {columns} from {waiting} {on_conflict(table)}".encode())
                changed = cursor.rowcount
                cursor.execute(f"truncate {waiting}".encode())
        except psycopg.Error as error:
            if self._connection.closed:
                raise
            if isinstance(error, psycopg.errors.CardinalityViolation):
                # They can be stored one by one, as on SQLite.
                raise ConstraintViolation("two of the rows have the same key", query="ops.merge") from error
            raise translate(error, "ops.merge") from error
        return changed

    def _waiting(self, table: TableFields) -> str:
        """A temporary table for rows on their way into this one, with its columns and nothing else."""
        name = f"diglot_waiting_{len(self._temporary)}" if table.name not in self._temporary else ""
        if name:
            columns = listed(field.column.name for field in table.fields)
            text = f"create temporary table {name} on commit drop as select {columns} from {quoted(table.name)} limit 0"
            self._run(text)
            self._temporary[table.name] = name
        return self._temporary[table.name]

    def finish(self, last_numbers: Mapping[tuple[str, str], int]) -> None:
        try:
            with self._connection.transaction():  # after a ForeignKeyViolation the rows can still be read
                for text in self._later:
                    self._run(text)
        except psycopg.errors.ForeignKeyViolation as error:
            raise translate(error, "ops.load") from error
        for (table, column), last in last_numbers.items():
            self.rows(statement("postgres", "set_last_number"), (table, column, last))

    def _run(self, text: str) -> None:
        self._connection.execute(text.encode())
