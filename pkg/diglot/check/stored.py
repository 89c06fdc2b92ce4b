"""Whether SQLite keeps timestamps and JSON documents in the form in which they are written and read.

SQLite has no type for either: a timestamp is a text of 27 characters, whose order is that of time, and a document is a
text. A default, a CHECK, a trigger or the column's affinity can make something else of it; then rows are missing from
a comparison or can't be decoded. So each is tried, on a copy of the column.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec

from diglot.check.catalog import Catalog
from diglot.check.column_copy import ColumnCopy, quoted
from diglot.check.finding import Finding
from diglot.check.places import place_of_column
from diglot.check.sources import SourceFile, source_files
from diglot.check.timestamp_form import FORM, PATTERN, SAMPLES, is_timestamp, needed_by
from diglot.check.touched import touched
from diglot.check.written_times import in_query, in_triggers
from diglot.project import Project
from diglot.schema.model import Column, Table
from diglot.schema.read import read_schema
from diglot.sql.header import QuerySource
from diglot.sql.session import Statement
from diglot.stores.sqlite.library import library
from diglot.stores.store import Store

if TYPE_CHECKING:
    import sqlite3

CHECK = "prepare"


class Kept(msgspec.Struct, frozen=True):
    """A column of a SQLite table that a query uses as a timestamp or as a document; ``by`` is the first that does."""

    table: Table
    column: Column
    type: str
    by: QuerySource
    file: SourceFile


def check_stored(project: Project, sqlite: Store, catalog: Catalog) -> list[Finding]:
    """Every column of this migrated database whose values can't be compared or read as the queries do."""
    tables = {table.name.lower(): table for table in read_schema(sqlite).tables}
    kept: dict[tuple[str, str], Kept] = {}
    files = source_files(project, "sqlite")
    for file in files:
        for query in file.queries:
            for use in touched(query, "sqlite", catalog, project.row_models()):
                table = tables.get(use.table)
                column = _column(table, use.column)
                if table is not None and column is not None:
                    kept.setdefault((use.table, use.column), Kept(table, column, use.type, query, file))
    times = [key for key, each in kept.items() if each.type == "timestamp"]
    found: list[Finding] = []
    with closing(library().connect(":memory:", isolation_level=None)) as memory:
        for each in kept.values():
            found += [_finding(project, each, message) for message in _messages(each, sqlite, memory)]
        found += [_finding(project, kept[key], message) for key, message in in_triggers(sqlite, times, memory)]
        for file in files:
            for query in file.queries:
                for message, offset in in_query(query, times, memory):
                    found.append(file.finding_at(CHECK, query, message, offset))
    return found


def _column(table: Table | None, name: str) -> Column | None:
    return next((each for each in table.columns if each.name.lower() == name), None) if table is not None else None


def _messages(kept: Kept, store: Store, memory: sqlite3.Connection) -> Iterator[str]:
    copy = ColumnCopy(memory, kept.table, kept.column)
    if kept.type == "json":
        yield from _of_document(kept, copy)
        return
    default = copy.default() if kept.column.default is not None else None
    if default is not None and not is_timestamp(default):
        yield f"its default {kept.column.default} writes {default!r}, {needed_by(kept.by.full_name)}"
    for check in kept.table.checks:
        if all(copy.takes(sample, check) is False for sample in SAMPLES):
            name = f"{check.name} " if check.name else ""
            yield f"its CHECK {name}({check.expression}) refuses every timestamp of the form {FORM}"
    yield from _of_rows(kept, store)


def _of_rows(kept: Kept, store: Store) -> Iterator[str]:
    """What the migrations themselves have written."""
    column, table = quoted(kept.column.name), quoted(kept.table.name)
    text = f"select {column} from {table} where {column} not glob '{PATTERN}' limit 1"  # noqa: S608 - quoted names
    for (value,) in store.rows(Statement("check.stored", text)):
        yield f"a migration writes {value!r} into it, {needed_by(kept.by.full_name)}"


def _of_document(kept: Kept, copy: ColumnCopy) -> Iterator[str]:
    """A column declared ``json`` has numeric affinity. A CHECK may keep numbers out: ``json_type(x) = 'object'``."""
    if copy.type_of("1") in ("text", None) or any(copy.takes("1", check) is False for check in kept.table.checks):
        return
    yield (
        f"it is declared {kept.column.type or 'without a type'}, so SQLite stores the document 1 as a number, which "
        f"{kept.by.full_name} can't read: declare it text, with check (json_valid({kept.column.name}))"
    )


def _finding(project: Project, kept: Kept, message: str) -> Finding:
    place = place_of_column(project, "sqlite", kept.table.name, kept.column.name)
    path, line = place or (kept.file.shown, kept.by.line)
    return Finding(CHECK, path, line, 1, f"{kept.table.name}.{kept.column.name}", message)
