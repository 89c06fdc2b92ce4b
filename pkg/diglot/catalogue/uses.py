"""What a query returns, and which tables and columns it reads and writes: both sides' descriptions, merged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from diglot.catalogue.entries import ResultColumn, TableUse
from diglot.check.catalog import Catalog
from diglot.check.describe import Description, describer
from diglot.errors import SchemaMismatch
from diglot.sql.query import Query
from diglot.sql.session import Dialect
from diglot.stores.store import Store


def descriptions(queries: Iterable[Query], store: Store, facing: Catalog) -> dict[str, Description]:
    """The descriptions by query name; empty for a query that the engine refuses: its plan says why."""
    found = {}
    with describer(store, facing) as described:
        for query in queries:
            try:
                found[query.source.full_name] = described.describe(query)
            except SchemaMismatch:
                found[query.source.full_name] = Description([], [], {}, {})
    return found


def result(sides: Mapping[Dialect, Description]) -> list[ResultColumn]:
    """The columns of the result, with their type on each side."""
    found: dict[str, ResultColumn] = {}
    for dialect, side in sides.items():
        for column in side.columns:
            known = found.setdefault(column.name, ResultColumn(column.name, {}, column.nullable))
            known.types[dialect] = column.type.lower() if column.type else " or ".join(sorted(column.kinds or ()))
    return list(found.values())


def uses(sides: Mapping[Dialect, Description]) -> list[TableUse]:
    """Each table once, with what either side does to it."""
    reads: dict[str, dict[str, None]] = {}
    writes: dict[str, dict[str, None]] = {}
    for side in sides.values():
        for found, described in ((reads, side.reads), (writes, side.writes)):
            for table, columns in described.items():
                found.setdefault(table, {}).update(dict.fromkeys(columns))
    return [
        TableUse(
            table=table,
            # The target of a write is looked up too; it counts as read only if one of its columns is read.
            reads=list(reads[table]) if table in reads and (reads[table] or table not in writes) else None,
            writes=list(writes[table]) if table in writes else None,
        )
        for table in sorted({*reads, *writes})
    ]
