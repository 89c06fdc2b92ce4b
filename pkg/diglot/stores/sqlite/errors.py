"""Turns the errors of SQLite and its driver into ours by the result code, never by the class, in this one place.

The two libraries have exception classes of their own and pysqlite3 gives no extended codes (19, never 2067), so the
primary code decides, and within a constraint the text, which SQLite has kept the same for twenty years.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from diglot.errors import (
    CheckViolation,
    ConstraintViolation,
    DatabaseDamaged,
    DatabaseError,
    DatabaseFull,
    DatabaseIOError,
    DatabaseReadOnly,
    DatabaseUnavailable,
    ForeignKeyViolation,
    LockTimeout,
    NotNullViolation,
    QueryArgumentError,
    QueryResultError,
    SchemaMismatch,
    SerializationFailure,
    StoreClosed,
    TooLarge,
    TransactionError,
    UniqueViolation,
    WrongType,
)


class EndsTransaction(Exception):
    """A script has this word, with which it would end the transaction that makes it all or nothing."""


def translate(error: Exception, query: str | None, *, writing: bool = False) -> Exception:
    """Our error for what a driver raised.

    ``writing``: it came from an open write transaction, where "busy" means that the transaction must run again.
    """
    error = _raised_first(error)
    code: int | None = getattr(error, "sqlite_errorcode", None)
    text = str(error)
    if code is None:
        return _of_the_driver(error, text, query)
    primary = code & 0xFF
    if primary == BUSY:
        if writing or code == BUSY_SNAPSHOT:
            return SerializationFailure(query=query)
        return LockTimeout(f"another program holds a lock on the database: {text}", query=query)
    if primary == CONSTRAINT:
        return _constraint(text, query)
    if primary == ERROR:
        return _sql_error(text, query)
    kind = _BY_CODE.get(primary, DatabaseError)
    return kind(f"{_first_line(kind)}: {text}", query=query)


BUSY, CONSTRAINT, ERROR, INTERRUPT, IOERR, NOTADB, READONLY = 5, 19, 1, 9, 10, 26, 8
BUSY_SNAPSHOT = 517

_BY_CODE: dict[int, type[DatabaseError]] = {
    3: DatabaseReadOnly,  # PERM
    6: LockTimeout,  # LOCKED: another statement of the same connection or cache
    READONLY: DatabaseReadOnly,
    IOERR: DatabaseIOError,
    11: DatabaseDamaged,  # CORRUPT
    13: DatabaseFull,  # FULL
    14: DatabaseUnavailable,  # CANTOPEN
    15: LockTimeout,  # PROTOCOL: the locks of the write-ahead log were not available
    17: SchemaMismatch,  # SCHEMA
    18: TooLarge,  # TOOBIG
    20: WrongType,  # MISMATCH
    NOTADB: DatabaseDamaged,
}


class _Rule(NamedTuple):
    pattern: re.Pattern[str]
    """Its group, if any, is the constraint."""
    kind: type[DatabaseError]


_CONSTRAINTS = [
    _Rule(re.compile(r"UNIQUE constraint failed: (?:index '(?P<index>.+)'|(?P<name>.+))"), UniqueViolation),
    _Rule(re.compile(r"PRIMARY KEY must be unique"), UniqueViolation),
    _Rule(re.compile(r"CHECK constraint failed: (?P<name>.+)", re.DOTALL), CheckViolation),
    _Rule(re.compile(r"NOT NULL constraint failed: (?P<name>.+)"), NotNullViolation),
    _Rule(re.compile(r"FOREIGN KEY constraint failed"), ForeignKeyViolation),
    _Rule(re.compile(r"cannot store \w+ value in \w+ column (?P<name>.+)"), WrongType),
]
_SCHEMA = re.compile(
    r"no such (table|column|index|view|trigger)|has no column named|unknown column|foreign key mismatch"
)


def _raised_first(error: Exception) -> Exception:
    """The driver of Python 3.11 raises the error of an *earlier* statement instead of that of a value it can't bind.

    The value's own is then the context; it has no traceback, unlike an exception that the caller is handling.
    """
    context = error.__context__
    return context if isinstance(context, Exception) and context.__traceback__ is None else error


def _constraint(text: str, query: str | None) -> DatabaseError:
    for pattern, kind in _CONSTRAINTS:
        found = pattern.match(text)
        if found:
            names = found.groupdict()
            name = names.get("index") or names.get("name")
            said = f": {name}" if name else ""
            return kind(f"{_first_line(kind)}{said}", query=query, constraint=name)
    return ConstraintViolation(f"{_first_line(ConstraintViolation)}: {text}", query=query)


def _sql_error(text: str, query: str | None) -> DatabaseError:
    if _SCHEMA.search(text):
        return SchemaMismatch(f"{text}: the schema does not match the query; run 'diglot migrate up'", query=query)
    if text == "malformed JSON" or text == "integer overflow":
        return WrongType(f"a value is not valid: {text}", query=query)
    return DatabaseError(f"the database refused the statement: {text}", query=query)


def _of_the_driver(error: Exception, text: str, query: str | None) -> Exception:
    """Errors that Python code of the driver raised before SQLite saw the statement."""
    at = f" [{query}]" if query else ""
    if isinstance(error, EndsTransaction):
        return TransactionError(f"a script is one transaction: leave {text} out of it", query=query)
    if isinstance(error, MemoryError):
        return DatabaseFull("there is not enough memory", query=query)
    if isinstance(error, OverflowError):
        return WrongType("an integer is beyond 64 bits", query=query)
    if isinstance(error, UnicodeEncodeError):
        return WrongType("a text has a lone surrogate, which is not a character", query=query)
    if text.startswith("Could not decode to UTF-8"):  # the text continues with the value
        return QueryResultError(f"query {query}: the driver can't read a value of the result (it is not UTF-8)")
    if "closed database" in text:
        return StoreClosed(query=query)
    if "type" in text and "binding parameter" in text:
        return QueryArgumentError(f"a value has a type that SQLite does not know: {text}{at}")
    if "bindings" in text or "binding" in text:
        return QueryArgumentError(f"{text}{at}")
    if "one statement at a time" in text:
        return DatabaseError("the text has several statements: run it as a script", query=query)
    return DatabaseError(f"the driver refused the statement: {text}", query=query)


def _first_line(kind: type[DatabaseError]) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]
