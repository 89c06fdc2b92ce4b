"""What is in a backup, written at the end of its file: the two can't be separated.

The file is in the database's own format (a SQLite database or a pg_dump archive), followed by the manifest as JSON and
by 48 bytes: a mark, the manifest's length and its SHA-256. sqlite3 and pg_restore read such a file as it is: they
ignore what follows their own data.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from diglot._version import __version__
from diglot.errors import BackupDamaged
from diglot.ops.content import Content
from diglot.sql.session import Dialect

FORMAT = 1
_MARK = b"diglot\x00\x01"
_END = struct.Struct(">8sQ32s")
_LARGEST = 64 * 1024 * 1024
_BLOCK = 1024 * 1024


class AppliedMigration(msgspec.Struct, frozen=True):
    """A migration that the database had. ``sha256`` is that of its file; None if it was not recorded."""

    id: str
    sha256: str | None


class LastNumber(msgspec.Struct, frozen=True):
    """The last number assigned in a numbered column."""

    table: str
    column: str
    last: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """``form``: the format of the data; ``rows`` is an export, and only that has ``last_numbers``.

    ``size`` and ``sha256`` are the data's, ``tables`` the content of each table.
    """

    format: int = FORMAT
    created_at: datetime
    dialect: Dialect
    form: Literal["sqlite", "pg_dump", "rows"]
    engine: str
    diglot: str = __version__
    schema: str | None = None
    migrations: list[AppliedMigration]
    tables: dict[str, Content]
    last_numbers: list[LastNumber] = []
    size: int
    sha256: str

    @property
    def rows(self) -> int:
        return sum(content.rows for content in self.tables.values())


def compare(path: Path, manifest: Manifest, migrations: list[AppliedMigration], tables: dict[str, Content]) -> None:
    """Raises BackupDamaged if the restored data does not match the manifest."""
    if migrations != manifest.migrations:
        raise BackupDamaged(f"{path} is damaged: its schema is not the version in its manifest")
    for name in sorted({*tables, *manifest.tables}):
        if tables.get(name) != manifest.tables.get(name):
            raise BackupDamaged(f"{path} is damaged: the table {name} does not match its manifest")


def append_manifest(path: Path, manifest: Manifest) -> None:
    """Append it to the data, and sync the file to the disk."""
    text = msgspec.json.encode(manifest)
    with path.open("ab") as file:
        if file.tell() != manifest.size:
            raise BackupDamaged(f"{path} was changed while it was being written")
        file.write(text + _END.pack(_MARK, len(text), hashlib.sha256(text).digest()))
        file.flush()
        os.fsync(file.fileno())


def read_manifest(path: Path) -> Manifest:
    """The manifest of a backup; its data is not read. Raises BackupDamaged, OSError."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size < _END.size:
            raise BackupDamaged(f"{path} is not a Diglot backup, or its end is missing")
        file.seek(size - _END.size)
        mark, length, digest = _END.unpack(file.read(_END.size))
        if mark != _MARK or length > min(size - _END.size, _LARGEST):
            raise BackupDamaged(f"{path} is not a Diglot backup, or its end is missing")
        file.seek(size - _END.size - length)
        text = file.read(length)
    if hashlib.sha256(text).digest() != digest:
        raise BackupDamaged(f"{path} is damaged: its manifest is not as it was written")
    manifest = _decode(path, text)
    found = size - _END.size - length
    if manifest.size != found:
        raise BackupDamaged(f"{path} is damaged: its data has {found:,} bytes, not {manifest.size:,}")
    return manifest


def _decode(path: Path, text: bytes) -> Manifest:
    try:
        version = msgspec.json.decode(text, type=_Version).format
        if version > FORMAT:
            raise BackupDamaged(f"{path} has the format {version} of a newer Diglot: this version reads up to {FORMAT}")
        return msgspec.json.decode(text, type=Manifest)
    except msgspec.MsgspecError as error:
        raise BackupDamaged(f"{path} has a manifest that this version can't read: {error}") from error


class _Version(msgspec.Struct):
    format: int


def copy_data(path: Path, manifest: Manifest, target: BinaryIO, report: Callable[[int], None]) -> None:
    """Copy the backup's data to another file. Raises BackupDamaged if it does not match the manifest."""
    digest = hashlib.sha256()
    left = manifest.size
    with path.open("rb") as file:
        while left:
            block = file.read(min(_BLOCK, left))
            if not block:
                raise BackupDamaged(f"{path} was truncated while it was being read")
            digest.update(block)
            target.write(block)
            left -= len(block)
            report(manifest.size - left)
    if digest.hexdigest() != manifest.sha256:
        raise BackupDamaged(f"{path} is damaged: its data is not as it was written")


def sha256_of(path: Path) -> tuple[int, str]:
    """The size and the SHA-256 of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return file.tell(), digest.hexdigest()
