"""Parses a statement so that functions and names are as the engine sees them.

sqlglot translates functions into a vocabulary of its own, but here the engine's catalog is asked about them: so every
function keeps its name, except for those with a syntax of their own. Names are folded as the engine folds them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.dialects.sqlite import SQLite
from sqlglot.errors import SqlglotError
from sqlglot.parsers.postgres import PostgresParser
from sqlglot.parsers.sqlite import SQLiteParser

from diglot.sql.session import Dialect

_OWN_SYNTAX = ("CAST", "EXTRACT", "OVERLAY", "POSITION", "SUBSTRING", "TRIM")


class _Postgres(PostgresParser):
    FUNCTIONS: ClassVar[dict[str, Any]] = {}
    FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {name: PostgresParser.FUNCTION_PARSERS[name] for name in _OWN_SYNTAX}


class _SQLite(SQLiteParser):
    FUNCTIONS: ClassVar[dict[str, Any]] = {}
    FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {"CAST": SQLiteParser.FUNCTION_PARSERS["CAST"]}


@lru_cache(maxsize=512)
def parsed(sql: str, dialect: Dialect) -> Any:
    """The tree, which nobody changes; None if sqlglot can't read it. Cached: parsing is most of the work of a check."""
    engine = Postgres() if dialect == "postgres" else SQLite()
    parser = (_Postgres if dialect == "postgres" else _SQLite)(dialect=engine)
    try:
        with _quiet():
            trees = parser.parse(engine.tokenize(sql), sql)
    except (SqlglotError, RecursionError):
        return None
    tree = trees[0] if len(trees) == 1 else None
    if tree is not None:
        for name in list(tree.find_all(exp.Identifier)):
            name.meta["written"] = name.name
            name.set("this", fold(name.name, dialect, quoted=bool(name.args.get("quoted"))))
    return tree


def fold(name: str, dialect: Dialect, *, quoted: bool = False) -> str:
    """The name that is looked up: PostgreSQL folds what is not quoted, SQLite ignores the case of every name."""
    if dialect == "postgres":
        return name if quoted else name.lower()
    return name.lower()


def label(node: Any, dialect: Dialect) -> str:
    """The name of a column of the result. SQLite keeps the case of an alias."""
    name = node.args.get("alias") if isinstance(node, exp.Alias) else None
    if isinstance(node, exp.Column):
        name = node.this
    if isinstance(name, exp.Identifier) and dialect == "sqlite":
        return str(name.meta.get("written", name.name))
    return str(node.alias_or_name)


def text(node: Any) -> str:
    """An expression as people read it."""
    found = node.sql().replace("\n", " ")
    return found if len(found) <= 60 else f"{found[:57]}…"


@contextmanager
def _quiet() -> Iterator[None]:
    """Without sqlglot's warning about unknown statements: here that is a valid result."""
    log = logging.getLogger("sqlglot")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before
