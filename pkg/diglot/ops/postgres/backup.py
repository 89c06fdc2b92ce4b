"""Backs up the schema of a PostgreSQL database to a pg_dump archive, or to an export if there is no pg_dump."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from diglot.errors import BackupFailed
from diglot.migrate.status import read_applied
from diglot.ops.content import Content, all_fields, read_content
from diglot.ops.manifest import AppliedMigration, Manifest
from diglot.ops.postgres.archive import count_rows, dumping
from diglot.ops.postgres.programs import Programs, environment, for_dumping
from diglot.ops.postgres.rows import dump_rows
from diglot.ops.private_files import sync
from diglot.ops.progress import Report
from diglot.ops.statements import statement
from diglot.schema.read import read_within
from diglot.sql.identifiers import quoted
from diglot.sql.session import Session
from diglot.stores.postgres.store import PostgresStore


def dump(store: PostgresStore, file: Path, now: datetime, report: Report) -> Manifest:
    """Write the connection's schema to this empty file and check it; returns the manifest, without size and digest.

    Raises BackupFailed, DatabaseFull.
    """
    programs = for_dumping(store.server_version)
    with store.snapshot() as snapshot:
        ((name, schema),) = snapshot.rows(statement("postgres", "export_snapshot"))
        manifest = Manifest(
            created_at=now,
            dialect="postgres",
            form="rows" if programs is None else "pg_dump",
            engine=store.server_version,
            schema=schema,
            migrations=[AppliedMigration(one.id, one.sha256) for one in read_applied(snapshot.rows, "postgres")],
            tables={},
            size=0,
            sha256="",
        )
        if programs is None:
            manifest = dump_rows(snapshot, store.location, file, manifest, report)
        else:
            manifest = _dump_archive(snapshot, store, programs, name, file, manifest, report)
            parents = _parents(snapshot, schema)
    if programs is not None:
        whole = {table: content for table, content in manifest.tables.items() if table not in parents}
        _check(whole, count_rows(programs, file, report))
    sync(file)
    return manifest


def _dump_archive(
    snapshot: Session,
    store: PostgresStore,
    programs: Programs,
    name: str,
    file: Path,
    manifest: Manifest,
    report: Report,
) -> Manifest:
    """pg_dump and the content of the tables read the same snapshot, at the same time."""
    with environment(store.settings) as variables:
        schema = quoted(manifest.schema or "")
        with dumping(programs, file, schema, name, variables, report):
            tables = read_content(snapshot, all_fields(read_within(snapshot, store.location)), report)
    return msgspec.structs.replace(manifest, tables=tables)


def _parents(snapshot: Session, schema: str) -> set[str]:
    """The tables that include rows of other tables: pg_dump writes those with their own table."""
    return {row[0] for row in snapshot.rows(statement("postgres", "parents_of_schema"), (schema,))}


def _check(tables: dict[str, Content], found: dict[str, int]) -> None:
    """Checks that the archive can be read to its end and has all rows."""
    for name, content in tables.items():
        if found.get(name, 0) != content.rows:
            raise BackupFailed(
                f"pg_dump wrote {found.get(name, 0):,} rows of {name}, which has {content.rows:,}: "
                "is the role subject to row-level security?"
            )
