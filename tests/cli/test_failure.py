"""Whatever goes wrong is one line on standard error with the right exit code, and never shows a secret."""

from __future__ import annotations

import fcntl
import inspect
import logging
import os
import signal
import struct
import subprocess
import termios
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from diglot import errors
from diglot.cli import root
from diglot.cli.app import App, pass_app
from diglot.cli.failure import exit_code, one_line, printable
from diglot.redaction import PASSWORDS
from diglot.statestore import errors as refusals
from diglot.statestore.secrets import REDACTOR
from tests.cli.running import COMMAND, diglot, process, started

CANARY = "Hunter2-canary"
KEY = "dgl_" + "A" * 43 + "123456"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[BaseException]]:
    """A command ``diglot fail`` that raises what the test puts into the list."""
    to_raise: list[BaseException] = []

    @click.command()
    @pass_app
    def fail(_app: App) -> None:
        raise to_raise[0]

    monkeypatch.setattr(root, "fail", fail, raising=False)
    monkeypatch.setitem(root.cli._lazy, "fail", "diglot.cli.root:fail")
    yield to_raise
    root.cli.commands.pop("fail", None)


EXIT_CODES = {
    errors.ConfigurationError: 2,
    errors.InvalidValue: 2,
    errors.MigrationTreeError: 2,
    errors.QueryFileError: 2,
    errors.DatabaseIOError: 3,
    errors.DatabaseUnavailable: 3,
    errors.DatabaseIOError: 3,
    errors.DatabaseTimeout: 3,
    errors.StatementTimeout: 3,
    errors.LockTimeout: 3,
    errors.PoolTimeout: 3,
    errors.OutcomeUnknown: 3,
}
ALL_ERRORS = {
    kind
    for module in (errors, refusals)
    for _, kind in inspect.getmembers(module, inspect.isclass)
    if issubclass(kind, errors.DiglotError)
}


@pytest.mark.parametrize("kind", sorted(ALL_ERRORS, key=lambda kind: kind.__name__))
def test_each_error_has_its_exit_code_and_is_one_line(
    kind: type[errors.DiglotError], failing: list[BaseException]
) -> None:
    error = kind("x", "y") if kind is errors.InvalidValue else kind("what happened\nto which thing")
    failing.append(error)
    done = diglot("fail")
    assert done.code == EXIT_CODES.get(kind, 1)
    assert done.out == ""
    assert done.err.startswith("diglot: ")
    assert done.err.count("\n") == 1
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("oh"), "diglot: unexpected ValueError: oh; run it again with --debug to see where\n"),
        (KeyError("k"), "diglot: unexpected KeyError: 'k'; run it again with --debug to see where\n"),
        (OSError(28, "No space left on device", "x.db"), "diglot: x.db: no space left on device\n"),
        (OSError(5, "Input/output error"), "diglot: input/output error\n"),
        (click.ClickException("so it is"), "diglot: so it is\n"),
        (click.FileError("x.db", "gone"), "diglot: Could not open file 'x.db': gone\n"),
    ],
)
def test_an_error_of_another_kind_is_one_line_too(error: Exception, line: str, failing: list[BaseException]) -> None:
    failing.append(error)
    assert diglot("fail") == (1, "", line)


def test_debug_shows_the_traceback_with_its_causes_before_the_line(failing: list[BaseException]) -> None:
    error = errors.DatabaseUnavailable("not there")
    error.__cause__ = ConnectionRefusedError("nobody listens")
    failing.append(error)
    for arguments in (["--debug", "fail"], ["fail", "--debug"]):
        done = diglot(*arguments)
        assert done.code == 3
        assert "Traceback (most recent call last)" in done.err
        assert "ConnectionRefusedError: nobody listens" in done.err
        assert done.err.endswith("\ndiglot: not there\n")


