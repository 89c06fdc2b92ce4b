"""The rows of a database as JSON Lines, and back: for another database, for other programs, for people.

An import inserts rows and updates those that are there already, so it can be repeated. It is one transaction: all of
the file is stored, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from diglot.errors import ConfigurationError, ConstraintViolation, MigrationUnknown, RowRefused
from diglot.migrate.status import read_applied
from diglot.ops.content import BATCH, Convert, Field, TableFields, convert, fields_of, holds_rows, read_rows, values_of
from diglot.ops.export_file import ExportedColumn, ExportedTable, Header, Line, Reader, reading, size_of, writing
from diglot.ops.loading import Load, loading
from diglot.ops.order import parents_first
from diglot.ops.progress import Report, Step, silent
from diglot.ops.settings import patient
from diglot.schema.model import Schema
from diglot.schema.read import read_schema, read_within
from diglot.sql.identifiers import quoted
from diglot.stores import open_store
from diglot.stores.session import Reads, Row, Statement
from diglot.stores.settings import PostgresSettings, SQLiteSettings

if TYPE_CHECKING:
    from diglot.project import Project

Settings = SQLiteSettings | PostgresSettings
Root = tuple[str, str, str]
"""A table, the column that identifies a row of it, and the row's value: what belongs to it is exported."""


class Exported(msgspec.Struct, frozen=True):
    """What was written, or read: rows by table."""

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
    """Write the rows of all tables, or of these, into a new file (``-``: standard output), from one snapshot.

    ``root``: only this row and those that refer to it. ConfigurationError for a table that is not there, or a name that
    is taken.
    """
    with open_store(patient(settings)) as store, store.snapshot() as snapshot:
        schema = read_within(snapshot, store.location)
        chosen = _chosen(schema, tables, root)
        counts = [_count(snapshot, fields, where) for fields, where in chosen]
        if root is not None and counts[0] == 0:
            raise ConfigurationError(f"there is no row of {root[0]} with {root[1]} {root[2]!r}")
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


