"""Where each column of a result comes from, and where each parameter goes: derives types and nullability.

sqlglot parses; names are resolved here, scope by scope, against the catalog, and functions against the engine's own
list. Outer joins make a side nullable; a strict comparison or ``is not null`` makes its column not null; an aggregate
without rows is null, a count is not. What can't be derived is unknown, with the reason. Infinity and NaN, which the
kit refuses to store, are not considered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from sqlglot import exp

from diglot.check.catalog import Catalog
from diglot.check.lineage.expressions import Use
from diglot.check.lineage.parsing import parsed
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

    None if sqlglot does not understand it, or if it is nested too deeply.
    """
    tree = parsed(sql, dialect)
    if not isinstance(tree, exp.Query | exp.Insert | exp.Update | exp.Delete | exp.Merge | exp.Values):
        return None
    resolver = Statements(catalog, dialect, parameters, frozenset(not_null))
    try:
        outputs = resolver.statement(tree)
    except RecursionError:
        return None
    return Lineage(outputs, resolver.uses, resolver.read, resolver.written)
