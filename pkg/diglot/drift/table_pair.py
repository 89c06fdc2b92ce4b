"""One table on both sides, with what the comparisons need: the columns' kinds, the facts, how names compare."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from diglot.drift import facts
from diglot.drift.facts import Fact
from diglot.drift.matching import by_name
from diglot.drift.operands import BINARY_COLLATIONS
from diglot.drift.reading import Scope
from diglot.drift.types import EQUIVALENCES, Equivalence, Kind, affinity
from diglot.schema.model import Column, Schema, Table
from diglot.sql.session import Dialect

Sides = tuple[Dialect, Dialect]


class Comparison(msgspec.Struct, frozen=True):
    """Settings of the whole comparison. ``sorts_by_bytes``: one side declares a collation that does."""

    dialects: Sides
    equivalences: tuple[Equivalence, ...]
    names: bool
    sorts_by_bytes: bool

    @classmethod
    def of(cls, left: Schema, right: Schema, equivalences: tuple[Equivalence, ...], names: bool) -> Comparison:
        declared = any(_declares_bytes(side) for side in (left, right))
        return cls((left.dialect, right.dialect), equivalences, names, declared)

    @property
    def mixed(self) -> bool:
        return self.dialects[0] != self.dialects[1]

    @property
    def postgres(self) -> int:
        """The side of a mixed comparison that is PostgreSQL."""
        return self.dialects.index("postgres")

    @property
    def own_equivalences(self) -> tuple[Equivalence, ...]:
        return tuple(entry for entry in self.equivalences if entry not in EQUIVALENCES)

    def fold(self, name: str) -> str:
        """The name of what belongs to a table, as it is compared: SQLite ignores case."""
        return name.lower() if "sqlite" in self.dialects else name

    def same_name(self, one: str, other: str) -> bool:
        """Whether SQL that does not quote it finds both: PostgreSQL makes it lower case, SQLite ignores case."""
        if not self.mixed:
            return self.fold(one) == self.fold(other)
        names = (one, other)
        return names[self.postgres] == names[1 - self.postgres].lower()


class TablePair:
    """The table ``one`` of the left and ``other`` of the right."""

    def __init__(self, comparison: Comparison, one: Table, other: Table) -> None:
        self.comparison = comparison
        self.tables = (one, other)
        self.name = one.name
        self.fold: Callable[[str], str] = comparison.fold
        self.kinds: dict[str, Kind] = facts.kinds(self.tables, comparison.dialects)
        scopes = [
            Scope(
                dialect, self.kinds, _not_null(table), comparison.mixed and dialect == "sqlite", _reals(table, dialect)
            )
            for dialect, table in zip(comparison.dialects, self.tables, strict=True)
        ]
        written = [facts.written(table, scope) for table, scope in zip(self.tables, scopes, strict=True)]
        never_null = [facts.not_null(each) for each in written]
        self.facts: tuple[list[Fact], list[Fact]] = tuple(map(facts.without_not_null, written))  # type: ignore[assignment]
        self.scopes = tuple(
            msgspec.structs.replace(scope, not_null=scope.not_null | never)
            for scope, never in zip(scopes, never_null, strict=True)
        )
        names = by_name([c.name for c in one.columns], [c.name for c in other.columns], comparison.same_name)
        self.columns = [(_column(one, a), _column(other, b)) for a, b in names if a is not None and b is not None]
        self.typed: dict[str, tuple[Column, Column]] = {}
        """Between the engines: PostgreSQL's column and SQLite's, by their name in lower case."""
        if comparison.mixed:
            side = comparison.postgres
            self.typed = {each[side].name.lower(): (each[side], each[1 - side]) for each in self.columns}
        self.unpaired = [
            (_column(one, a) if a is not None else None, _column(other, b) if b is not None else None)
            for a, b in names
            if a is None or b is None
        ]
        self.missing = {(a or b or "").lower() for a, b in names if a is None or b is None}
        """Names of columns that only one side has."""


def _column(table: Table, name: str) -> Column:
    return next(column for column in table.columns if column.name == name)


def _not_null(table: Table) -> frozenset[str]:
    return frozenset(column.name.lower() for column in table.columns if not column.nullable)


def _declares_bytes(schema: Schema) -> bool:
    return schema.dialect == "postgres" and any(
        column.collation.lower() in BINARY_COLLATIONS for table in schema.tables for column in table.columns
    )


def _reals(table: Table, dialect: Dialect) -> frozenset[str]:
    if dialect == "postgres":
        return frozenset()
    return frozenset(column.name.lower() for column in table.columns if affinity(column.type) == "real")
