"""The matching tables of two databases, in the order in which they are filled."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from diglot.errors import CopyRefused
from diglot.ops.content import TableFields, fields_of, holds_rows
from diglot.ops.order import parents_first
from diglot.schema.model import Schema, Table


class Pair(msgspec.Struct, frozen=True):
    """A table on both sides, with the same fields in the same order."""

    source: TableFields
    target: TableFields


def match(source: Schema, target: Schema, leave_out: Sequence[str] = ()) -> tuple[list[Pair], list[str]]:
    """The tables of both sides, parents before children, and the names of those that are left out.

    Raises CopyRefused for a table that the target does not have, or a column that only one side has.
    """
    theirs = {table.name.lower(): table for table in target.tables}
    unknown = [name for name in leave_out if name not in {table.name for table in source.tables}]
    if unknown:
        raise CopyRefused(f"there is no table {unknown[0]} in {source.location}")
    pairs, left_out = [], []
    for table in parents_first(source.tables):
        if table.name in leave_out:
            left_out.append(table.name)
            continue
        if not holds_rows(table):
            raise CopyRefused(f"{table.name} is a {_special(table)} table, whose rows are elsewhere: leave it out")
        other = theirs.get(table.name.lower())
        if other is None or not holds_rows(other):
            raise CopyRefused(
                f"{target.location} has no table {table.name}: apply the same migrations, or leave the table out"
            )
        pairs.append(_pair(source, table, target, other))
    return pairs, left_out


def _special(table: Table) -> str:
    return next(option for option in table.options if option in ("virtual", "foreign"))


def _pair(source: Schema, table: Table, target: Schema, other: Table) -> Pair:
    # PostgreSQL's type decides a form; without PostgreSQL, values are taken as they are stored.
    pair = Pair(
        fields_of(table, source.dialect, other if target.dialect == "postgres" else None),
        fields_of(other, target.dialect, table if source.dialect == "postgres" else None),
    )
    names = [{field.column.name.lower() for field in side.fields} for side in (pair.source, pair.target)]
    for here, there, location in ((0, 1, target.location), (1, 0, source.location)):
        missing = sorted(names[here] - names[there])
        if missing:
            raise CopyRefused(f"{table.name}.{missing[0]} is not in {location}: the schemas have drifted apart")
    return pair
