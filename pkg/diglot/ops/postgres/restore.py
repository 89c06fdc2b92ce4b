"""Restores a backup of PostgreSQL into its schema, in one transaction: the old contents are moved away and kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from diglot.errors import RestoreFailed
from diglot.migrate.status import read_applied
from diglot.migrate.tree import MigrationTree
from diglot.ops.content import all_fields, read_content
from diglot.ops.manifest import AppliedMigration, Manifest, compare, copy_data
from diglot.ops.postgres.archive import load
from diglot.ops.postgres.aside import make_way
from diglot.ops.postgres.loading import PostgresLoad
from diglot.ops.postgres.programs import for_restoring
from diglot.ops.postgres.rows import load_rows
from diglot.ops.private_files import temporary_file
from diglot.ops.progress import Report, Step
from diglot.ops.settings import patient
from diglot.schema.read import read_within
from diglot.sql.identifiers import quoted
from diglot.stores import open_store
from diglot.stores.postgres.errors import translate
from diglot.stores.settings import PostgresSettings
from diglot.stores.store import Store

_LOCK_TIMEOUT = 60.0


def restore(
    path: Path,
    manifest: Manifest,
    settings: PostgresSettings,
    tree: MigrationTree | None,
    scratch: Path,
    *,
    replace: bool,
    report: Report,
) -> str | None:
    """Restore the schema of the backup; returns the name of the schema that keeps the old contents, or None.

    Raises BackupDamaged, RestoreFailed, ConfigurationError if the schema is not empty; the database is then unchanged.
    ``tree``: the project's migrations, for a backup that was made without pg_dump. ``scratch`` is a folder.
    """
    with temporary_file(scratch / "restore") as data:
        with data.open("wb") as target:
            copy_data(path, manifest, target, lambda done: report(Step("reading", done, manifest.size, "bytes")))
        with open_store(patient(settings)) as store, store.migration_connection(_LOCK_TIMEOUT) as connection:
            try:
                with connection.transaction():
                    aside = make_way(connection, _schema(manifest), store.location, replace=replace)
                    _load(connection, tree, path, data, manifest, store, report)
                    _compare(connection, store, path, manifest, report)
            except psycopg.Error as error:
                raise RestoreFailed(f"{path} can't be restored: {_said(error)}") from error
    return aside


def _schema(manifest: Manifest) -> str:
    return manifest.schema or "public"


def _load(
    connection: psycopg.Connection[Any],
    tree: MigrationTree | None,
    path: Path,
    data: Path,
    manifest: Manifest,
    store: Store,
    report: Report,
) -> None:
    if manifest.form == "rows":
        if connection.execute("select current_schema()").fetchall()[0][0] != manifest.schema:
            _only_schema(connection, manifest)
        load_rows(connection, tree, path, data, manifest, store.location, report)
        return
    programs = for_restoring()
    if programs is None:
        raise RestoreFailed("pg_restore is not installed: install PostgreSQL's client programs")
    load(connection, programs, data, report)


def _compare(connection: psycopg.Connection[Any], store: Store, path: Path, manifest: Manifest, report: Report) -> None:
    """Raises BackupDamaged if the restored data does not match the manifest."""
    session = PostgresLoad(connection)
    _only_schema(connection, manifest)
    applied = [AppliedMigration(one.id, one.sha256) for one in read_applied(session.rows, "postgres")]
    tables = read_content(session, all_fields(read_within(session, store.location)), report)
    compare(path, manifest, applied, tables)


def _only_schema(connection: psycopg.Connection[Any], manifest: Manifest) -> None:
    connection.execute(f"set local search_path to {quoted(_schema(manifest))}".encode())


def _said(error: psycopg.Error) -> str:
    """The server's own message about a missing privilege or object, which contains names but no values."""
    named = error.sqlstate is not None and error.sqlstate[:2] in ("0A", "42", "58")
    return (named and error.diag.message_primary) or str(translate(error, None))
