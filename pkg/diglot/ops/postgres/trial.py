"""Temporary tables like those of the target, in a transaction that is rolled back, to try rows on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg

from diglot.ops.content import TableFields
from diglot.sql.identifiers import listed, quoted
from diglot.sql.session import Row
from diglot.stores.postgres.errors import translate
from diglot.stores.store import Store

_LOCK_TIMEOUT = 60.0


@contextmanager
def trial(store: Store, tables: Sequence[TableFields]) -> Iterator[PostgresTrial]:
    """See ``fitting.trial``."""
    with store.migration_connection(_LOCK_TIMEOUT) as connection:
        try:
            with connection.transaction(force_rollback=True):
                for table in tables:
                    name = quoted(table.name)
                    text = f"create temporary table {name} (like {name} including all) on commit drop"
                    connection.execute(text.encode())
                yield PostgresTrial(connection)
        except psycopg.Error as error:
            raise translate(error, "ops.trial") from error


def _reason(error: Exception, table: TableFields, row: Row) -> str:
    if not isinstance(error, psycopg.Error):
        return str(error)
    found = _COLUMN.search(error.diag.context or "")
    column = found[1] if found else _with_nul(table, row)
    return f"{translate(error, None)}{f' (column {column})' if column else ''}"


def _with_nul(table: TableFields, row: Row) -> str | None:
    """The column whose text has a NUL character: PostgreSQL refuses that before it looks at columns."""
    found = (field.column.name for field, value in zip(table.fields, row, strict=True) if "\0" in str(value))
    return next(found, None)


_COLUMN = re.compile(r"^COPY .*, column ([^:]+):", re.MULTILINE)


class PostgresTrial:
    """See ``fitting.Trial``."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def refused(self, table: TableFields, rows: list[Row]) -> Iterator[tuple[int, str]]:
        yield from self._refused(table, rows, 0)

    def _refused(self, table: TableFields, rows: list[Row], first: int) -> Iterator[tuple[int, str]]:
        """Halves the rows that COPY refuses until one is left."""
        reason = self._try(table, rows)
        if reason is None:
            return
        if len(rows) == 1:
            yield first, reason
            return
        middle = len(rows) // 2
        yield from self._refused(table, rows[:middle], first)
        yield from self._refused(table, rows[middle:], first + middle)

    def _try(self, table: TableFields, rows: list[Row]) -> str | None:
        columns = listed(field.column.name for field in table.fields)
        text = f"copy pg_temp.{quoted(table.name)} ({columns}) from stdin"
        try:
            with (
                self._connection.transaction(),
                self._connection.cursor() as cursor,
                cursor.copy(text.encode()) as copy,
            ):
                for row in rows:
                    copy.write_row(row)
        except (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError, UnicodeError) as error:
            return _reason(error, table, rows[-1])
        return None
