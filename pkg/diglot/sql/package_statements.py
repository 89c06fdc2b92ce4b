"""The kit's own SQL: one file for each statement, to be read by people and pasted into psql or sqlite3.

Parameters are written ``:name``, as in query files.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from diglot.sql.adapters import ADAPTERS
from diglot.sql.scanner import scan
from diglot.sql.session import Dialect, Statement


@cache
def package_statement(package: str, dialect: Dialect, name: str) -> Statement:
    """The statement of ``PACKAGE/DIALECT/NAME.sql`` in this distribution, ready for its driver."""
    source = files(f"diglot.{package}").joinpath(dialect, f"{name}.sql").read_text("utf-8")
    text, _ = ADAPTERS[dialect]().positional(scan(source))
    # The text comes from a file of this package: this is the one place where it becomes literal.
    return Statement(f"{package}.{name}", f"/* diglot:{package}.{name} */ {text.strip().removesuffix(';')}")
