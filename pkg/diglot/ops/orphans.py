"""Rows whose foreign keys refer to missing rows, in a load that can't be finished because of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing

from diglot.errors import ForeignKeyViolation
from diglot.ops.content import TableFields, read_rows, rows_from
from diglot.ops.loading import Load
from diglot.ops.targets import Target
from diglot.schema.model import ForeignKey
from diglot.sql.identifiers import quoted
from diglot.sql.session import Row, Statement

Orphans = dict[str, dict[Row, str]]
"""What is wrong with a row, by its table and its primary key."""
MOST = 100_000
"""More orphans than this are not a few bad rows: a table is missing."""
_PARENT = "diglot_parent"


def find_orphans(load: Load, tables: Sequence[TableFields], *, closure: bool) -> Orphans:
    """The orphans in these tables. ``closure``: also those that would be orphans without them. The rows are deleted in
    the load, which must be rolled back. Raises ForeignKeyViolation if there are more than MOST."""
    found: Orphans = {}
    while True:
        before = _count(found)
        for table in tables:
            for key in table.table.foreign_keys:
                _add(load, table, key, found)
        if not closure or _count(found) == before:
            return found


def _count(orphans: Orphans) -> int:
    return sum(map(len, orphans.values()))


def _add(load: Load, table: TableFields, key: ForeignKey, found: Orphans) -> None:
    condition = _condition(table, key)
    reason = f"{table.name} ({', '.join(key.columns)}) refers to a missing row of {key.table}"
    keys = found.setdefault(table.name, {})
    before = len(keys)
    with closing(read_rows(load, _key_of(table), where=(condition, ()))) as batches:
        for rows in batches:
            keys.update((row, reason) for row in rows if row not in keys)
            if len(keys) > MOST:
                raise ForeignKeyViolation(
                    f"more than {MOST:,} rows of {table.name} refer to missing rows of {key.table}: import "
                    f"{key.table} first"
                )
    if len(keys) > before:
        text = f"/* diglot:ops.delete_orphans */ delete from {rows_from(table)}{condition}"
        load.rows(Statement("ops.delete_orphans", text, writes=True))


def _condition(table: TableFields, key: ForeignKey) -> str:
    """Matches orphans. A row with a null in the key refers to no row, which is allowed."""
    ours = [f"{quoted(table.name)}.{quoted(column)}" for column in key.columns]
    theirs = [f"{_PARENT}.{quoted(column)}" for column in key.references]
    equal = " and ".join(f"{their} = {our}" for their, our in zip(theirs, ours, strict=True))
    there = " and ".join(f"{our} is not null" for our in ours)
    return f" where {there} and not exists (select 1 from {quoted(key.table)} as {_PARENT} where {equal})"


def _key_of(table: TableFields) -> TableFields:
    """The table with only the columns of its primary key, in the order of the key."""
    fields = {field.column.name: field for field in table.fields}
    key = table.table.primary_key
    names = key.columns if key is not None else ()
    return TableFields(table.table, tuple([fields[name] for name in names]), table.dialect)


def key_in_words(targets: Mapping[str, Target], table: str, key: Row) -> str:
    """The key for people: ``id='p3'``."""
    fields = next(target.fields for target in targets.values() if target.fields.name == table)
    primary = fields.table.primary_key
    names = primary.columns if primary is not None else ()
    return ", ".join(f"{name}={value!r}" for name, value in zip(names, key, strict=True))
