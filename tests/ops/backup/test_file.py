"""The file of a backup: what it is, and that every damaged one is refused."""

from __future__ import annotations

import hashlib
import random
import sqlite3
import struct
from pathlib import Path

import msgspec
import pytest

from diglot.errors import BackupDamaged, ConfigurationError, MigrationUnknown
from diglot.ops import private_files
from diglot.ops.backup import backup
from diglot.ops.restore import restore, verify_backup
from diglot.project import Project
from diglot.stores.url import parse_url
from tests.ops.awkward import fill
from tests.ops.backup.databases import COUNT, NOW, change, contents


@pytest.mark.sqlite
def test_a_backup_of_sqlite_is_a_database(project: Project, tmp_path: Path) -> None:
    fill(f"sqlite:///{tmp_path}/app.db", project)
    path = backup(parse_url(f"sqlite:///{tmp_path}/app.db"), tmp_path / "app.backup", NOW).path
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    assert connection.execute(COUNT).fetchone() == (30,)
    connection.close()
    assert not list(tmp_path.glob("app.backup-*"))
    verify_backup(path)


def test_refuses_a_name_that_is_taken(filled: str, tmp_path: Path) -> None:
    (tmp_path / "app.backup").write_text("mine")
    with pytest.raises(ConfigurationError, match="already exists"):
        backup(parse_url(filled), tmp_path / "app.backup", NOW)
    assert (tmp_path / "app.backup").read_text() == "mine"


def damaged(data: bytes, number: int) -> bytes:
    """A variant of the file: cut, with a bit flipped, with bytes zeroed, swapped or added."""
    chance = random.Random(number)
    place = chance.randrange(len(data)) if number % 3 else len(data) - 1 - chance.randrange(min(600, len(data)))
    match number % 5:
        case 0:
            return data[:place]
        case 1 | 2:
            return data[:place] + bytes([data[place] ^ (1 << chance.randrange(8))]) + data[place + 1 :]
        case 3:
            zeroed = bytes(min(100, len(data) - place))
            other = data[:place] + zeroed + data[place + len(zeroed) :]
            return other if other != data else data[:-1]
        case _:
            return data[:place] + b"x" + data[place:]


def test_every_damaged_backup_is_refused_and_none_restored(filled: str, project: Project, tmp_path: Path) -> None:
    path = backup(parse_url(filled), tmp_path / "app.backup", NOW).path
    before = contents(filled)
    data = path.read_bytes()
    victim = tmp_path / "damaged.backup"
    for number in range(60):
        victim.write_bytes(damaged(data, number))
        with pytest.raises(BackupDamaged):
            restore(project, victim, parse_url(filled), replace=True)
    assert contents(filled) == before
    restore(project, path, parse_url(filled), replace=True)


def test_data_and_manifest_of_two_backups_do_not_fit(filled: str, project: Project, tmp_path: Path) -> None:
    one = backup(parse_url(filled), tmp_path / "one.backup", NOW)
    change(filled)
    other = backup(parse_url(filled), tmp_path / "other.backup", NOW)
    mixed = tmp_path / "mixed.backup"
    mixed.write_bytes(one.path.read_bytes()[: one.manifest.size] + other.path.read_bytes()[other.manifest.size :])
    with pytest.raises(BackupDamaged):
        restore(project, mixed, parse_url(filled), replace=True)


def test_refuses_what_is_no_backup(filled: str, project: Project, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello " * 100)
    with pytest.raises(BackupDamaged, match="is not a Diglot backup"):
        restore(project, tmp_path / "text", parse_url(filled), replace=True)
    with pytest.raises(FileNotFoundError):
        restore(project, tmp_path / "missing", parse_url(filled), replace=True)


def test_refuses_a_backup_of_the_other_engine_or_of_another_project(
    filled: str, project: Project, tmp_path: Path
) -> None:
    path = backup(parse_url(filled), tmp_path / "app.backup", NOW).path
    other = "postgresql://localhost/none" if filled.startswith("sqlite") else f"sqlite:///{tmp_path}/none.db"
    with pytest.raises(ConfigurationError, match="is a backup of"):
        restore(project, path, parse_url(other), replace=True)
    assert project.migrations is not None
    for dialect in ("sqlite", "postgres"):
        for file in (project.migrations / dialect).glob("2026*"):
            file.rename(file.with_name(file.name.replace("first", "second")))
    with pytest.raises(MigrationUnknown, match="has the migration 20260101000000_first, which this project lacks"):
        restore(project, path, parse_url(filled), replace=True)


def with_manifest(path: Path, **changes: object) -> None:
    """Write other values into the manifest of a backup, as another version of Diglot would."""
    data = path.read_bytes()
    mark, length, _ = struct.unpack(">8sQ32s", data[-48:])
    manifest = msgspec.json.decode(data[-48 - length : -48])
    text = msgspec.json.encode({**manifest, **changes})
    path.write_bytes(
        data[: -48 - length] + text + struct.pack(">8sQ32s", mark, len(text), hashlib.sha256(text).digest())
    )


def test_refuses_the_form_of_a_newer_version(filled: str, project: Project, tmp_path: Path) -> None:
    path = backup(parse_url(filled), tmp_path / "app.backup", NOW).path
    before = contents(filled)
    with_manifest(path, format=2)
    with pytest.raises(BackupDamaged, match=r"has the format 2 of a newer Diglot: this version reads up to 1"):
        restore(project, path, parse_url(filled), replace=True)
    assert contents(filled) == before


@pytest.mark.parametrize("what", ["rows", "hash", "table", "migrations"])
def test_what_is_restored_is_compared_with_the_manifest(
    what: str, filled: str, project: Project, tmp_path: Path
) -> None:
    made = backup(parse_url(filled), tmp_path / "app.backup", NOW)
    before = contents(filled)
    tables = {name: {"rows": one.rows, "hash": one.hash} for name, one in made.manifest.tables.items()}
    match what:
        case "rows":
            tables["players"]["rows"] = 31
        case "hash":
            tables["players"]["hash"] = "0" * 32
        case "table":
            tables["more"] = tables["players"]
    migrations = [{"id": one.id, "sha256": one.sha256} for one in made.manifest.migrations]
    if what == "migrations":
        migrations[0]["sha256"] = None
    with_manifest(made.path, tables=tables, migrations=migrations)
    with pytest.raises(BackupDamaged, match=r"is damaged: (the table (players|more)|its schema)"):
        restore(project, made.path, parse_url(filled), replace=True)
    assert contents(filled) == before


def test_refuses_a_backup_of_a_project_whose_migration_has_the_same_name(
    filled: str, project: Project, tmp_path: Path
) -> None:
    path = backup(parse_url(filled), tmp_path / "app.backup", NOW).path
    assert project.migrations is not None
    for file in project.migrations.glob("*/20260101000000_first.sql"):
        file.write_text("create table others (id bigint primary key);\n")
    with pytest.raises(MigrationUnknown, match="has another 20260101000000_first than this project"):
        restore(project, path, parse_url(filled), replace=True)


@pytest.mark.sqlite
def test_a_file_system_without_hard_links(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(f"sqlite:///{tmp_path}/app.db", project)

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(private_files.os, "link", refuse)
    path = backup(parse_url(f"sqlite:///{tmp_path}/app.db"), tmp_path / "app.backup", NOW).path
    verify_backup(path)
    assert not list(tmp_path.glob(".diglot-*"))
    with pytest.raises(ConfigurationError, match="already exists"):
        private_files.give_name(path, path)