@pytest.mark.parametrize(
    "text",
    [
        f"connection to postgresql://ada:{CANARY}@db/app failed",
        f"connection to postgresql://ada:p@{CANARY}@db/app failed",
        f"invalid dsn: host=db password={CANARY} dbname=app",
        f"invalid dsn: password = '{CANARY} with \\' spaces' dbname=app",
        f"Password: {CANARY}",
        f"the key {KEY} is not valid",
    ],
)
@pytest.mark.parametrize("debug", [[], ["--debug"]])
def test_no_error_shows_a_secret(text: str, debug: list[str], failing: list[BaseException]) -> None:
    for error in (ValueError(text), errors.DatabaseError(text)):
        failing[:] = [error]
        done = diglot("fail", *debug)
        assert done.code == 1
        assert CANARY not in done.err
        assert KEY not in done.err
        assert "***" in done.err


@pytest.mark.parametrize("variable", ["DB_PASSWORD", "PGPASSWORD", "DIGLOT_API_KEY"])
def test_the_secrets_of_the_environment_are_known(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, CANARY)
    assert REDACTOR.redact(f"FATAL: {CANARY} is wrong") == "FATAL: *** is wrong"


@pytest.mark.parametrize("text", ["no user 'ada@example.org'", "postgresql://db.example.org:5432/app", "dgl_AbCd1234"])
def test_what_is_no_secret_stays(text: str) -> None:
    assert REDACTOR.redact(text) == text


def test_the_kit_alone_knows_the_passwords_of_databases_and_no_application(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("PGPASSWORD", "DB_PASSWORD"):
        monkeypatch.setenv(variable, CANARY + variable)
    text = f"{CANARY}PGPASSWORD {CANARY}DB_PASSWORD postgresql://ada:{CANARY}@db/app {KEY}"
    assert PASSWORDS.redact(text) == f"*** {CANARY}DB_PASSWORD postgresql://ada:***@db/app {KEY}"


def test_a_key_typed_as_an_argument_is_not_repeated() -> None:
    done = diglot("auth", "check", KEY)
    assert done.code == 2
    assert KEY not in done.err


def test_what_a_terminal_would_obey_is_shown_instead() -> None:
    assert printable("a\x1b[31m\x07\x9b\u202e ü\n") == "a\\x1b[31m\\x07\\x9b\\u202e ü\\n"
    assert one_line(errors.DiglotError("\x1b]0;title\x07 two\n lines")) == "\\x1b]0;title\\x07 two lines"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["usr"], "diglot: no such command 'usr': did you mean 'user'? (see 'diglot --help')\n"),
        (
            ["key", "x"],
            "diglot: no such command 'x': use one of issue, list, revoke, rotate (see 'diglot key --help')\n",
        ),
        (["user", "create"], "diglot: missing argument 'EMAIL' (see 'diglot user create --help')\n"),
        (["--format", "xml", "config", "show"], "is not one of 'table', 'json' (see 'diglot --help')\n"),
        (["user", "list", "--limit", "1001"], "1001 is not in the range 1<=x<=1000 (see 'diglot user list --help')\n"),
        (["user", "list", "--lim", "1"], "(see 'diglot user list --help')\n"),
    ],
)
def test_a_usage_error_is_one_line_that_says_where_the_help_is(arguments: list[str], line: str) -> None:
    done = diglot(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("diglot: ")
    assert done.err.endswith(line)
    assert done.err.count("\n") == 1


def test_a_configuration_error_ends_with_2(monkeypatch: pytest.MonkeyPatch) -> None:
    assert diglot("--db-driver", "mysql", "config", "show") == (
        2,
        "",
        "diglot: --db-driver: unsupported database driver 'mysql': use 'postgres' or 'sqlite'\n",
    )
    assert diglot("config", "show", "--config", "none.toml").err == (
        "diglot: none.toml: can't be read: no such file or directory\n"
    )


def test_a_database_that_is_not_there_ends_with_3() -> None:
    done = process("user", "list", "--database-url", f"postgresql://ada:{CANARY}@127.0.0.1:1/app")
    assert done.code == 3
    assert done.out == ""
    assert done.err.startswith("diglot: ")
    assert done.err.count("\n") == 1
    assert CANARY not in done.err


def test_a_warning_is_one_line_without_the_place_in_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def fail() -> None:
        warnings.warn("SQLite is old", stacklevel=1)
        warnings.warn("not for people", DeprecationWarning, stacklevel=1)
        logging.getLogger("diglot.stores").warning("took %d s", 7)
        logging.getLogger("diglot.advice").warning("for services")
        logging.getLogger("diglot.stores").info("nobody asked")

    monkeypatch.setattr(root, "fail", fail, raising=False)
    monkeypatch.setitem(root.cli._lazy, "fail", "diglot.cli.root:fail")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            assert diglot("fail") == (0, "", "diglot: warning: SQLite is old\ndiglot: warning: took 7 s\n")
            root.cli.commands.pop("fail", None)
            assert "diglot: warning: not for people\n" in diglot("fail", "--debug").err
            assert "diglot: warning: for services\n" in diglot("fail", "--debug").err
    finally:
        root.cli.commands.pop("fail", None)


def test_the_exit_code_of_a_command_is_its_own(failing: list[BaseException]) -> None:
    failing.append(click.exceptions.Exit(7))
    assert diglot("fail").code == 7


def test_a_usage_error_without_a_command_is_a_line_too() -> None:
    assert exit_code(click.UsageError("No way.")) == 2
    assert one_line(click.UsageError("No way.")) == "no way"


# --- signals and pipes -------------------------------------------------------------------------------------


def waiting_for_a_key() -> subprocess.Popen[str]:
    """A process that has read the first part of its standard input, so it is in the middle of its command."""
    command = started("auth", "check")
    assert command.stdin is not None
    command.stdin.write("dgl_")
    command.stdin.flush()
    deadline = time.monotonic() + 120
    while _unread(command):
        assert command.poll() is None, command.communicate()
        assert time.monotonic() < deadline
    return command


def _unread(command: subprocess.Popen[str]) -> int:
    assert command.stdin is not None
    answer = fcntl.ioctl(command.stdin.fileno(), termios.FIONREAD, b"\0" * 4)
    return int(struct.unpack("i", answer)[0])


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGINT, 130, "diglot: interrupted\n"),
        (signal.SIGTERM, 143, "diglot: terminated\n"),
        (signal.SIGHUP, 129, "diglot: terminated\n"),
    ],
)
def test_a_signal_ends_it_with_its_own_code_and_one_line(number: signal.Signals, code: int, said: str) -> None:
    command = waiting_for_a_key()
    command.send_signal(number)
    out, err = command.communicate(timeout=180)
    assert (command.returncode, out, err) == (code, "", said)


