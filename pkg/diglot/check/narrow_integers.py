"""Integers of 64 bits that a query writes where PostgreSQL has room for 32 or 16.

The header's ``int`` has 64 bits, and so has every integer of SQLite. PostgreSQL refuses 3,000,000,000 for a column of
the type integer, and SQLite stores it: the two differ, unless a CHECK of SQLite keeps the column in the same range.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import msgspec
from sqlglot import exp

from diglot.check.column_copy import ColumnCopy
from diglot.check.finding import Finding
from diglot.check.meetings import meetings, parsed
from diglot.check.places import place_of_column
from diglot.check.sources import SourceFile, source_files
from diglot.check.variants import Combination
from diglot.check.whole import whole
from diglot.project import Project
from diglot.schema.model import Column, Table
from diglot.schema.read import read_schema
from diglot.sql.header import QuerySource
from diglot.stores.sqlite.library import library
from diglot.stores.store import Store

CHECK = "prepare"
_BITS = {"integer": 32, "smallint": 16}
_CASTS = {"INT": 32, "SMALLINT": 16}
_ALSO_WIDE = (exp.Add, exp.Sub, exp.Mul, exp.Neg, exp.Paren, exp.Coalesce, exp.Case, exp.If, exp.Greatest, exp.Least)
"""What gives 64 bits where a part of it has them."""
Tables = Mapping[str, Table]


class Written(msgspec.Struct, frozen=True):
    """A narrow column of PostgreSQL and what a query writes into it."""

    table: str
    column: Column
    what: str


def check_narrow_integers(project: Project, postgres: Store, sqlite: Store) -> list[Finding]:
    """One finding for each column, and one for each cast of a parameter."""
    tables, facing = _tables(postgres), _tables(sqlite)
    found: dict[tuple[str, str], Finding] = {}
    casts: list[Finding] = []
    with closing(library().connect(":memory:", isolation_level=None)) as memory:
        for file in source_files(project, "postgres"):
            for query in file.queries:
                every = whole(query, "postgres")
                tree = parsed(every.named, "postgres") if query.suffix != "#" else None
                if tree is None:
                    continue
                for written in _written(tree, query, tables):
                    key = written.table, written.column.name
                    copy = _copy(memory, facing, *key)
                    if key not in found and not _kept_in_range(copy, facing.get(written.table), written.column):
                        found[key] = _finding(project, file, query, written)
                casts += _casts(tree, file, query, every)
    return [*found.values(), *casts]


def _tables(store: Store) -> dict[str, Table]:
    return {table.name.lower(): table for table in read_schema(store).tables}


def _written(tree: Any, query: QuerySource, tables: Tables) -> Iterator[Written]:
    parameters = {each.name for each in query.parameters if each.type == "int"}
    used = [tables[name] for each in tree.find_all(exp.Table) if (name := each.name.lower()) in tables]
    for meeting in meetings(tree, {name: [c.name for c in table.columns] for name, table in tables.items()}):
        column = _column(tables.get(meeting.table), meeting.column.name)
        if column is not None and column.type in _BITS:
            for what in _wide(meeting.value, parameters, used):
                yield Written(meeting.table, column, what)


def _wide(node: Any, parameters: set[str], used: list[Table]) -> Iterator[str]:
    """The parameters and the columns of 64 bits that an expression passes on."""
    if isinstance(node, exp.Placeholder) and node.name in parameters:
        yield f"the parameter {node.name!r}"
    elif isinstance(node, exp.Column):
        found = [(table, column) for table in used if (column := _column(table, node.name)) is not None]
        if found and all(column.type == "bigint" for _, column in found):
            yield f"the bigint {found[0][0].name}.{node.name}"
    elif isinstance(node, _ALSO_WIDE):
        for part in node.iter_expressions():
            yield from _wide(part, parameters, used)


def _column(table: Table | None, name: str) -> Column | None:
    return next((c for c in table.columns if c.name.lower() == name.lower()), None) if table is not None else None


def _copy(memory: Any, facing: Tables, table: str, column: str) -> ColumnCopy | None:
    other = facing.get(table)
    found = _column(other, column)
    return ColumnCopy(memory, other, found) if other is not None and found is not None else None


def _kept_in_range(copy: ColumnCopy | None, table: Table | None, column: Column) -> bool:
    """Whether CHECKs of SQLite refuse the next number on both sides; a column that it lacks is for the drift check."""
    if copy is None or table is None:
        return True
    beyond = 2 ** (_BITS[column.type] - 1)
    return all(
        any(copy.takes(str(number), check) is False for check in table.checks) for number in (beyond, -beyond - 1)
    )


def _casts(tree: Any, file: SourceFile, query: QuerySource, every: Combination) -> Iterator[Finding]:
    parameters = {each.name for each in query.parameters if each.type == "int"}
    for cast in tree.find_all(exp.Cast):
        bits = _CASTS.get(cast.to.this.name)
        if bits is not None and isinstance(cast.this, exp.Placeholder) and cast.this.name in parameters:
            message = (
                f"the cast of :{cast.this.name} has room for {bits} bits on PostgreSQL and for 64 on SQLite: "
                "cast it to bigint"
            )
            offset = every.offset_of_word(f":{cast.this.name}") or 0
            yield file.finding_at(CHECK, query, message, offset)


def _finding(project: Project, file: SourceFile, query: QuerySource, written: Written) -> Finding:
    bits, name = _BITS[written.column.type], written.column.name
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    message = (
        f"it is {written.column.type} on PostgreSQL, and {query.full_name} writes {written.what} of 64 bits into it, "
        f"which SQLite takes: make it bigint, or add check ({name} between {low} and {high}) on SQLite"
    )
    place = place_of_column(project, "postgres", written.table, name)
    path, line = place or (file.shown, query.line)
    return Finding(CHECK, path, line, 1, f"{written.table}.{name}", message)
