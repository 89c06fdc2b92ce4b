"""Turns the errors of PostgreSQL and its driver into ours by their SQLSTATE, in this one place.

The texts of PostgreSQL are in the server's language and repeat values (``invalid input syntax for type bigint:
"…"``; DETAIL shows whole rows), so our messages consist of our own words and names in the schema only.
"""

from __future__ import annotations

import psycopg

from diglot.errors import (
    CheckViolation,
    ConstraintViolation,
    DatabaseDamaged,
    DatabaseError,
    DatabaseFull,
    DatabaseIOError,
    DatabaseReadOnly,
    DatabaseTimeout,
    DatabaseUnavailable,
    DiglotError,
    ForeignKeyViolation,
    LockTimeout,
    NotNullViolation,
    QueryArgumentError,
    SchemaMismatch,
    SerializationFailure,
    StatementTimeout,
    TooLarge,
    TransactionError,
    UniqueViolation,
    WrongType,
)


def translate(error: BaseException, query: str | None) -> DiglotError:
    """Our error for what the driver raised while a statement ran."""
    if not isinstance(error, psycopg.Error):
        return _of_python(error, query)
    state = error.sqlstate
    if state is None:
        return _of_the_driver(error, query)
    kind = (
        _internal_error(error) if state == "XX000" else _BY_STATE.get(state) or _BY_CLASS.get(state[:2], DatabaseError)
    )
    if issubclass(kind, ConstraintViolation):
        return _constraint(error, kind, query)
    if state == _READ_ONLY:
        return DatabaseReadOnly(f"{first_line(DatabaseReadOnly)}: {_WHY_READ_ONLY} ({state})", query=query)
    if _was_altered(error):
        return SchemaMismatch(
            "a column that the query reads was altered after the query was prepared: run the transaction again",
            query=query,
        )
    if kind is SchemaMismatch:
        # Names from the query's own text, no values.
        said = error.diag.message_primary or "a name is unknown"
        return SchemaMismatch(f"{said}: the schema does not match the query; run 'diglot migrate up'", query=query)
    if kind is DatabaseError:
        return DatabaseError(f"the database refused the statement: {_condition(error)}{_position(error)}", query=query)
    return kind(f"{first_line(kind)}: {_condition(error)}", query=query)


def is_lost(error: BaseException) -> bool:
    """Whether the server has ended the connection, according to its error."""
    state = getattr(error, "sqlstate", None)
    return state is not None and (state in _ENDS_CONNECTION or (state[:2] == "08" and state != _PROTOCOL))


def is_stale_plan(error: BaseException) -> bool:
    """A prepared statement no longer fits the schema, or is gone. Prepared again, it runs."""
    return isinstance(error, psycopg.Error) and (_was_altered(error) or error.sqlstate == "26000")


def is_read_only(error: BaseException) -> bool:
    """The transaction can't write: a standby, or ``default_transaction_read_only``. A new connection may be able to."""
    return getattr(error, "sqlstate", None) == _READ_ONLY


def _was_altered(error: psycopg.Error) -> bool:
    """ "cached plan must not change result type": the prepared statement's columns have other types now."""
    # 0A000 is any feature that is not supported; the name of the server's function is the same in every language.
    return error.sqlstate == "0A000" and error.diag.source_function == "RevalidateCachedQuery"


def first_line(kind: type[DatabaseError]) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]


_READ_ONLY = "25006"
_WHY_READ_ONLY = "it is a standby, or default_transaction_read_only is on"
_PROTOCOL = "08P01"  # for example, too few values bound: nothing is wrong with the connection
_ENDS_CONNECTION = frozenset(
    {
        "57P01",  # admin_shutdown, pg_terminate_backend
        "57P02",  # crash_shutdown
        "57P03",  # cannot_connect_now
        "57P04",  # database_dropped
        "57P05",  # idle_session_timeout
        "25P03",  # idle_in_transaction_session_timeout
        "25P04",  # transaction_timeout
    }
)

