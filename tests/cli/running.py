"""Ways to run the command line: inside the test, as a process of its own, and in a terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import CliRunner

from diglot.cli.run import run

TIMEOUT = 180.0
COMMAND = [sys.executable, "-c", "import sys; from diglot.cli.main import main; sys.exit(main())"]


class Result(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which is one JSON document and nothing else."""
        return json.loads(self.out)


def diglot(*arguments: str, stdin: str | None = None, env: dict[str, str] | None = None) -> Result:
    """Run it in this process, with the errors handled as the entry point does."""
    with CliRunner().isolation(input=stdin, env=env or {}) as (out, err, _):
        code = run(arguments)
        return Result(code, out.getvalue().decode(), err.getvalue().decode())


def process(
    *arguments: str, stdin: str | None = None, env: dict[str, str] | None = None, cwd: Path | None = None
) -> Result:
    """Run it as a process of its own, without a terminal."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
        cwd=cwd,
        timeout=TIMEOUT,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def started(*arguments: str, python: tuple[str, ...] = (), env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """A process that runs it, with pipes to all three of its ends."""
    return subprocess.Popen(
        [COMMAND[0], *python, *COMMAND[1:], *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
    )


def terminal(
    *arguments: str,
    columns: int = 100,
    answers: tuple[str, str] | None = None,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
) -> tuple[int, str]:
    """Run it in a terminal of this width: exit code and what it shows. ``answers``: (prompt, what is typed then)."""
    command, ours = in_terminal(*arguments, columns=columns, env=env, cwd=cwd)
    try:
        return _converse(command, ours, answers)
    finally:
        os.close(ours)
        command.kill()
        command.wait()


def in_terminal(
    *arguments: str, columns: int = 100, env: dict[str, str] | None = None, cwd: Path | None = None
) -> tuple[subprocess.Popen[bytes], int]:
    """A process that runs it in a terminal of its own, and our end of the terminal: closing it hangs up."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    surroundings = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    command = subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**surroundings, "TERM": "xterm-256color", **(env or {})},
        cwd=cwd,
        preexec_fn=_take_terminal,
    )
    os.close(theirs)
    return command, ours


def shows(screen: int, text: str) -> None:
    """Wait until a terminal has shown this."""
    shown = b""
    deadline = time.monotonic() + TIMEOUT
    while text.encode() not in shown:
        assert time.monotonic() < deadline, f"showing {shown.decode()!r}"
        if select.select([screen], [], [], 1.0)[0]:
            shown += os.read(screen, 65536)


def _take_terminal() -> None:
    """In the child: standard input becomes its own terminal, so that what is typed can interrupt it."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _converse(command: subprocess.Popen[bytes], screen: int, answers: tuple[str, str] | None) -> tuple[int, str]:
    shown = b""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        if not select.select([screen], [], [], 1.0)[0]:
            continue
        try:
            chunk = os.read(screen, 65536)
        except OSError:  # EIO: the last process that had the terminal is gone
            chunk = b""
        if not chunk:
            return command.wait(TIMEOUT), shown.decode().replace("\r\n", "\n")
        shown += chunk
        if answers is not None and answers[0].encode() in shown:
            os.write(screen, answers[1].encode())
            answers = None
    raise AssertionError(f"still running after {TIMEOUT:g} s, showing {shown.decode()!r}")
