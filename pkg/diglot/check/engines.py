"""What the engines report about a statement: it is prepared, never run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from diglot.check.catalog import Kinds, postgres_kinds
from diglot.check.nesting import deep_nesting
from diglot.sql.header import Parameter
from diglot.sql.statements import split
from diglot.sql.types import TYPES
from diglot.stores.sqlite.double_quotes import taken_for_text
from diglot.stores.sqlite.library import library
from diglot.stores.store import Store

if TYPE_CHECKING:
    import sqlite3

LOCK_TIMEOUT = 30.0


class Answered(msgspec.Struct, frozen=True):
    """A column of the result, or a parameter; SQLite reports only a column's name."""

    name: str
    declared: str | None = None
    kinds: Kinds = None


class Prepared(msgspec.Struct, frozen=True):
    """What the engine reports; ``parameters`` in the order of the placeholders, empty if it does not report them."""

    parameters: list[Answered]
    columns: list[Answered] | None


class Refused(msgspec.Struct, frozen=True):
    """The engine's error: ``offset`` in the text, or a ``word`` of it that the message names."""

    message: str
    offset: int | None = None
    word: str | None = None


class Engine(Protocol):
    """A connection on which statements are prepared."""

    def prepare(self, text: str, order: Sequence[Parameter], *, describe: bool = True) -> Prepared | Refused:
        """``order`` are the parameters of the placeholders. Without ``describe`` it is only prepared."""
        ...

    def script(self, text: str) -> Refused | None:
        """Runs several statements and rolls them back."""
        ...


@contextmanager
def engine(store: Store) -> Iterator[Engine]:
    """The engine of a store, alone with its lock; statements on the store itself have to wait."""
    with deep_nesting(), store.migration_connection(LOCK_TIMEOUT) as connection:
        yield _Postgres(connection) if store.dialect == "postgres" else _SQLite(connection)


# --- PostgreSQL ---

_UNDECIDED = ("42P18", "42P08")


class _Postgres:
    def __init__(self, connection: Any) -> None:
        self._connection = connection
        rows = connection.execute(
            "select oid, typname, typtype::text, format_type(oid, null) from pg_catalog.pg_type"
        ).fetchall()
        self._types: dict[int, tuple[str, Kinds]] = {
            oid: (shown, postgres_kinds(name, kind)) for oid, name, kind, shown in rows
        }

    def prepare(self, text: str, order: Sequence[Parameter], *, describe: bool = True) -> Prepared | Refused:
        from psycopg.pq import DiagnosticField, ExecStatus

        libpq = self._connection.pgconn
        result = libpq.prepare(b"", text.encode())
        if result.status == ExecStatus.FATAL_ERROR and self._field(result, DiagnosticField.SQLSTATE) in _UNDECIDED:
            result = libpq.prepare(b"", text.encode(), [_oid(parameter) for parameter in order])
        if result.status == ExecStatus.FATAL_ERROR:
            message = self._field(result, DiagnosticField.MESSAGE_PRIMARY)
            position = self._field(result, DiagnosticField.STATEMENT_POSITION)
            return Refused(_with_names(message, order), int(position) - 1 if position else None)
        if not describe:
            return Prepared([], None)
        told = libpq.describe_prepared(b"")
        return Prepared(
            [self._answered("", told.param_type(i)) for i in range(told.nparams)],
            [self._answered((told.fname(i) or b"").decode(), told.ftype(i)) for i in range(told.nfields)],
        )

    def script(self, text: str) -> Refused | None:
        import psycopg

        try:
            with self._connection.transaction(force_rollback=True):
                self._connection.execute(text)
        except psycopg.Error as error:
            position = error.diag.statement_position
            return Refused(error.diag.message_primary or str(error), int(position) - 1 if position else None)
        return None

    def _answered(self, name: str, oid: int) -> Answered:
        declared, kinds = self._types.get(oid, (str(oid), None))
        return Answered(name, declared, kinds)

    def _field(self, result: Any, field: Any) -> str:
        return (result.error_field(field) or b"").decode()


def _oid(parameter: Parameter) -> int:
    found = TYPES[parameter.type]
    return found.list_oid if parameter.is_list else found.oid


def _with_names(message: str, order: Sequence[Parameter]) -> str:
    def name(found: re.Match[str]) -> str:
        number = int(found[1])
        return f":{order[number - 1].name}" if number <= len(order) else found[0]

    return re.sub(r"\$(\d+)", name, message)


# --- SQLite ---

_NAMED = re.compile(
    r"(?:no such (?:column|function|table): |near |has no column named |ambiguous column name: |"
    r"function )\"?(?:\w+\.)?([^\s\"()]+)"
)


class _SQLite:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def prepare(self, text: str, order: Sequence[Parameter], *, describe: bool = True) -> Prepared | Refused:
        values = [_sample(parameter) for parameter in order]
        try:
            self._connection.execute(f"explain {text}", values).close()
        except library().Error as error:
            return self._refused(error, text)
        misnamed = taken_for_text(self._connection, text, values)
        if misnamed is not None:
            return _refused(misnamed)
        return Prepared([], self._columns(text, values) if describe else None)

    def script(self, text: str) -> Refused | None:
        self._connection.execute("savepoint diglot_check")
        try:
            for statement in split(text, dialect="sqlite"):
                misnamed = taken_for_text(self._connection, statement.text)
                if misnamed is not None:
                    return _refused(misnamed)
                self._connection.execute(statement.text)
        except library().Error as error:
            return _refused(error)
        finally:
            self._connection.execute("rollback to diglot_check")
            self._connection.execute("release diglot_check")
        return None

    def _refused(self, error: Exception, text: str) -> Refused:
        """SQLite names the word at which it stopped, not its place: the first one that fails in the same way."""
        refused = _refused(error)
        if refused.word is None or not refused.message.startswith("near "):
            return refused
        for found in re.finditer(re.escape(refused.word), text):
            try:
                self._connection.execute(f"explain {text[: found.end()]}")
            except library().Error as shorter:
                if str(shorter) == refused.message:
                    return Refused(refused.message, offset=found.start())
        return refused

    def _columns(self, text: str, values: list[Any]) -> list[Answered] | None:
        """The names of a read's columns; those of a write are only known when it is run."""
        if not re.match(r"\s*(?:/\*.*?\*/\s*)*(?:select|values|with)\b", text, re.IGNORECASE | re.DOTALL):
            return None
        self._connection.execute("pragma query_only = on")
        try:
            cursor = self._connection.execute(text, values)
            described = [Answered(column[0]) for column in cursor.description or ()]
            cursor.close()
        except library().Error:
            return None
        finally:
            self._connection.execute("pragma query_only = off")
        return described


def _sample(parameter: Parameter) -> Any:
    return "[]" if parameter.is_list else TYPES[parameter.type].sample


def _refused(error: Exception | str) -> Refused:
    found = _NAMED.search(str(error))
    return Refused(str(error), word=found[1] if found else None)