def _chosen(
    schema: Schema, names: Sequence[str], root: Root | None
) -> list[tuple[TableFields, tuple[str, str] | None]]:
    known = {table.name: table for table in schema.tables if holds_rows(table)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigurationError(f"there is no table {unknown[0]}: use {', '.join(sorted(known))}")
    found: list[tuple[TableFields, tuple[str, str] | None]] = []
    for table in parents_first(list(known.values())):
        if names and table.name not in names:
            continue
        fields = fields_of(table, schema.dialect)
        if root is None:
            found.append((fields, None))
        elif table.name == root[0]:
            found.insert(0, (fields, (root[1], root[2])))
        else:
            keys = [key for key in table.foreign_keys if key.table == root[0] and key.references == (root[1],)]
            found += [(fields, (key.columns[0], root[2])) for key in keys[:1]]
    return found


def _count(session: Reads, fields: TableFields, where: tuple[str, str] | None) -> int:
    condition, given = values_of(fields.dialect).equals(*where) if where is not None else ("", ())
    text = f"/* diglot:ops.count_rows */ select count(*) from {quoted(fields.name)}{condition}"
    found: int = session.rows(Statement("ops.count_rows", text), given)[0][0]
    return found


def _exported(fields: TableFields, rows: int) -> ExportedTable:
    columns = [ExportedColumn(field.column.name, field.form) for field in fields.fields]
    return ExportedTable(fields.name, columns, rows)


# --- back again --------------------------------------------------------------------------------------------


class Imported(msgspec.Struct, frozen=True):
    """``rows``: those in the file, ``changed``: those that were inserted or updated, ``skipped``: those set aside."""

    rows: int
    changed: int
    skipped: int


class Skipped(msgspec.Struct, frozen=True):
    """A row that was set aside."""

    line: int
    table: str
    reason: str
    row: dict[str, Any]


def import_file(
    project: Project | None,
    path: Path,
    settings: Settings,
    *,
    skip: Callable[[Skipped], None] | None = None,
    timeout: float = 60.0,
    report: Report = silent,
) -> Imported:
    """Store the rows of an export in one transaction. ``skip`` gets each row that the database refuses; without it the
    first such row ends the import, and nothing is stored.

    A file is read to its end before its first row is stored; standard input is checked while it is stored.
    ExportDamaged, RowRefused (both with the line), ConfigurationError, MigrationUnknown.
    """
    if size_of(path) is not None:
        _check(path, report)
    with reading(path) as reader, open_store(patient(settings, create=True)) as store:
        _same_version(project, reader.header, path, store, timeout)
        targets = _targets(reader.header, read_schema(store), path)
        with loading(store, timeout) as load:
            load.prepare([target.fields for target in targets.values()], large=False, empty=False)
            importing = _Import(path, load, targets, skip)
            total = size_of(path)
            for lines in _batches(reader):
                importing.store(lines)
                report(Step("importing", reader.bytes_read, total, "bytes"))
            load.finish(_last_numbers(load, targets))
    return Imported(importing.rows, importing.changed, importing.skipped)


def _check(path: Path, report: Report) -> None:
    total = size_of(path)
    with reading(path) as reader:
        if reader.is_whole(lambda: report(Step("checking the file", reader.bytes_read, total, "bytes"))):
            return
    with reading(path) as reader:  # once more, to find the line
        for _ in reader.lines():
            pass


def _batches(reader: Reader) -> Iterator[list[Line]]:
    """Lines of one table, some at a time."""
    for _, lines in groupby(reader.lines(), key=lambda line: line.table):
        while batch := list(islice(lines, BATCH)):
            yield batch


def _same_version(project: Project | None, header: Header, path: Path, store: Any, timeout: float) -> None:
    if project is None or project.migrations is None:
        return
    from diglot.database import utc_now
    from diglot.migrate.runner import Migrator

    migrator = Migrator(store, project.migration_tree(store.dialect), timeout=timeout, clock=utc_now)
    known = project.migration_tree(store.dialect).ids
    unknown = [id for id in header.migrations if id not in known]
    if unknown:
        raise MigrationUnknown(f"{path} has the migration {unknown[0]}, which this project has not: use its version")
    migrator.up()


def _last_numbers(load: Load, targets: dict[str, _Target]) -> dict[tuple[str, str], int]:
    """The greatest number in each numbered column, after which the next ones follow."""
    found = {}
    for target in targets.values():
        for field in target.fields.fields:
            if field.column.identity:
                column, table = quoted(field.column.name), quoted(target.fields.name)
                text = f"/* diglot:ops.greatest */ select max({column}) from {table}"
                greatest = load.rows(Statement("ops.greatest", text))[0][0]
                if greatest is not None and greatest > 0:
                    found[target.fields.name, field.column.name] = greatest
    return found


class _Target(msgspec.Struct, frozen=True):
    """A table that is imported into. ``names``: the columns in the order of the fields; ``places``: what makes the
    values of the file values in the forms of the fields."""

    fields: TableFields
    names: list[str]
    places: list[tuple[int, Convert]]


def _targets(header: Header, schema: Schema, path: Path) -> dict[str, _Target]:
    there = {table.name: table for table in schema.tables}
    found = {}
    for table in header.tables:
        if table.name not in there or not holds_rows(there[table.name]):
            raise ConfigurationError(f"{path} has the table {table.name}, which {schema.location} has not")
        found[table.name] = _target(table, fields_of(there[table.name], schema.dialect), header, path)
    return found


def _target(table: ExportedTable, fields: TableFields, header: Header, path: Path) -> _Target:
    written = {column.name: column.form for column in table.columns}
    columns = [field.column.name for field in fields.fields]
    if set(columns) != set(written):
        other = sorted(set(columns) ^ set(written))[0]
        raise ConfigurationError(f"{path}: the column {table.name}.{other} is only on one side: migrate first")
    if fields.dialect == "postgres":
        # What SQLite had is taken as what PostgreSQL's type says.
        finisher = values_of("sqlite").finisher if header.dialect == "sqlite" else _no_change
        places = [
            (place, function)
            for place, field in enumerate(fields.fields)
            if (function := finisher(fields.table, field.column, field.form)) is not None
        ]
        return _Target(fields, columns, places)
    forms = tuple(Field(field.column, written[field.column.name]) for field in fields.fields)
    return _Target(TableFields(fields.table, forms, fields.dialect), columns, [])


def _no_change(*_: Any) -> None:
    return None


class _Import:
    """Stores batches of lines, and finds the rows that are refused."""

    def __init__(
        self, path: Path, load: Load, targets: dict[str, _Target], skip: Callable[[Skipped], None] | None
    ) -> None:
        self._path = path
        self._load = load
        self._targets = targets
        self._skip = skip
        self.rows = self.changed = self.skipped = 0

    def store(self, lines: list[Line]) -> None:
        self.rows += len(lines)
        self._store(lines, self._targets[lines[0].table])

    def _store(self, lines: list[Line], target: _Target) -> None:
        rows: list[Row] = [tuple([line.row[name] for name in target.names]) for line in lines]
        try:
            self.changed += self._load.merge(target.fields, convert(rows, target.places, target.fields))
        except (ConstraintViolation, RowRefused, ValueError, OverflowError) as error:
            if len(lines) > 1:  # halves, until it is one row
                middle = len(lines) // 2
                self._store(lines[:middle], target)
                self._store(lines[middle:], target)
            else:
                self._refuse(lines[0], error)

    def _refuse(self, line: Line, error: Exception) -> None:
        reason = error.problem if isinstance(error, RowRefused) else str(error)
        if self._skip is None:
            raise RowRefused(f"{self._path}:{line.number}: {reason}") from error
        self._skip(Skipped(line.number, line.table, reason, line.row))
        self.skipped += 1
