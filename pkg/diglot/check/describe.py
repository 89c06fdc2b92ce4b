"""Describes what a query takes, returns, reads and writes on a migrated database, for the catalogue and for callers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import msgspec

from diglot.check.catalog import Catalog, Kinds, read_catalog
from diglot.check.engines import Engine, Refused, engine
from diglot.check.lineage import Lineage, Output, derive
from diglot.check.nesting import readable
from diglot.check.variants import combinations, declared
from diglot.errors import SchemaMismatch
from diglot.sql.header import QuerySource
from diglot.sql.query import Query
from diglot.stores.store import Store


class DescribedParameter(msgspec.Struct, frozen=True):
    """``type`` is the header's; ``database_type`` the engine's, None on SQLite, which has none."""

    name: str
    type: str
    database_type: str | None


class DescribedColumn(msgspec.Struct, frozen=True):
    """``type`` as the database writes it, None where it is not known; ``kinds`` are the header types that it can be."""

    name: str
    type: str | None
    nullable: bool | None
    kinds: Kinds


class Description(msgspec.Struct, frozen=True):
    """``reads`` and ``writes`` are columns by table; a table that is only counted or deleted from has none."""

    parameters: list[DescribedParameter]
    columns: list[DescribedColumn]
    reads: Mapping[str, list[str]]
    writes: Mapping[str, list[str]]


class Describer:
    """Describes any number of queries on one database."""

    def __init__(self, connection: Engine, catalog: Catalog) -> None:
        self._connection = connection
        self._catalog = catalog

    def describe(self, query: Query) -> Description:
        """What it touches with all conditional blocks, what it returns without any: a condition on a column would make
        it not null. SchemaMismatch for a query that the engine refuses.
        """
        source = query.source
        every = list(combinations(source, query.dialect))
        bare, whole = every[0], every[-1]
        lineage, answer = (
            readable(lambda each=each: derive(each.named, query.dialect, self._catalog, declared(source), each.active))  # type: ignore[misc]
            for each in (whole, bare)
        )
        types: dict[str, str | None] = {}
        columns: list[DescribedColumn] = []
        if source.suffix != "#":
            parameters = declared(source)
            told = self._connection.prepare(whole.text, [parameters[name] for name in whole.variant.order])
            if isinstance(told, Refused):
                raise SchemaMismatch(f"the database refuses it: {told.message}", query=source.full_name)
            once = list(dict.fromkeys(whole.variant.order))
            types = {name: answer.declared for name, answer in zip(once, told.parameters, strict=False)}
            outputs = answer.outputs if answer is not None else []
            if told.columns is None:
                columns = [self._column(output.name, None, output, None) for output in outputs]
            else:
                known = outputs if len(outputs) == len(told.columns) else [None] * len(told.columns)
                columns = [
                    self._column(answer.name, answer.declared, output, answer.kinds)
                    for answer, output in zip(told.columns, known, strict=True)
                ]
        return Description(
            parameters=[DescribedParameter(p.name, p.declaration, types.get(p.name)) for p in source.parameters],
            columns=columns,
            reads=_tables(lineage, source, "read"),
            writes=_tables(lineage, source, "written"),
        )

    def _column(self, name: str, declared_type: str | None, output: Output | None, kinds: Kinds) -> DescribedColumn:
        if output is None:
            return DescribedColumn(name, declared_type, None, kinds)
        if declared_type is None and len(output.value.origins) == 1:
            table, column = next(iter(output.value.origins))
            declared_type = self._catalog.tables[table][column].declared
        return DescribedColumn(name, declared_type, output.value.nullable, kinds or output.value.kinds)


def describe(query: Query, store: Store) -> Description:
    """Describes one query on a store. Use ``describer`` for many."""
    with describer(store) as described:
        return described.describe(query)


@contextmanager
def describer(store: Store, facing: Catalog | None = None) -> Iterator[Describer]:
    """Describes on a store, which is locked until the end; ``facing`` is the catalog of PostgreSQL for SQLite."""
    catalog = read_catalog(store, facing)
    with engine(store) as connection:
        yield Describer(connection, catalog)


def _tables(lineage: Lineage | None, source: QuerySource, which: str) -> dict[str, list[str]]:
    if lineage is None or source.suffix == "#":
        return {}
    found: dict[str, dict[str, None]] = getattr(lineage, which)
    return {table: list(columns) for table, columns in sorted(found.items())}
