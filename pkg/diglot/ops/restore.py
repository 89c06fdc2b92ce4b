"""Replaces a database with a backup, or verifies that this would work.

The restored data is compared with the backup's manifest before it replaces the database: the rows and content of every
table, and the migrations. If it is interrupted at any moment, either the old or the new database is there.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from diglot.check.embedded import is_installed
from diglot.check.scratch import postgres_server, scratch_database
from diglot.errors import ConfigurationError, MigrationUnknown, RestoreFailed
from diglot.ops.manifest import Manifest, read_manifest
from diglot.ops.private_files import room_for
from diglot.ops.progress import Report, silent
from diglot.stores.settings import PostgresSettings, SQLiteSettings

if TYPE_CHECKING:
    from diglot.migrate.tree import MigrationTree
    from diglot.project import Project
    from diglot.stores.store import Store

Settings = SQLiteSettings | PostgresSettings


class Restored(msgspec.Struct, frozen=True):
    """What a restore did. ``kept``: the file or schema where the old database is now; None if there was none."""

    manifest: Manifest
    kept: str | None


def restore(
    project: Project | None,
    path: Path,
    settings: Settings,
    *,
    replace: bool = False,
    report: Report = silent,
) -> Restored:
    """Restore a backup into an empty database, or with ``replace`` in place of the existing one.

    Raises BackupDamaged, MigrationUnknown if the backup is from another project or a newer version, ConfigurationError
    if the database is not empty or of the other engine, DatabaseUnavailable if it is in use, RestoreFailed. The
    database is then unchanged.
    """
    manifest = read_manifest(path)
    _refuse_engine(path, manifest, "sqlite" if isinstance(settings, SQLiteSettings) else "postgres")
    tree = _tree(project, manifest)
    if tree is not None:
        _refuse_other_project(tree, path, manifest)
    if isinstance(settings, SQLiteSettings):
        from diglot.ops.sqlite.restore import restore as restore_sqlite

        with room_for(Path(settings.path), RestoreFailed):
            kept = restore_sqlite(path, manifest, settings, replace=replace, report=report)
        return Restored(manifest, kept)
    with _scratch(Path(tempfile.gettempdir())) as scratch:
        return Restored(manifest, _restore_postgres(path, manifest, settings, tree, scratch, replace, report))


def verify_backup(
    path: Path,
    *,
    project: Project | None = None,
    postgres_url: str | None = None,
    settings: Settings | None = None,
    report: Report = silent,
) -> Manifest:
    """Restore a backup into a scratch database and compare it with its manifest; returns the manifest.

    A backup of PostgreSQL is restored into a new database on the server of ``postgres_url``, else on the embedded one
    of ``diglot[check]``, else on that of ``settings``. ``project``: for a backup that was made without pg_dump. Raises
    BackupDamaged, RestoreFailed, ConfigurationError if there is no server.
    """
    manifest = read_manifest(path)
    folder = path.absolute().parent  # it has space for backups, but may be read-only
    with _scratch(folder if os.access(folder, os.W_OK) else Path(tempfile.gettempdir())) as scratch:
        if manifest.dialect == "sqlite":
            from diglot.ops.sqlite.restore import verify as verify_sqlite

            verify_sqlite(path, manifest, scratch, report)
        else:
            tree = _tree(project, manifest)
            with _server(postgres_url, settings) as server, scratch_database(server) as store:
                there = msgspec.structs.replace(server, dbname=_name_of(store))
                _restore_postgres(path, manifest, there, tree, scratch, False, report)
    return manifest


def _restore_postgres(
    path: Path,
    manifest: Manifest,
    settings: PostgresSettings,
    tree: MigrationTree | None,
    scratch: Path,
    replace: bool,
    report: Report,
) -> str | None:
    from diglot.ops.postgres.restore import restore as restore_postgres

    return restore_postgres(path, manifest, settings, tree, scratch, replace=replace, report=report)


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    with room_for(folder, RestoreFailed), tempfile.TemporaryDirectory(prefix="diglot-", dir=folder) as scratch:
        yield Path(scratch)


@contextmanager
def _server(postgres_url: str | None, settings: Settings | None) -> Iterator[PostgresSettings]:
    if postgres_url is None and isinstance(settings, PostgresSettings) and not is_installed():
        yield settings
        return
    with postgres_server(postgres_url) as server:
        yield server


def _name_of(store: Store) -> str:
    found: str = store.settings.dbname  # type: ignore[attr-defined]
    return found


def _tree(project: Project | None, manifest: Manifest) -> MigrationTree | None:
    if project is None or project.migrations is None:
        return None
    return project.migration_tree(manifest.dialect)


def _refuse_engine(path: Path, manifest: Manifest, dialect: str) -> None:
    if manifest.dialect != dialect:
        names = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
        raise ConfigurationError(
            f"{path} is a backup of {names[manifest.dialect]}, but the database is {names[dialect]}: restore it into "
            f"{names[manifest.dialect]}, then use 'diglot copy'"
        )


def _refuse_other_project(tree: MigrationTree, path: Path, manifest: Manifest) -> None:
    known = {migration.id: migration.sha256 for migration in tree}
    unknown = [one.id for one in manifest.migrations if one.id not in known]
    if unknown:
        what = f"has the migration {unknown[0]}, which this project lacks"
    elif known and not manifest.migrations:
        what = "has no migrations"
    elif manifest.migrations and all(one.sha256 not in (None, known[one.id]) for one in manifest.migrations):
        # A single one that differs was edited and accepted later; projects that number their migrations share names.
        what = f"has another {manifest.migrations[0].id} than this project"
    else:
        return
    raise MigrationUnknown(f"{path} {what}: it is from another project or a newer version")
