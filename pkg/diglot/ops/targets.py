"""The tables that an import writes to, and how the file's values are converted for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from diglot.errors import ConfigurationError, RowRefused
from diglot.ops.content import Convert, Field, TableFields, convert, fields_of, holds_rows, values_of
from diglot.ops.export_file import ExportedTable, Header
from diglot.schema.model import Schema
from diglot.sql.session import Row


class Target(msgspec.Struct, frozen=True):
    """A table. ``names``: the file's names of the columns, in the order of the fields; ``places``: the converters from
    the file's values to the forms of the fields; ``key``: the positions of the primary key; ``rows``: how many are in
    the file."""

    fields: TableFields
    names: list[str]
    places: list[tuple[int, Convert]]
    key: list[int]
    rows: int


def targets_of(header: Header, schema: Schema, path: Path) -> dict[str, Target]:
    """The tables of the file by their names there; as in a copy, case does not matter.

    Raises ConfigurationError if the schema differs, or if a table has no primary key.
    """
    there = {table.name.lower(): table for table in schema.tables if holds_rows(table)}
    found = {}
    for table in header.tables:
        ours = there.get(table.name.lower())
        if ours is None:
            raise ConfigurationError(f"{path} has the table {table.name}, which {schema.location} lacks: migrate first")
        if ours.primary_key is None:
            raise ConfigurationError(
                f"{ours.name} has no primary key, so an import can't match its rows: leave the table out, or use a copy"
            )
        found[table.name] = _target(table, fields_of(ours, schema.dialect), header, path)
    return found


def _target(table: ExportedTable, fields: TableFields, header: Header, path: Path) -> Target:
    written = {column.name.lower(): column for column in table.columns}
    columns = [field.column.name.lower() for field in fields.fields]
    if set(columns) != set(written):
        other = sorted(set(columns) ^ set(written))[0]
        raise ConfigurationError(f"{path}: the column {table.name}.{other} is only on one side: migrate first")
    primary = fields.table.primary_key
    key = [columns.index(name.lower()) for name in primary.columns] if primary is not None else []
    names = [written[name].name for name in columns]
    if fields.dialect == "postgres":
        # Values from SQLite are converted as PostgreSQL's type says.
        finisher = values_of("sqlite").finisher if header.dialect == "sqlite" else _no_change
        places = [
            (place, function)
            for place, field in enumerate(fields.fields)
            if (function := finisher(fields.table, field.column, field.form)) is not None
        ]
        return Target(fields, names, places, key, table.rows)
    forms = tuple(Field(field.column, written[field.column.name.lower()].form) for field in fields.fields)
    return Target(TableFields(fields.table, forms, fields.dialect), names, [], key, table.rows)


def _no_change(*_: Any) -> None:
    return None


def key_of_row(target: Target, row: dict[str, Any]) -> Row | None:
    """The primary key of a row in the file, with values in their forms; None if one can't be converted."""
    try:
        converted = convert([tuple([row[name] for name in target.names])], target.places, target.fields)
    except RowRefused:
        return None
    return tuple([converted[0][place] for place in target.key])
