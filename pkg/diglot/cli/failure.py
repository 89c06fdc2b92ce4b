"""What went wrong, as one line without secrets, and its exit code."""

from __future__ import annotations

import traceback
from importlib import import_module

import click

from diglot.errors import (
    ConfigurationError,
    DatabaseTimeout,
    DatabaseUnavailable,
    DiglotError,
    InvalidValue,
    MigrationTreeError,
    OutcomeUnknown,
    QueryFileError,
)
from diglot.redaction import Redactor

# The state store's redactor, in every project: a key may be typed into any command. It is imported at the start,
# because an import fails when no more files can be opened, and that error must be shown too.
_REDACTOR: Redactor = import_module("diglot.statestore.secrets").REDACTOR


def exit_code(error: Exception) -> int:
    """The exit code for an error.

    1 refused · 2 usage, configuration, or SQL files that are not right · 3 the database can't be reached, or does not
    answer in time.
    """
    if isinstance(error, click.UsageError | ConfigurationError | InvalidValue | MigrationTreeError | QueryFileError):
        return 2
    if isinstance(error, DatabaseUnavailable | DatabaseTimeout | OutcomeUnknown):
        return 3
    return 1


def one_line(error: Exception | str) -> str:
    """The message on one line, without secrets and control characters; usage errors say where the help is."""
    if isinstance(error, click.UsageError):
        text = error.format_message().strip().rstrip(".")
        text = text[:1].lower() + text[1:]
        if error.ctx is not None:
            text += f" (see '{error.ctx.command_path} --help')"
    elif isinstance(error, click.ClickException):
        text = error.format_message()
    elif isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror.lower()}" if error.filename else error.strerror.lower()
    elif isinstance(error, DiglotError | Warning | str):
        text = str(error)
    else:
        text = f"unexpected {type(error).__name__}: {error}; run it again with --debug to see where"
    return _REDACTOR.redact(printable(" ".join(text.split())))


def redacted_traceback(error: Exception) -> str:
    """The whole traceback, including causes, without secrets."""
    return _REDACTOR.redact("".join(traceback.format_exception(error)))


def printable(text: str) -> str:
    """Control characters (a terminal would obey them) and line breaks as ``\\x1b``, ``\\n``; the rest as it is."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == " " else c.encode("unicode_escape").decode() for c in text)
