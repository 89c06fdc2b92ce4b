"""Every error that Diglot raises, in one place.

The docstring of a class is its default message. Every error of a driver becomes one of these, with the
query's name and the constraint where the engine names it, and the driver's error as its cause, so that the
same mistake has the same type on both databases. Nothing here ever carries a password or a key.
"""

from __future__ import annotations


class DiglotError(Exception):
    """something went wrong in Diglot"""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message if message is not None else (type(self).__doc__ or "").strip())


# --- configuration and files -------------------------------------------------------------------------------


class ConfigurationError(DiglotError):
    """the configuration can't be used"""


class QueryFileError(DiglotError):
    """a query file is not right"""

    def __init__(self, message: str, *, file: str = "<text>", line: int = 1, column: int = 1) -> None:
        super().__init__(f"{file}:{line}:{column}: {message}")
        self.problem = message
        self.file = file
        self.line = line
        self.column = column


class QueryArgumentError(DiglotError, TypeError):
    """a query was called with the wrong parameters"""


class QueryResultError(DiglotError):
    """a query answered in another form than its header says"""


# --- migrations --------------------------------------------------------------------------------------------


class MigrationError(DiglotError):
    """the migrations can't be run"""


class MigrationTreeError(MigrationError):
    """the migration files are not right"""


class MigrationEdited(MigrationError):
    """a migration was changed after it was applied"""


class MigrationUnknown(MigrationError):
    """the database has a migration that this version does not know"""


class MigrationOutOfOrder(MigrationError):
    """a pending migration is older than one that is applied"""


class MigrationFailed(MigrationError):
    """a migration failed; the database is as it was before it"""


class NotMigrated(MigrationError):
    """the database's schema is not the one that this version needs: run 'diglot migrate up'"""


# --- the database ------------------------------------------------------------------------------------------


class DatabaseError(DiglotError):
    """the database refused

    ``query`` is the query's name (``tasks.get_task``), ``constraint`` the violated constraint's name where the
    engine tells it; both None where not known.
    """

    def __init__(self, message: str | None = None, *, query: str | None = None, constraint: str | None = None) -> None:
        text = message if message is not None else (type(self).__doc__ or "").strip().splitlines()[0]
        super().__init__(f"{text} [{query}]" if query else text)
        self.query = query
        self.constraint = constraint


class DatabaseUnavailable(DatabaseError):
    """the database can't be reached"""


class DatabaseIOError(DatabaseUnavailable):
    """the disk or the file system under the database failed"""


class DatabaseTimeout(DatabaseError):
    """the database did not answer in time"""


class StatementTimeout(DatabaseTimeout):
    """the statement ran longer than its limit and was cancelled; nothing was changed"""


class LockTimeout(DatabaseTimeout):
    """a lock was not free in time; nothing was changed"""


class PoolTimeout(DatabaseTimeout):
    """no connection was free in time; nothing was sent"""


class OutcomeUnknown(DatabaseError):
    """the connection was lost during a write: it may or may not have been stored"""


class SerializationFailure(DatabaseError):
    """the database asks to run this transaction again: another one was in its way"""


class ConstraintViolation(DatabaseError):
    """a constraint of the database refused the values"""


class UniqueViolation(ConstraintViolation):
    """a row with this key exists already"""


class ForeignKeyViolation(ConstraintViolation):
    """a row refers to one that does not exist"""


class CheckViolation(ConstraintViolation):
    """a check of the database refused the values"""


class NotNullViolation(ConstraintViolation):
    """a value that must be there is missing"""


class WrongType(ConstraintViolation):
    """a value has a type that its column does not take"""


class TooLarge(WrongType):
    """a value is larger than the database takes

    ``path`` is the value's, as in ``states[3].input``, where the limit on documents refused it; else ''.
    """

    path = ""

    @classmethod
    def document(cls, path: str, size: int, most: int, hint: str = "") -> TooLarge:
        """The value at ``path`` has ``size`` bytes, and the setting ``max_document`` takes ``most``."""
        error = cls(f"{path}: it has {size:,} bytes, and max_document allows {most:,}{hint and f': {hint}'}")
        error.path = path
        return error

    @classmethod
    def body(cls, problem: str) -> TooLarge:
        """A whole request that holds too much."""
        error = cls(f"body: {problem}")
        error.path = "body"
        return error


class DatabaseReadOnly(DatabaseError):
    """the database can't be written"""


class DatabaseFull(DatabaseError):
    """the disk is full, or a limit on the size of files or of the database is reached"""


class DatabaseDamaged(DatabaseError):
    """the file is not a database, or it is damaged"""


class SchemaMismatch(DatabaseError):
    """a table or column that the query names does not exist: run 'diglot migrate up'"""


class StoreClosed(DatabaseError):
    """the store is closed"""


class TransactionError(DatabaseError):
    """this can't be done in, or outside, a transaction"""


# --- operations --------------------------------------------------------------------------------------------


class CopyRefused(DiglotError):
    """this can't be copied; nothing was changed"""


class BackupDamaged(DiglotError):
    """the backup is damaged, or it is none; nothing was changed"""


class BackupFailed(DiglotError):
    """the backup could not be made; nothing is left of it"""


class RestoreFailed(DiglotError):
    """the backup could not be restored; nothing was changed"""


class ExportFailed(DiglotError):
    """the export could not be written; nothing is left of it"""


class ExportDamaged(DiglotError):
    """the file is not a whole export; nothing was changed"""


class RowRefused(DiglotError):
    """a row has a value that the other database does not take; nothing was changed

    ``problem``: what is wrong with the value; ``row``: which row it is.
    """

    def __init__(self, problem: str | None = None, row: str = "") -> None:
        super().__init__(f"{problem} ({row})" if row else problem)
        self.problem = str(self) if problem is None else problem
        self.row = row


class DigestMismatch(DiglotError):
    """what arrived is not what was sent; nothing was changed"""


# --- values ------------------------------------------------------------------------------------------------


class InvalidValue(DiglotError, ValueError):
    """a value can't be stored

    ``path`` is its place, as in ``input.items[3].price``.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}" if path else problem)
        self.path = path
        self.problem = problem
