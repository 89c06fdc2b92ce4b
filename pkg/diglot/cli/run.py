"""Runs one command, and turns every error into one line on standard error and an exit code.

0 done · 1 refused, or found something · 2 usage or configuration · 3 database unavailable · 130 interrupted
(143 and 129 terminated, 141 the reader of the output is gone).
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click
from click.exceptions import NoArgsIsHelpError

from diglot.cli.app import App
from diglot.cli.failure import exit_code, one_line, redacted_traceback
from diglot.cli.root import cli

BROKEN_PIPE = 141


def run(arguments: Sequence[str], *, own_process: bool = False) -> int:
    """Runs ``diglot ARGUMENTS`` and returns the exit code. Signals (also Ctrl-C) pass through as KeyboardInterrupt."""
    instruction = os.environ.get("_DIGLOT_COMPLETE")
    if instruction:
        from click.shell_completion import shell_complete

        return shell_complete(cli, {}, "diglot", "_DIGLOT_COMPLETE", instruction)
    app = App(own_process=own_process)
    with _one_line_warnings(app):
        try:
            return _flushed(_invoke(app, arguments))
        except BrokenPipeError:
            _drop_output()
            return BROKEN_PIPE
        except NoArgsIsHelpError as help_wanted:
            click.echo(help_wanted.format_message(), err=True)
            return 2
        except click.Abort as abort:  # click raises it for Ctrl-C, a signal, and the end of the input at a prompt
            raise _interrupt(abort) or KeyboardInterrupt from None
        except Exception as error:
            interrupt = _interrupt(error)
            if interrupt is not None and isinstance(error, OSError):  # the terminal is gone: nothing can be shown there
                raise interrupt from None
            if app.debug:
                click.echo(redacted_traceback(error), err=True, nl=False)
            click.echo(f"diglot: {one_line(error)}", err=True)
            return exit_code(error)


def _interrupt(error: BaseException) -> KeyboardInterrupt | None:
    """The interrupt that was being handled when this happened."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, KeyboardInterrupt):
        cause = cause.__context__
    return cause


def _invoke(app: App, arguments: Sequence[str]) -> int:
    """A command's own exit code is the int that it returns, or that it passes to ``ctx.exit``."""
    try:
        with cli.make_context("diglot", list(arguments), obj=app) as context:
            result = cli.invoke(context)
    except click.exceptions.Exit as done:
        return done.exit_code
    return result if isinstance(result, int) else 0


def _flushed(code: int) -> int:
    """Flushes now: an error of the last write (a closed pipe, a full disk) must be the command's own."""
    if sys.stdout is not None:
        sys.stdout.flush()
    return code


def _drop_output() -> None:
    """Discards what is still buffered: otherwise the interpreter complains at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


@contextmanager
def _one_line_warnings(app: App) -> Iterator[None]:
    """Prints warnings, including libraries' own, like errors: one line on standard error, without a source location."""

    def show(message: Warning | str, category: type[Warning], *_place: object, **_more: object) -> None:
        if app.debug or not issubclass(category, DeprecationWarning | ResourceWarning):
            click.echo(f"diglot: warning: {one_line(message)}", err=True)

    handler = _Stderr(app)
    logging.getLogger().addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = show
            yield
    finally:
        logging.getLogger().removeHandler(handler)


class _Stderr(logging.Handler):
    """Prints logged warnings like Python's warnings; advice for services only with ``--debug``."""

    def __init__(self, app: App) -> None:
        super().__init__(logging.WARNING)
        self.addFilter(lambda record: app.debug or record.name != "diglot.advice")

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(f"diglot: {record.levelname.lower()}: {one_line(record.getMessage())}", err=True)
