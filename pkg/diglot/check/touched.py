"""The columns that a query uses as a timestamp or as a JSON document."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from diglot.check.catalog import Catalog
from diglot.check.lineage import Lineage, derive
from diglot.check.models import wanted
from diglot.check.nesting import readable
from diglot.check.variants import declared
from diglot.check.whole import whole
from diglot.sql.header import QuerySource
from diglot.sql.models import Models
from diglot.sql.session import Dialect

_TYPES = ("timestamp", "json")


class Touched(msgspec.Struct, frozen=True):
    """A column, in lower case, and the header's type for it."""

    table: str
    column: str
    type: str


def touched(query: QuerySource, dialect: Dialect, catalog: Catalog, models: Models | None) -> list[Touched]:
    """Each column that the query returns as one, compares with a parameter of that type, or writes one into."""
    if query.suffix == "#":
        return []
    every = whole(query, dialect)
    lineage = readable(lambda: derive(every.named, dialect, catalog, declared(query), every.active))
    if lineage is None:
        return []
    return list(dict.fromkeys([*_returned(query, lineage, models), *_met(query, lineage), *_known(lineage, catalog)]))


def _returned(query: QuerySource, lineage: Lineage, models: Models | None) -> Iterator[Touched]:
    columns = wanted(query, models)
    for output, column in zip(lineage.outputs, columns.columns if columns is not None else (), strict=False):
        for table, name in output.value.origins:
            if column.type in _TYPES:
                yield Touched(table.lower(), name.lower(), column.type)


def _met(query: QuerySource, lineage: Lineage) -> Iterator[Touched]:
    """Columns that meet a parameter; a column is known by its name in the tables that the statement uses."""
    types = {parameter.name: parameter.type for parameter in query.parameters}
    for use in lineage.uses:
        type = types.get(use.parameter, "")
        name = use.column.rpartition(".")[2].strip('"').lower()
        if type in _TYPES:
            yield from (Touched(table, name, type) for table, columns in _used(lineage) if name in columns)


def _known(lineage: Lineage, catalog: Catalog) -> Iterator[Touched]:
    """Columns whose type, or a CHECK, says that they are timestamps or documents."""
    kinds = {
        (table.lower(), name.lower()): column.kinds or frozenset()
        for table, columns in catalog.tables.items()
        for name, column in columns.items()
    }
    for table, names in _used(lineage):
        for name in names:
            found = kinds.get((table, name), frozenset())
            if len(found) == 1:
                yield from (Touched(table, name, type) for type in _TYPES if type in found)


def _used(lineage: Lineage) -> Iterator[tuple[str, set[str]]]:
    for tables in (lineage.read, lineage.written):
        for table, columns in tables.items():
            yield table.lower(), {column.lower() for column in columns}
