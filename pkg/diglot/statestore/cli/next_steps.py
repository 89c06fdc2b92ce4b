"""What to try after the quickstart: commands that work as printed, on the database that was used.

They name the program as it can be called from here, and include the options and variables that chose the database, but
never a secret.
"""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from shlex import quote

from diglot.statestore.cli.app import StoreApp
from diglot.statestore.secrets import REDACTOR


def next_steps(app: StoreApp, workflow_exec_id: str) -> list[tuple[str, str]]:
    """Pairs of a command and its purpose, in the order to try them."""
    program = _program() + _options(app)
    steps = [
        (f"{program} workflow show {workflow_exec_id}", "more of this run"),
        (f"{program} workflow list", "all runs, newest first"),
        (f"{program} workflow replay --concurrency 4", "the recording four times at once"),
        (f"{program} auth check", "whose key is it? (it asks for the key)"),
    ]
    if find_spec("litestar") is not None:
        steps.append((f"{program} start", "as a service, described at http://127.0.0.1:8080/schema (Ctrl-C stops it)"))
    variables = _variables(app)
    if variables:
        steps.insert(0, (f"export {variables}", "lets the commands below use this database"))
    if app.config.driver == "sqlite":
        again = "make run" if Path("Makefile").is_file() else f"{_program()} quickstart"
        steps.append((f"DATABASE_URL=postgresql://USER@HOST/DATABASE {again}", "the same on your PostgreSQL"))
    return steps


def _program() -> str:
    """``diglot`` if the shell finds this program (or it was called in another way), else its path from here."""
    this = Path(sys.argv[0])
    found = shutil.which("diglot")
    if this.name != "diglot" or (found is not None and Path(found).resolve() == this.resolve()):
        return "diglot"
    relative = os.path.relpath(this)
    return quote(str(this) if relative.startswith("..") else relative)


def _options(app: StoreApp) -> str:
    """The global options of this run, except those with a password in them."""
    options = {**app.flags, "--project": app.project_file}
    given = [f" {name} {quote(str(value))}" for name, value in options.items() if value is not None]
    return "".join(option for option in given if REDACTOR.redact(option) == option)


def _variables(app: StoreApp) -> str:
    """``NAME=value`` of the variables that chose the database; ``NAME=…`` if the value has a secret."""
    names = {
        source.removesuffix(" (environment)")
        for source in app.config.sources.values()
        if source.endswith(" (environment)")
    }
    shown = []
    for name in sorted(names):
        value = os.environ.get(name, "")
        secret = name == "DB_PASSWORD" or REDACTOR.redact(value) != value
        shown.append(f"{name}={'…' if secret else quote(value)}")
    return " ".join(shown)