def test_what_was_started_with_nohup_survives_the_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        command = waiting_for_a_key()
    finally:
        signal.signal(signal.SIGHUP, before)
    command.send_signal(signal.SIGHUP)
    command.send_signal(signal.SIGTERM)
    command.communicate(timeout=180)
    assert command.returncode == 143


@pytest.mark.parametrize("module", ["click", "diglot.cli.root", "diglot.statestore.config", "pydantic"])
def test_ctrl_c_while_modules_are_loaded_shows_no_traceback(module: str) -> None:
    command = started("config", "show", python=("-v",))
    assert command.stderr is not None
    seen = ""
    for line in command.stderr:
        seen += line
        if line.startswith(f"import '{module}'") or f"/{module.replace('.', '/')}/__init__" in line:
            command.send_signal(signal.SIGINT)
            break
    _, rest = command.communicate(timeout=180)
    assert command.returncode == 130, rest[-2000:]
    assert "Traceback" not in seen + rest
    assert "diglot: interrupted\n" in rest


def test_ctrl_c_inside_a_command_is_not_an_error(failing: list[BaseException]) -> None:
    for interrupt in (KeyboardInterrupt(), click.Abort()):
        failing[:] = [interrupt]
        with pytest.raises(KeyboardInterrupt):
            diglot("fail")


def test_a_reader_that_goes_away_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*COMMAND, "query", "list"], stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_full_disk_is_told() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*COMMAND, "--version"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "diglot: no space left on device\n")


def test_a_closed_standard_output_is_survived() -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", '"$@" >&-', "sh", *COMMAND, "config", "show"], stderr=subprocess.PIPE, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
