"""The readers' SQL: one file for each statement, to be read by people and pasted into psql or sqlite3.

Parameters are written ``:name``, as in query files.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from diglot.sql.adapters import ADAPTERS
from diglot.sql.scanner import scan
from diglot.stores.session import Dialect, Statement


@cache
def statement(dialect: Dialect, name: str) -> Statement:
    """The statement of ``schema/DIALECT/NAME.sql``, ready for its driver."""
    source = files("diglot.schema").joinpath(dialect, f"{name}.sql").read_text("utf-8")
    text, _ = ADAPTERS[dialect]().positional(scan(source))
    # The text comes from a file of this package: this is the one place where it becomes literal.
    return Statement(f"schema.{name}", f"/* diglot:schema.{name} */ {text.strip().removesuffix(';')}")
