"""A backup without pg_dump: the rows as in an export, compressed. The project's migrations create the schema."""

from __future__ import annotations

from contextlib import ExitStack, closing
from datetime import UTC, datetime
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from diglot.errors import BackupDamaged, BackupFailed, ExportDamaged, RestoreFailed
from diglot.migrate.bookkeeping import PostgresBooks, open_books
from diglot.migrate.tree import Migration, MigrationTree
from diglot.ops.compression import compressed, decompressed
from diglot.ops.content import BATCH, Digest, TableFields, all_fields, read_rows
from diglot.ops.copy import last_numbers
from diglot.ops.export_file import ExportedColumn, ExportedTable, Header, Line, Reader, Writer
from diglot.ops.manifest import LastNumber, Manifest
from diglot.ops.pairs import Pair
from diglot.ops.postgres.loading import PostgresLoad
from diglot.ops.progress import Report, Step
from diglot.schema.read import read_within
from diglot.sql.identifiers import quoted
from diglot.sql.session import Batches, Session, Statement

_COMPRESSED = Path("rows.gz")
"""A file name for functions that choose by the name."""


def dump_rows(snapshot: Session, location: str, file: Path, manifest: Manifest, report: Report) -> Manifest:
    """Write the rows of all tables; the manifest with their content. Raises BackupFailed if there are no migrations."""
    if not manifest.migrations:
        raise BackupFailed(
            f"there is no pg_dump for {manifest.engine} on this machine, and there are no migrations to create the "
            "schema again: install PostgreSQL's client programs"
        )
    fields = all_fields(read_within(snapshot, location))
    tables = {}
    with file.open("wb") as raw, compressed(raw, _COMPRESSED) as out:
        writer = Writer(out)
        exported = [_exported(snapshot, table) for table in fields]
        writer.header(
            Header(
                created_at=manifest.created_at,
                dialect="postgres",
                engine=manifest.engine,
                migrations=[one.id for one in manifest.migrations],
                tables=exported,
            )
        )
        for table, described in zip(fields, exported, strict=True):
            digest = Digest(table)
            with closing(read_rows(snapshot, table)) as batches:
                for rows in batches:
                    writer.rows(described, rows)
                    digest.add(rows)
                    report(Step(f"{table.name}: writing", digest.rows, described.rows))
            tables[table.name] = digest.content()
        writer.footer()
    numbers = last_numbers(snapshot, [Pair(table, table) for table in fields])
    return msgspec.structs.replace(
        manifest,
        tables=tables,
        last_numbers=[LastNumber(table, column, last) for (table, column), last in numbers.items()],
    )


def _exported(snapshot: Session, table: TableFields) -> ExportedTable:
    columns = [ExportedColumn(field.column.name, field.form) for field in table.fields]
    text = f"/* diglot:ops.count_rows */ select count(*) from {quoted(table.name)}"
    return ExportedTable(table.name, columns, snapshot.rows(Statement("ops.count_rows", text))[0][0])


# --- restoring ---------------------------------------------------------------------------------------------


def load_rows(
    connection: psycopg.Connection[Any],
    tree: MigrationTree | None,
    path: Path,
    data: Path,
    manifest: Manifest,
    location: str,
    report: Report,
) -> None:
    """Create the schema and fill it, in the connection's transaction. ``path`` names the backup in errors.

    Raises RestoreFailed, BackupDamaged.
    """
    if tree is None:
        raise RestoreFailed(
            f"{path} was made without pg_dump, so its project's migrations must create the schema: use --project"
        )
    _migrate(connection, tree, path, manifest)
    load = PostgresLoad(connection)
    tables = {table.name: table for table in all_fields(read_within(load, location))}
    load.prepare(list(tables.values()), large=True)
    with ExitStack() as stack:
        raw = stack.enter_context(data.open("rb"))
        reader = Reader(path, decompressed(raw, _COMPRESSED, stack), raw)
        try:
            for name, lines in groupby(reader.lines(), key=_table_of):
                if name not in tables:
                    raise BackupDamaged(f"{path} has rows of {name}, which the migrations do not create")
                load.load(tables[name], _batches(lines, tables[name], report))
        except ExportDamaged as error:
            raise BackupDamaged(f"{path} is damaged: {error}") from error
    load.finish({(one.table, one.column): one.last for one in manifest.last_numbers})


def _migrate(connection: psycopg.Connection[Any], tree: MigrationTree, path: Path, manifest: Manifest) -> None:
    books = open_books(connection, "postgres", lambda: datetime.now(UTC))
    assert isinstance(books, PostgresBooks)  # noqa: S101 - for the type checker
    books.prepare()
    applied = {one.id: one.sha256 for one in manifest.migrations}
    for migration in tree:
        if migration.id not in applied:
            continue
        if migration.sha256 != applied[migration.id]:
            raise RestoreFailed(f"{path} was made with another version of {migration.file}: use that to restore it")
        with books.atomically():
            _run(books, migration)
            books.record(migration)


def _run(books: PostgresBooks, migration: Migration) -> None:
    for statement in migration.written():
        try:
            books.run(statement.text)
        except psycopg.Error as error:
            message, line = books.explain(error, statement)
            raise RestoreFailed(f"{migration.file}:{line}: {message}") from error


def _table_of(line: Line) -> str:
    return line.table


def _batches(lines: Any, table: TableFields, report: Report) -> Batches:
    names = [field.column.name for field in table.fields]
    done = 0
    while rows := [tuple(line.row[name] for name in names) for line in islice(lines, BATCH)]:
        yield rows
        done += len(rows)
        report(Step(f"{table.name}: restoring", done, None))
