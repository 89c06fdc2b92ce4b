"""How a database would run a query, and what is wrong with that."""

from __future__ import annotations

from typing import Literal

import msgspec

from diglot.sql.session import Dialect

Kind = Literal["scan", "sort", "foreign key"]


class Problem(msgspec.Struct, frozen=True, order=True):
    """``scan``: no index finds the rows of ``table``; ``sort``: none gives the order that a limit needs;
    ``foreign key``: none finds the rows that refer to a deleted one. ``detail``: the plan's line or what is missing."""

    kind: Kind
    table: str
    detail: str


class VariantPlan(msgspec.Struct, frozen=True):
    """The plan of one combination of the conditional blocks; ``given`` are the parameters that switch blocks on.

    ``error`` is the database's message if it could not be planned.
    """

    given: tuple[str, ...]
    text: str = ""
    indexes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    error: str | None = None


class Plan(msgspec.Struct, frozen=True):
    """The plans of a query, one for each combination of its conditional blocks."""

    query: str
    dialect: Dialect
    variants: tuple[VariantPlan, ...]

    @property
    def indexes(self) -> list[str]:
        """Every index that serves it, by name."""
        return sorted({index for variant in self.variants for index in variant.indexes})
