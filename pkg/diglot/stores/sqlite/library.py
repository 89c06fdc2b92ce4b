"""Chooses this process's SQLite library: ``pysqlite3`` where it is installed (a current SQLite), else Python's own.

All our code that touches a SQLite file asks here, because two copies of the library in one process drop each
other's locks on a file. ``DIGLOT_SQLITE_LIBRARY=pysqlite3|stdlib`` overrides it; the first call decides.
"""

from __future__ import annotations

import functools
import importlib
import os
from types import ModuleType

from diglot.errors import ConfigurationError

VARIABLE = "DIGLOT_SQLITE_LIBRARY"
_MODULES = {"pysqlite3": "pysqlite3", "stdlib": "sqlite3"}


@functools.cache
def library() -> ModuleType:
    """The DB-API module. It has its own error classes: catch ``library().Error``, never ``sqlite3.Error``."""
    return choose(os.environ.get(VARIABLE, ""))


def choose(name: str) -> ModuleType:
    """The library of this name; for "" pysqlite3 if it is there, else the stdlib's."""
    if name == "":
        try:
            return importlib.import_module("pysqlite3")
        except ImportError:
            return importlib.import_module("sqlite3")
    if name not in _MODULES:
        raise ConfigurationError(f"{VARIABLE} is {name!r}: use 'pysqlite3' or 'stdlib'")
    try:
        return importlib.import_module(_MODULES[name])
    except ImportError as error:
        raise ConfigurationError(f"{VARIABLE} is {name!r}, which is not installed: {error}") from error


def server_version() -> str:
    """``SQLite 3.53.4``."""
    return f"SQLite {library().sqlite_version}"


def wal_reset_safe(version: tuple[int, ...]) -> bool:
    """Whether this SQLite is free of the WAL-reset bug, with which two simultaneous checkpoints can damage the file.

    It came with 3.7.0; 3.51.3 fixed it, as did 3.50.7 and 3.44.6 on their branches.
    """
    fixed_on_branch: dict[tuple[int, ...], tuple[int, ...]] = {(3, 50): (3, 50, 7), (3, 44): (3, 44, 6)}
    return version < (3, 7) or version >= fixed_on_branch.get(version[:2], (3, 51, 3))
