"""Backups that can be verified: a manifest of the contents is part of the backup, and a restore compares with it.

diglot.ops.backup(settings, Path("app.backup"))
diglot.ops.backup_to_folder(settings, Path("backups"), keep=7)

The database is read in one snapshot, while others go on writing.
"""

from __future__ import annotations

import re
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from diglot.errors import BackupDamaged, BackupFailed, ConfigurationError
from diglot.ops.manifest import Manifest, append_manifest, read_manifest, sha256_of
from diglot.ops.private_files import give_name, room_for, sync, temporary_file
from diglot.ops.progress import Report, silent
from diglot.ops.settings import patient
from diglot.sql.session import Dialect
from diglot.stores import open_store
from diglot.stores.private_file import make_private_folder
from diglot.stores.settings import PostgresSettings, SQLiteSettings

Settings = SQLiteSettings | PostgresSettings
_NAME = re.compile(r"diglot-\d{8}T\d{6}Z(-\d+)?\.backup")
_MOST = 100
"""The most backups with the same second in their names."""


class BackupMade(msgspec.Struct, frozen=True):
    """A backup and what is in it. ``removed``: the older backups that it replaced."""

    path: Path
    manifest: Manifest
    removed: list[Path] = []


def backup(settings: Settings, path: Path, now: datetime, report: Report = silent) -> BackupMade:
    """Back up the database to a new file.

    Raises ConfigurationError if the file exists, DatabaseDamaged if the database is damaged, BackupFailed if pg_dump
    fails. Then no file is left behind.
    """
    if path.exists():
        raise ConfigurationError(f"{path} already exists: choose another name, or remove it")
    if not path.parent.is_dir():
        raise ConfigurationError(f"there is no folder {path.parent}: create it first")
    with room_for(path, BackupFailed), temporary_file(path) as file:
        manifest = _write(settings, file, now, report)
        give_name(file, path)
    return BackupMade(path, manifest)


def backup_to_folder(
    settings: Settings, folder: Path, now: datetime, *, keep: int, report: Report = silent
) -> BackupMade:
    """Back up the database to a new file in this folder, and keep the newest ``keep`` good backups.

    Older backups are removed only once the new one is written and checked. Files that are not good backups are neither
    counted nor removed.
    """
    if keep < 1:
        raise ConfigurationError("at least one backup must be kept")
    make_private_folder(folder)
    stem = f"diglot-{now:%Y%m%dT%H%M%SZ}"
    with room_for(folder, BackupFailed), temporary_file(folder / stem) as file:
        manifest = _write(settings, file, now, report)
        path = _give_free_name(file, folder, stem)
    good = [found for found in backups_in(folder) if _is_good(found)]
    removed = []
    for old in good[: max(0, len(good) - keep)]:
        if old != path:
            old.unlink(missing_ok=True)
            removed.append(old)
    sync(folder)
    return BackupMade(path, manifest, removed)


def backups_in(folder: Path) -> list[Path]:
    """The files in a folder that are named like a backup, oldest first."""
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def engine_of(dialect: Dialect) -> Any:
    """The module that backs up and restores on this engine."""
    return import_module(f"diglot.ops.{dialect}.backup")


def _write(settings: Settings, file: Path, now: datetime, report: Report) -> Manifest:
    with open_store(patient(settings)) as store:
        described: Manifest = engine_of(store.dialect).dump(store, file, now, report)
    size, digest = sha256_of(file)
    manifest = msgspec.structs.replace(described, size=size, sha256=digest)
    append_manifest(file, manifest)
    return manifest


def _give_free_name(file: Path, folder: Path, stem: str) -> Path:
    for number in range(1, _MOST):
        path = folder / (f"{stem}.backup" if number == 1 else f"{stem}-{number}.backup")
        try:
            give_name(file, path)
        except ConfigurationError:
            continue
        return path
    raise ConfigurationError(f"{folder} already has {_MOST} backups from this second: try again")


def _is_good(path: Path) -> bool:
    """Whether its manifest can be read; its data was checked when the backup was made."""
    try:
        read_manifest(path)
    except (BackupDamaged, OSError):
        return False
    return True