_BY_STATE: dict[str, type[DatabaseError]] = {
    "23505": UniqueViolation,
    "23P01": UniqueViolation,  # exclusion_violation
    "23503": ForeignKeyViolation,
    "23514": CheckViolation,
    "23502": NotNullViolation,
    "42804": WrongType,  # datatype_mismatch
    "42846": WrongType,  # cannot_coerce
    "54000": TooLarge,  # program_limit_exceeded: a key too long for an index
    "40001": SerializationFailure,
    "40P01": SerializationFailure,  # deadlock_detected
    "57014": StatementTimeout,
    "55P03": LockTimeout,
    "25P03": DatabaseTimeout,
    "25P04": DatabaseTimeout,
    "57P01": DatabaseUnavailable,
    "57P02": DatabaseUnavailable,
    "57P03": DatabaseUnavailable,
    "57P04": DatabaseUnavailable,
    "57P05": DatabaseUnavailable,
    "53100": DatabaseFull,
    "53200": DatabaseFull,  # out_of_memory
    _READ_ONLY: DatabaseReadOnly,
    "42501": DatabaseReadOnly,  # insufficient_privilege
    "42P01": SchemaMismatch,  # undefined_table
    "42703": SchemaMismatch,  # undefined_column
    "3F000": SchemaMismatch,  # invalid_schema_name
    "25001": TransactionError,
    "25P01": TransactionError,
    "25P02": TransactionError,
    "3B001": TransactionError,  # no such savepoint
    _PROTOCOL: DatabaseError,
}
_BY_CLASS: dict[str, type[DatabaseError]] = {
    "08": DatabaseUnavailable,
    "22": WrongType,
    "23": ConstraintViolation,
    "40": SerializationFailure,
    "53": DatabaseUnavailable,  # insufficient_resources: too many connections
    "58": DatabaseIOError,  # system_error: an I/O error, a missing file
    "XX": DatabaseDamaged,
}
_EXTENDS_FILE = frozenset({"mdextend", "mdzeroextend", "FileWriteV", "FileZero", "FileFallocate"})
_ON_DISK = frozenset({"md.c", "fd.c", "buffile.c"})


def _internal_error(error: psycopg.Error) -> type[DatabaseError]:
    """XX000 is every error without a code of its own, such as a file-size limit (EFBIG) or a disk error.

    The place in the server's source identifies them in every language.
    """
    if error.diag.source_function in _EXTENDS_FILE:
        return DatabaseFull
    return DatabaseIOError if error.diag.source_file in _ON_DISK else DatabaseError


def _constraint(error: psycopg.Error, kind: type[DatabaseError], query: str | None) -> DatabaseError:
    diag = error.diag
    name = diag.constraint_name or (
        f"{diag.table_name}.{diag.column_name}" if diag.table_name and diag.column_name else None
    )
    if name is None and kind is WrongType:
        return WrongType(f"a value is not valid: {_condition(error)}", query=query)
    return kind(f"{first_line(kind)}: {name}" if name else first_line(kind), query=query, constraint=name)


def _condition(error: psycopg.Error) -> str:
    """PostgreSQL's name of the condition, ``division_by_zero (22012)``, the same in every language."""
    words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in type(error).__name__)
    return f"{words.lstrip('_')} ({error.sqlstate})"


def _position(error: psycopg.Error) -> str:
    position = error.diag.statement_position
    return f" at character {position} of its text" if position else ""


def _of_the_driver(error: psycopg.Error, query: str | None) -> DiglotError:
    """Errors of psycopg itself: the statement was not sent, or the connection is gone."""
    if isinstance(error, psycopg.DataError):
        return WrongType("a value is not valid: a text has a NUL character, or a number is too large", query=query)
    if isinstance(error, psycopg.OperationalError) or type(error) is psycopg.DatabaseError:
        return DatabaseUnavailable("the connection to PostgreSQL was lost", query=query)
    return _argument(f"the driver refused the statement ({type(error).__name__})", query)


def _of_python(error: BaseException, query: str | None) -> DiglotError:
    if isinstance(error, UnicodeError):
        return WrongType("a text has a lone surrogate, which is not a character", query=query)
    return _argument(f"a value can't be sent to PostgreSQL ({type(error).__name__})", query)


def _argument(message: str, query: str | None) -> QueryArgumentError:
    return QueryArgumentError(f"{message} [{query}]" if query else message)
