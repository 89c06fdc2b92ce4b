"""Real mypy on files that a test wrote."""

from __future__ import annotations

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
    "--cache-dir=cache",
)


def mypy(folder: Path, *files: str) -> subprocess.CompletedProcess[str]:
    """mypy --strict on these files; what they import of Diglot is read, errors in there are not told."""
    package = Path(diglot.__file__).parents[1]
    # An editable install is no place where mypy looks; an ordinary one is, and must not be named again.
    path = {} if package.name == "site-packages" else {"MYPYPATH": str(package)}
    return subprocess.run(
        [sys.executable, "-m", "mypy", *OPTIONS, *files],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **path},
        timeout=120,
    )
