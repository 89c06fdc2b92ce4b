"""Where each column of a result comes from, and where each parameter goes: derives types and nullability.

sqlglot parses; the names are resolved here, scope by scope, against the catalog. What is not understood is
treated as unknown. Outer joins make a side nullable; a strict comparison or ``is not null`` in WHERE makes
its column not null; an aggregate without rows is null, a count is not.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import msgspec
import sqlglot
from sqlglot import exp

from diglot.check.catalog import Catalog
from diglot.check.lineage.expressions import Use
from diglot.check.lineage.statements import Statements
from diglot.check.lineage.values import Output
from diglot.sql.header import Parameter
from diglot.sql.session import Dialect

__all__ = ["Lineage", "Output", "Use", "derive"]


class Lineage(msgspec.Struct):
    """What was derived from a statement; ``read`` and ``written`` are columns by table."""

    outputs: list[Output]
    uses: list[Use]
    read: dict[str, dict[str, None]]
    written: dict[str, dict[str, None]]


def derive(
    sql: str, dialect: Dialect, catalog: Catalog, parameters: Mapping[str, Parameter], not_null: Iterable[str] = ()
) -> Lineage | None:
    """The lineage of a statement with ``:name`` parameters, of which ``not_null`` are never null here.

    None if sqlglot does not understand it.
    """
    tree = _parsed(sql, dialect)
    if not isinstance(tree, exp.Query | exp.Insert | exp.Update | exp.Delete | exp.Values):
        return None
    resolver = Statements(catalog, dialect, parameters, frozenset(not_null))
    outputs = resolver.statement(tree)
    return Lineage(outputs, resolver.uses, resolver.read, resolver.written)


@lru_cache(maxsize=512)
def _parsed(sql: str, dialect: Dialect) -> Any:
    """The tree, which nobody changes; None if sqlglot can't read it. Cached: parsing is most of the work of a check."""
    try:
        with _quiet():
            return sqlglot.parse_one(sql, dialect=dialect)
    except sqlglot.errors.SqlglotError:
        return None


@contextmanager
def _quiet() -> Iterator[None]:
    """Without sqlglot's warning about unknown statements: here that is a valid result."""
    log = logging.getLogger("sqlglot")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before
