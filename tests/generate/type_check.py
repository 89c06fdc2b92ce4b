"""Real mypy on files that a test wrote."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import diglot

OPTIONS = (
    "--config-file=",
    "--strict",
    "--no-pretty",
    "--no-error-summary",
    "--hide-error-context",
    "--follow-imports=silent",
)


def mypy(session_folder: Path, folder: Path, *files: str) -> subprocess.CompletedProcess[str]:
    """mypy --strict on these files of a folder; errors in what they import of Diglot are not reported.

    Most of the time goes into reading the standard library and Diglot, so all tests of a session share one cache.
    """
    package = Path(diglot.__file__).parents[1]
    # An editable install is no place where mypy looks; an ordinary one is, and must not be named again.
    path = {} if package.name == "site-packages" else {"MYPYPATH": str(package)}
    with (session_folder / "mypy.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return subprocess.run(
            [sys.executable, "-m", "mypy", *OPTIONS, f"--cache-dir={session_folder / 'mypy'}", *files],
            capture_output=True,
            text=True,
            cwd=folder,
            env={**os.environ, **path},
            timeout=300,
        )
