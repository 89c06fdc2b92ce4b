"""The rows of a database as JSON Lines: for another database, for other programs, for people."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

import msgspec

from diglot.errors import ConfigurationError
from diglot.migrate.status import read_applied
from diglot.ops.content import (
    Condition,
    TableFields,
    fields_of,
    holds_rows,
    read_rows,
    refuse_hidden_rows,
    rows_from,
    values_of,
)
from diglot.ops.export_file import ExportedColumn, ExportedTable, Header, writing
from diglot.ops.order import parents_first
from diglot.ops.progress import Report, Step, silent
from diglot.ops.settings import patient
from diglot.schema.model import Schema
from diglot.schema.read import read_within
from diglot.sql.session import Reads, Statement
from diglot.stores import open_store
from diglot.stores.settings import PostgresSettings, SQLiteSettings

Settings = SQLiteSettings | PostgresSettings
Root = tuple[str, str, str]
"""A table, the column that identifies a row, and its value: the row and what belongs to it are exported."""


class Exported(msgspec.Struct, frozen=True):
    """What was written: rows by table."""

    tables: dict[str, int]

    @property
    def rows(self) -> int:
        return sum(self.tables.values())


def export(
    settings: Settings,
    path: Path,
    now: datetime,
    *,
    tables: Sequence[str] = (),
    root: Root | None = None,
    report: Report = silent,
) -> Exported:
    """Write the rows of all tables, or of these, from one snapshot to a new file (``-``: standard output).

    ``root``: only this row and those that refer to it. Raises ConfigurationError if a table or the root does not exist,
    or if the file does.
    """
    with open_store(patient(settings)) as store, store.snapshot() as snapshot:
        schema = read_within(snapshot, store.location)
        chosen = _chosen(schema, tables, root)
        refuse_hidden_rows(snapshot, [fields for fields, _ in chosen])
        counts = [_count(snapshot, fields, where) for fields, where in chosen]
        if root is not None and counts[0] == 0:
            raise ConfigurationError(f"there is no row in {root[0]} with {root[1]} {root[2]!r}")
        header = Header(
            created_at=now,
            dialect=store.dialect,
            engine=store.server_version,
            migrations=[one.id for one in read_applied(snapshot.rows, store.dialect)],
            tables=[_exported(fields, count) for (fields, _), count in zip(chosen, counts, strict=True)],
        )
        with writing(path) as writer:
            writer.header(header)
            for (fields, where), table in zip(chosen, header.tables, strict=True):
                done = 0
                with closing(read_rows(snapshot, fields, where=where)) as batches:
                    for rows in batches:
                        writer.rows(table, rows)
                        done += len(rows)
                        report(Step(f"{table.name}: exporting", done, table.rows))
            writer.footer()
    return Exported({table.name: table.rows for table in header.tables})


def _chosen(schema: Schema, names: Sequence[str], root: Root | None) -> list[tuple[TableFields, Condition]]:
    known = {table.name: table for table in schema.tables if holds_rows(table)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigurationError(f"there is no table {unknown[0]}: use {', '.join(sorted(known))}")
    equals = values_of(schema.dialect).equals
    found: list[tuple[TableFields, Condition]] = []
    for table in parents_first(list(known.values())):
        if names and table.name not in names:
            continue
        fields = fields_of(table, schema.dialect)
        if root is None:
            found.append((fields, ("", ())))
        elif table.name == root[0]:
            found.insert(0, (fields, equals(root[1], root[2])))
        else:
            keys = [key for key in table.foreign_keys if key.table == root[0] and key.references == (root[1],)]
            found += [(fields, equals(key.columns[0], root[2])) for key in keys[:1]]
    return found


def _count(session: Reads, fields: TableFields, where: Condition) -> int:
    text = f"/* diglot:ops.count_rows */ select count(*) from {rows_from(fields)}{where[0]}"
    found: int = session.rows(Statement("ops.count_rows", text), where[1])[0][0]
    return found


def _exported(fields: TableFields, rows: int) -> ExportedTable:
    columns = [ExportedColumn(field.column.name, field.form) for field in fields.fields]
    return ExportedTable(fields.name, columns, rows)
