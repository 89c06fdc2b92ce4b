"""Imports the rows of an export into a database of either engine, in one transaction: all of them are stored, or none.

New rows are inserted and existing rows are updated, so an import can be repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from diglot.errors import ConstraintViolation, ForeignKeyViolation, MigrationUnknown, QueryArgumentError, RowRefused
from diglot.ops.content import BATCH, convert, rows_from
from diglot.ops.export_file import Header, Line, Reader, reading, size_of
from diglot.ops.loading import Load, loading
from diglot.ops.orphans import Orphans, find_orphans, key_in_words
from diglot.ops.progress import Report, Step, silent
from diglot.ops.set_aside import Aside, setting_aside
from diglot.ops.settings import patient
from diglot.ops.statements import statement
from diglot.ops.targets import Target, key_of_row, targets_of
from diglot.schema.read import read_schema
from diglot.sql.identifiers import quoted
from diglot.sql.session import Row, Statement
from diglot.stores import open_store
from diglot.stores.settings import PostgresSettings, SQLiteSettings
from diglot.stores.store import Store

if TYPE_CHECKING:
    from diglot.project import Project

LARGE = 10_000
"""From this many rows, indexes are built at the end, if the database has at most half as many."""
_BATCH_BYTES = 8 * 1024 * 1024
"""The bytes of lines that end a batch: it has fewer than BATCH rows if they are large."""


class Imported(msgspec.Struct, frozen=True):
    """``rows``: those in the file, ``changed``: those that were inserted or updated, ``skipped``: those set aside."""

    rows: int
    changed: int
    skipped: int


def import_file(
    project: Project | None,
    path: Path,
    settings: SQLiteSettings | PostgresSettings,
    *,
    skip_bad: Path | None = None,
    timeout: float = 60.0,
    report: Report = silent,
) -> Imported:
    """Store the rows of an export in one transaction. ``skip_bad`` is a new file for the rows that the database refuses
    (set_aside.py); without it the first such row ends the import, and nothing is stored.

    A file is read to its end before its first row is stored; a pipe, read only once, is checked while it is stored.
    Raises ExportDamaged, RowRefused (both with the line), ConfigurationError, MigrationUnknown.
    """
    if size_of(path) is not None:
        _check(path, report)
    with open_store(patient(settings, create=True)) as store, setting_aside(skip_bad) as aside:
        orphans: Orphans = {}
        while True:
            try:
                return _import(project, path, store, aside, orphans, timeout, report)
            except _OrphansFound as found:
                # Foreign keys are checked when all rows are stored, so the rows that violate one are known only then:
                # a second import leaves them out.
                orphans = _to_leave_out(path, orphans, found, aside)


def _import(
    project: Project | None,
    path: Path,
    store: Store,
    aside: Aside | None,
    orphans: Orphans,
    timeout: float,
    report: Report,
) -> Imported:
    with reading(path) as reader:
        _same_version(project, reader.header, path, store, timeout)
        targets = targets_of(reader.header, read_schema(store), path)
        if aside is not None:
            aside.restart()
        with loading(store, timeout) as load:
            load.prepare([target.fields for target in targets.values()], large=_is_large(load, targets), empty=False)
            importing = _Import(path, load, targets, aside, orphans)
            total = size_of(path)
            for lines in _batches(reader):
                importing.store(lines)
                report(Step("importing", reader.bytes_read, total, "bytes"))
            report(Step("building indexes and checking foreign keys", 0, None))
            try:
                load.finish(_last_numbers(load, targets))
            except ForeignKeyViolation as error:
                found = find_orphans(load, [target.fields for target in targets.values()], closure=aside is not None)
                raise _OrphansFound(error, found, targets) from error
            if aside is not None:
                aside.publish()
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
    """The lines in batches, each of one table."""
    for _, lines in groupby(reader.lines(), key=lambda line: line.table):
        batch: list[Line] = []
        size = 0
        for line in lines:
            batch.append(line)
            size += line.size
            if len(batch) == BATCH or size >= _BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch


def _same_version(project: Project | None, header: Header, path: Path, store: Store, timeout: float) -> None:
    if project is None or project.migrations is None:
        return
    from diglot.database import utc_now
    from diglot.migrate.runner import Migrator

    tree = project.migration_tree(store.dialect)
    unknown = [id for id in header.migrations if id not in tree.ids]
    if unknown:
        raise MigrationUnknown(f"{path} has the migration {unknown[0]}, which this project lacks: use its version")
    Migrator(store, tree, timeout=timeout, clock=utc_now).up()


def _is_large(load: Load, targets: dict[str, Target]) -> bool:
    """Whether rebuilding the indexes is faster than updating them with each row."""
    coming = sum(target.rows for target in targets.values())
    if coming < LARGE:
        return False
    there = 0
    for target in targets.values():
        limited = f"select 1 from {rows_from(target.fields)} limit {coming}"
        text = f"/* diglot:ops.count_rows */ select count(*) from ({limited}) as counted"
        there += load.rows(Statement("ops.count_rows", text))[0][0]
    return 2 * there <= coming


def _last_numbers(load: Load, targets: dict[str, Target]) -> dict[tuple[str, str], int]:
    """The greatest number in each numbered column whose sequence is behind it. A number is not assigned twice: a
    sequence that is ahead of the rows stays as it is."""
    found = {}
    for target in targets.values():
        for field in target.fields.fields:
            column = field.column
            if column.identity not in ("always", "by default", "autoincrement"):
                continue
            text = f"/* diglot:ops.greatest */ select max({quoted(column.name)}) from {rows_from(target.fields)}"
            greatest = load.rows(Statement("ops.greatest", text))[0][0]
            given = load.rows(statement(load.dialect, "last_number"), (target.fields.name, column.name))
            last = given[0][0] if given else None
            if greatest is not None and greatest > 0 and (last is None or greatest > last):
                found[target.fields.name, column.name] = greatest
    return found


class _Import:
    """Stores batches of lines and finds the rows that are refused."""

    def __init__(
        self, path: Path, load: Load, targets: dict[str, Target], aside: Aside | None, orphans: Orphans
    ) -> None:
        self._path = path
        self._load = load
        self._targets = targets
        self._aside = aside
        self._orphans = orphans
        self.rows = self.changed = self.skipped = 0

    def store(self, lines: list[Line]) -> None:
        self.rows += len(lines)
        target = self._targets[lines[0].table]
        refused = self._orphans.get(target.fields.name)
        self._store(self._without(lines, target, refused) if refused else lines, target)

    def _store(self, lines: list[Line], target: Target) -> None:
        rows: list[Row] = [tuple([line.row[name] for name in target.names]) for line in lines]
        try:
            self.changed += self._load.merge(target.fields, convert(rows, target.places, target.fields))
        except (ConstraintViolation, RowRefused, QueryArgumentError, ValueError, OverflowError) as error:
            if len(lines) > 1:  # halves it until one row is left
                middle = len(lines) // 2
                self._store(lines[:middle], target)
                self._store(lines[middle:], target)
            else:
                self._refuse(lines[0], _reason(error))

    def _without(self, lines: Sequence[Line], target: Target, orphans: dict[Row, str]) -> list[Line]:
        found = []
        for line in lines:
            reason = orphans.get(key_of_row(target, line.row) or ())
            if reason is None:
                found.append(line)
            else:
                self._refuse(line, reason)
        return found

    def _refuse(self, line: Line, reason: str) -> None:
        if self._aside is None:
            raise RowRefused(f"{self._path}:{line.number}: {reason}")
        self._aside.add(line, reason)
        self.skipped += 1


def _reason(error: Exception) -> str:
    if isinstance(error, RowRefused):
        return error.problem
    return str(error).removesuffix(" [ops.merge]")


# --- foreign keys ------------------------------------------------------------------------------------------


class _OrphansFound(Exception):
    """Rows refer to missing rows after an import, which is rolled back."""

    def __init__(self, error: ForeignKeyViolation, orphans: Orphans, targets: dict[str, Target]) -> None:
        super().__init__()
        self.error = error
        self.orphans = orphans
        self.targets = targets


def _to_leave_out(path: Path, known: Orphans, found: _OrphansFound, aside: Aside | None) -> Orphans:
    """What to leave out of the next import. Raises RowRefused without ``aside``, ForeignKeyViolation if no row of the
    file is to blame."""
    if size_of(path) is None:
        for table, keys in found.orphans.items():
            for key, reason in keys.items():
                words = key_in_words(found.targets, table, key)
                once = "; a pipe can't be read again to set it aside: use a file" if aside is not None else ""
                raise RowRefused(f"{path}: {reason}: {words}{once}")
    line = _first_line(path, found)
    if line is None or any(known.values()):
        raise ForeignKeyViolation(f"{found.error}: it was there before this import: see 'diglot doctor'")
    if aside is None:
        raise RowRefused(f"{path}:{line[0].number}: {line[1]}")
    return found.orphans


def _first_line(path: Path, found: _OrphansFound) -> tuple[Line, str] | None:
    with reading(path) as reader:
        for line in reader.lines():
            target = found.targets[line.table]
            orphans: dict[Any, str] = found.orphans.get(target.fields.name, {})
            reason = orphans.get(key_of_row(target, line.row) or ()) if orphans else None
            if reason is not None:
                return line, reason
    return None
