"""Puts a backup into the place of a database, or tries that it could be.

What comes out of the backup is compared with its manifest before it takes the place: every table's rows and content,
and the migrations. Interrupted at any moment, the old database is there or the new one.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from diglot.check.scratch import postgres_server, scratch_database
from diglot.errors import ConfigurationError, MigrationUnknown
from diglot.ops.manifest import Manifest, read_manifest
from diglot.ops.progress import Report, silent
from diglot.stores.settings import PostgresSettings, SQLiteSettings

if TYPE_CHECKING:
    from diglot.project import Project


class Restored(msgspec.Struct, frozen=True):
    """What a restore did. ``kept``: where the old database is now: a file, or a schema; None where there was none."""

    manifest: Manifest
    kept: str | None


def restore(
    project: Project | None,
    path: Path,
    settings: SQLiteSettings | PostgresSettings,
    *,
    replace: bool = False,
    report: Report = silent,
) -> Restored:
    """Restore a backup into an empty database, or with ``replace`` into the place of the one that is there.

    BackupDamaged, MigrationUnknown where the backup is of another project or of a newer version, ConfigurationError
    where the database is not empty or of the other engine, RestoreFailed; the database is as it was.
    """
    manifest = read_manifest(path)
    _refuse_unknown(project, path, manifest)
    if isinstance(settings, SQLiteSettings):
        _refuse_engine(path, manifest, "sqlite")
        from diglot.ops.sqlite.backup import restore as restore_sqlite

        return Restored(manifest, restore_sqlite(path, manifest, settings, replace=replace, report=report))
    _refuse_engine(path, manifest, "postgres")
    from diglot.ops.postgres.backup import restore as restore_postgres

    with tempfile.TemporaryDirectory(prefix="diglot-") as scratch:
        kept = restore_postgres(path, manifest, settings, Path(scratch), replace=replace, report=report)
    return Restored(manifest, kept)


def verify_backup(path: Path, *, postgres_url: str | None = None, report: Report = silent) -> Manifest:
    """Restore a backup into a scratch database and compare it with its manifest, which is returned.

    A backup of PostgreSQL is restored into a new database on the server of ``postgres_url``, or on the embedded one of
    ``diglot[check]``. BackupDamaged, RestoreFailed, ConfigurationError where there is no server.
    """
    manifest = read_manifest(path)
    with tempfile.TemporaryDirectory(prefix="diglot-", dir=path.absolute().parent) as scratch:
        if manifest.dialect == "sqlite":
            from diglot.ops.sqlite.backup import verify as verify_sqlite

            verify_sqlite(path, manifest, Path(scratch), report)
        else:
            from diglot.ops.postgres.backup import verify as verify_postgres

            with postgres_server(postgres_url) as server, scratch_database(server) as store:
                there = msgspec.structs.replace(server, dbname=store.settings.dbname)  # type: ignore[attr-defined]
                verify_postgres(path, manifest, there, Path(scratch), report)
    return manifest


def _refuse_engine(path: Path, manifest: Manifest, dialect: str) -> None:
    if manifest.dialect != dialect:
        names = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
        raise ConfigurationError(
            f"{path} is a backup of {names[manifest.dialect]}, and the database is {names[dialect]}: restore it into "
            f"{names[manifest.dialect]}, then use 'diglot copy'"
        )


def _refuse_unknown(project: Project | None, path: Path, manifest: Manifest) -> None:
    if project is None or project.migrations is None:
        return
    known = set(project.migration_tree(manifest.dialect).ids)
    unknown = [one.id for one in manifest.migrations if one.id not in known]
    if unknown or (known and not manifest.migrations):
        what = f"has the migration {unknown[0]}, which this project has not" if unknown else "has no migrations"
        raise MigrationUnknown(f"{path} {what}: it is of another project, or of a newer version")
