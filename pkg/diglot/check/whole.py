"""A query with all of its conditional blocks, for what needs to see each column and parameter once."""

from __future__ import annotations

from diglot.check.variants import Combination
from diglot.sql.adapters import ADAPTERS
from diglot.sql.header import QuerySource
from diglot.sql.query import Query
from diglot.sql.session import Dialect


def whole(source: QuerySource, dialect: Dialect) -> Combination:
    """The combination with all blocks; the others are not built."""
    return Combination(source, frozenset(source.conditions), Query(source, ADAPTERS[dialect]()).whole())
