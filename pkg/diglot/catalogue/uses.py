"""What a query gives, and which tables and columns it reads and writes, in both dialects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from diglot.catalogue.entries import ResultColumn, TableUse
from diglot.check.catalog import Catalog, read_catalog
from diglot.check.engines import Engine, Prepared, engine
from diglot.check.lineage import Lineage, Output, derive
from diglot.check.variants import Combination, declared
from diglot.sql.query import Query
from diglot.stores.session import Dialect, Store


class Use(msgspec.Struct):
    """A query in one dialect. ``touched`` is None for SQL that could not be read.

    Tables are touched with all conditional blocks; the answer's columns are those without any, since a condition on a
    column says that it is not null.
    """

    touched: Lineage | None
    outputs: list[Output]
    types: list[str]


def uses(queries: Iterable[Query], store: Store, facing: Catalog | None = None) -> dict[str, Use]:
    """What is known of each query on this migrated database, by name. ``facing`` is the catalog of PostgreSQL."""
    catalog = read_catalog(store, facing)
    with engine(store) as connection:
        return {query.source.full_name: _use(query, store.dialect, catalog, connection) for query in queries}


def _use(query: Query, dialect: Dialect, catalog: Catalog, connection: Engine) -> Use:
    source = query.source
    if source.suffix == "#":
        return Use(None, [], [])
    variants = list(query.variants())
    bare = Combination(source, frozenset(), variants[0])
    whole = Combination(source, frozenset(source.conditions), variants[-1])
    parameters = declared(source)
    answer, touched = (derive(each.named, dialect, catalog, parameters, each.active) for each in (bare, whole))
    told = connection.prepare(bare.text, [parameters[name] for name in bare.variant.order])
    answered = [each.declared for each in told.columns or ()] if isinstance(told, Prepared) else []
    outputs = answer.outputs if answer is not None else []
    if len(answered) != len(outputs):
        answered = [None] * len(outputs)
    types = [each or _type(output, catalog) for each, output in zip(answered, outputs, strict=True)]
    return Use(touched, outputs, types)


def _type(output: Output, catalog: Catalog) -> str:
    """As the column is declared that it is a copy of, else what is known of its values."""
    if len(output.value.origins) == 1:
        ((table, column),) = output.value.origins
        found = catalog.get(table, {}).get(column)
        if found is not None:
            return found.declared.lower()
    return " or ".join(sorted(output.value.kinds or ()))


def result(sides: Mapping[Dialect, Use]) -> list[ResultColumn]:
    """The columns of the answer, with the type of each side."""
    found: dict[str, ResultColumn] = {}
    for dialect, use in sides.items():
        for output, type in zip(use.outputs, use.types, strict=True):
            column = found.setdefault(output.name, ResultColumn(output.name, {}, output.value.nullable))
            column.types[dialect] = type
    return list(found.values())


def tables(sides: Mapping[Dialect, Use]) -> list[TableUse]:
    """Each table once, with what either side does to it."""
    found: dict[str, TableUse] = {}
    for use in sides.values():
        if use.touched is None:
            continue
        for table, columns in use.touched.read.items():
            known = found.setdefault(table, TableUse(table, [], [], False)).reads
            known.extend(column for column in columns if column not in known)
        for table, columns in use.touched.written.items():
            touched = found.setdefault(table, TableUse(table, [], [], False))
            touched.writes.extend(column for column in columns if column not in touched.writes)
            if not columns:
                found[table] = msgspec.structs.replace(touched, deletes=True)
    return list(found.values())
