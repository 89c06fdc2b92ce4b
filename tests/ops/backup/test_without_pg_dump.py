"""Where there is no pg_dump, the backup has only the rows, and the migrations create the schema."""

from __future__ import annotations

from pathlib import Path

import pytest

from diglot.errors import BackupFailed, MigrationUnknown, RestoreFailed
from diglot.ops import restore as restoring
from diglot.ops.backup import backup
from diglot.ops.postgres import programs
from diglot.ops.postgres.archive import count_rows
from diglot.ops.restore import restore, verify_backup
from diglot.project import Project
from diglot.stores.url import parse_url
from tests.cli.running import diglot
from tests.ops.awkward import fill, rows_of
from tests.ops.backup.databases import NOW, change, contents


@pytest.fixture
def without_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_folders", lambda: iter(()))


@pytest.fixture
def server(postgres_url: str, project: Project) -> str:
    fill(postgres_url, project)
    return postgres_url


@pytest.mark.usefixtures("without_programs")
def test_there_and_back(server: str, project: Project, tmp_path: Path) -> None:
    before = contents(server)
    made = backup(parse_url(server), tmp_path / "app.backup", NOW)
    assert (made.manifest.form, made.manifest.tables) == ("rows", before)
    assert verify_backup(made.path, project=project, postgres_url=server) == made.manifest
    change(server)
    changed = contents(server)
    kept = restore(project, made.path, parse_url(server), replace=True).kept
    assert contents(server) == before != changed
    count = f'select count(*) from "{kept}".values_of_all_types'
    assert rows_of(server, count) == [(changed["values_of_all_types"].rows,)]
    with project.open(server) as db:
        assert db.migrator().pending() == []
    (number,) = rows_of(server, "select nextval('values_of_all_types_id_seq')")[0]
    assert number == 1001, "a number that was given once is not given again"
    rules = "select count(*) from pg_constraint where conrelid in ('players'::regclass, 'teams'::regclass)"
    assert rows_of(server, rules)[0][0] >= 6


@pytest.mark.usefixtures("without_programs")
def test_needs_the_migrations_as_they_were(server: str, project: Project, tmp_path: Path) -> None:
    before = contents(server)
    path = backup(parse_url(server), tmp_path / "app.backup", NOW).path
    with pytest.raises(RestoreFailed, match="its project's migrations must create the schema"):
        restore(None, path, parse_url(server), replace=True)
    assert project.migrations is not None
    file = project.migrations / "postgres" / "20260101000000_first.sql"
    text = file.read_text()
    file.write_text(text + "-- another\n")
    with pytest.raises(MigrationUnknown, match="has another"):
        restore(project, path, parse_url(server), replace=True)
    file.write_text(text)
    assert contents(server) == before
    restore(project, path, parse_url(server), replace=True)


@pytest.mark.usefixtures("without_programs")
def test_the_command_says_so_in_one_line(
    server: str, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.folder)
    done = diglot("backup", str(tmp_path / "app.backup"), "--database-url", server)
    assert done.code == 0
    assert done.err.count("\n") == 1
    assert "there is no pg_dump for this server" in done.err


@pytest.mark.usefixtures("without_programs")
def test_a_database_without_migrations_has_no_backup(postgres_url: str, tmp_path: Path) -> None:
    rows_of(postgres_url, "create table t (a integer)")
    with pytest.raises(BackupFailed, match="there is no pg_dump for PostgreSQL"):
        backup(parse_url(postgres_url), tmp_path / "app.backup", NOW)
    assert list(tmp_path.glob("*")) == []


def test_an_archive_that_restores_needs_pg_restore(
    server: str, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = backup(parse_url(server), tmp_path / "app.backup", NOW).path
    monkeypatch.setattr(programs, "_folders", lambda: iter(()))
    with pytest.raises(RestoreFailed, match="pg_restore is not installed"):
        restore(project, path, parse_url(server), replace=True)


def test_an_archive_is_counted_to_its_end(server: str, tmp_path: Path) -> None:
    made = backup(parse_url(server), tmp_path / "app.backup", NOW)
    archive = tmp_path / "archive"
    archive.write_bytes(made.path.read_bytes()[: made.manifest.size])
    newest = programs.for_restoring()
    assert newest is not None
    found = count_rows(newest, archive, lambda _: None)
    assert {name: found[name] for name in made.manifest.tables} == {
        name: content.rows for name, content in made.manifest.tables.items()
    }
    archive.write_bytes(archive.read_bytes()[:-1000])
    with pytest.raises(BackupFailed, match="pg_restore failed"):
        count_rows(newest, archive, lambda _: None)


def test_is_verified_on_the_configured_server_where_no_other_is_there(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = backup(parse_url(server), tmp_path / "app.backup", NOW)
    monkeypatch.setattr(restoring, "is_installed", lambda: False)
    databases = rows_of(server, "select datname from pg_database where datname like 'diglot_check%'")
    assert verify_backup(made.path, settings=parse_url(server)) == made.manifest
    assert rows_of(server, "select datname from pg_database where datname like 'diglot_check%'") == databases
