"""A backup can be restored, or says why not; a restore leaves the old database or the new one."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from diglot.errors import (
    BackupDamaged,
    ConfigurationError,
    DatabaseDamaged,
    DatabaseUnavailable,
    MigrationUnknown,
)
from diglot.ops.backup import backup, backup_to_folder, backups_in
from diglot.ops.content import all_fields, read_content
from diglot.ops.restore import restore, verify_backup
from diglot.project import Project
from diglot.schema.read import read_within
from diglot.stores import open_store
from diglot.stores.session import Statement
from diglot.stores.url import parse_url
from tests.cli.running import diglot
from tests.databases import POSTGRES, Databases
from tests.ops.awkward import fill, rows_of

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
COUNT = "select count(*) from players"


@pytest.fixture(
    params=[
        pytest.param("sqlite", marks=pytest.mark.sqlite),
        *(pytest.param(name, marks=pytest.mark.postgres) for name in POSTGRES),
    ]
)
def url(request: pytest.FixtureRequest, tmp_path: Path, databases: Databases) -> Any:
    """The URL of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/app.db"
        return
    server = databases.postgres(request.param)
    name = server.create(migrated=False)
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def filled(url: str, project: Project) -> str:
    fill(url, project)
    return url


def contents(url: str) -> Any:
    with open_store(parse_url(url)) as store, store.snapshot() as snapshot:
        return read_content(snapshot, all_fields(read_within(snapshot, store.location)))


def change(url: str) -> None:
    with open_store(parse_url(url)) as store, store.transaction() as tx:
        tx.count(Statement("test.change", "delete from values_of_all_types where words = 'two'", writes=True))


def server_of(url: str) -> str | None:
    return None if url.startswith("sqlite") else url


# --- there and back ----------------------------------------------------------------------------------------


def test_a_backup_brings_back_what_was_there(filled: str, project: Project, tmp_path: Path) -> None:
    before = contents(filled)
    made = backup(parse_url(filled), tmp_path / "app.backup", NOW)
    assert made.manifest.tables == before
    assert made.path.stat().st_mode & 0o777 == 0o600
    change(filled)
    done = restore(project, made.path, parse_url(filled), replace=True)
    assert contents(filled) == before
    assert done.kept is not None
    with project.open(filled) as db:
        assert db.migrator().pending() == []
        assert db.health().ok


def test_the_old_database_is_kept(filled: str, project: Project, tmp_path: Path) -> None:
    made = backup(parse_url(filled), tmp_path / "app.backup", NOW)
    change(filled)
    changed = contents(filled)
    kept = restore(project, made.path, parse_url(filled), replace=True).kept
    assert kept is not None
    if filled.startswith("sqlite"):
        assert contents(f"sqlite:///{kept}") == changed
        assert Path(kept).stat().st_nlink == 1
    else:
        assert rows_of(filled, f'select count(*) from "{kept}".values_of_all_types') == [
            (changed["values_of_all_types"].rows,)
        ]


def test_restores_into_an_empty_database_and_refuses_another(
    filled: str, url: str, project: Project, tmp_path: Path, databases: Databases
) -> None:
    made = backup(parse_url(filled), tmp_path / "app.backup", NOW)
    before = contents(filled)
    with pytest.raises(ConfigurationError, match=r"is not empty.*--replace"):
        restore(project, made.path, parse_url(filled))
    assert contents(filled) == before
    if url.startswith("sqlite"):
        target = f"sqlite:///{tmp_path}/new/other.db"
        assert restore(project, made.path, parse_url(target)).kept is None
        assert contents(target) == before
    else:
        server = databases.postgres(POSTGRES[-1])
        name = server.create(migrated=False)
        assert restore(project, made.path, parse_url(server.url(name))).kept is None
        assert contents(server.url(name)) == before
        server.drop(name)


def test_verify_restores_and_compares(filled: str, tmp_path: Path) -> None:
    made = backup(parse_url(filled), tmp_path / "app.backup", NOW)
    assert verify_backup(made.path, postgres_url=server_of(filled)) == made.manifest
    assert sorted(path.name for path in tmp_path.glob("*diglot*")) == []


def test_is_one_state_while_others_write(filled: str, project: Project, tmp_path: Path) -> None:
    stop = threading.Event()
    with project.open(filled) as db:

        def write() -> None:
            while not stop.is_set():
                with db.transaction() as tx:
                    tx.count(Statement("t", "update players set changes = changes - 1 where id = 'p20'", writes=True))
                    tx.count(Statement("t", "update players set changes = changes + 1 where id = 'p9'", writes=True))
                with db.transaction() as tx:
                    tx.count(Statement("t", "update players set changes = changes + 1 where id = 'p20'", writes=True))
                    tx.count(Statement("t", "update players set changes = changes - 1 where id = 'p9'", writes=True))

        writer = threading.Thread(target=write)
        writer.start()
        try:
            made = [backup(parse_url(filled), tmp_path / f"{n}.backup", NOW).path for n in range(3)]
        finally:
            stop.set()
            writer.join()
    for path in made:
        restore(project, path, parse_url(filled), replace=True)
        assert rows_of(filled, "select sum(changes) from players")[0][0] == sum(range(30))


# --- the file ----------------------------------------------------------------------------------------------


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
    with pytest.raises(ConfigurationError, match="exists already"):
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
    with pytest.raises(BackupDamaged, match="is no backup of Diglot"):
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
    with pytest.raises(MigrationUnknown, match="has the migration 20260101000000_first, which this project has not"):
        restore(project, path, parse_url(filled), replace=True)


# --- rotation ----------------------------------------------------------------------------------------------


def test_keeps_the_newest_good_ones_and_leaves_other_files_alone(filled: str, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    made = [backup_to_folder(parse_url(filled), folder, NOW + timedelta(seconds=number), keep=2) for number in range(4)]
    (folder / "notes.txt").write_text("mine")
    assert [path.name for path in backups_in(folder)] == [one.path.name for one in made[2:]]
    made[3].path.write_bytes(made[3].path.read_bytes()[:-1])
    last = backup_to_folder(parse_url(filled), folder, NOW + timedelta(seconds=9), keep=1)
    assert last.removed == [made[2].path]
    assert made[3].path.exists(), "a damaged one is not counted and not removed"
    assert (folder / "notes.txt").exists()


def test_two_backups_of_one_second_have_two_names(filled: str, tmp_path: Path) -> None:
    names = {backup_to_folder(parse_url(filled), tmp_path / "backups", NOW, keep=5).path.name for _ in range(3)}
    assert len(names) == 3


@pytest.mark.sqlite
def test_a_damaged_database_does_not_replace_a_good_backup(project: Project, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/app.db"
    fill(url, project)
    good = backup_to_folder(parse_url(url), tmp_path / "backups", NOW, keep=1).path
    (page,) = rows_of(url, "select rootpage from sqlite_schema where name = 'players'")[0]
    with (tmp_path / "app.db").open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 3000)
    with pytest.raises(DatabaseDamaged):
        backup_to_folder(parse_url(url), tmp_path / "backups", NOW + timedelta(days=1), keep=1)
    assert list((tmp_path / "backups").iterdir()) == [good]
    restore(project, good, parse_url(url), replace=True)
    assert rows_of(url, COUNT) == [(30,)]


# --- interrupted, full, in use -----------------------------------------------------------------------------

PROGRAM = """\
import sys
from datetime import datetime, UTC
from pathlib import Path
from diglot.ops.backup import backup_to_folder
from diglot.ops.restore import restore
from diglot.project import Project
from diglot.stores.url import parse_url
project = Project.find(sys.argv[1])
settings = parse_url(sys.argv[2])
print("ready", flush=True)
while True:
    if sys.argv[3] == "backup":
        backup_to_folder(settings, Path(sys.argv[4]), datetime.now(UTC), keep=2)
    else:
        restore(project, Path(sys.argv[4]), settings, replace=True)
"""


def killed_after(seconds: float, *arguments: str) -> None:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_a_killed_restore_leaves_the_old_database_or_the_new_one(filled: str, project: Project, tmp_path: Path) -> None:
    path = backup(parse_url(filled), tmp_path / "app.backup", NOW).path
    new = contents(filled)
    change(filled)
    old = contents(filled)
    for _ in range(4):
        killed_after(random.uniform(0.02, 0.6), str(project.file), filled, "restore", str(path))
        assert contents(filled) in (old, new)
    restore(project, path, parse_url(filled), replace=True)
    assert contents(filled) == new


def test_a_killed_backup_leaves_only_good_ones(filled: str, project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    for _ in range(3):
        killed_after(random.uniform(0.02, 0.8), str(project.file), filled, "backup", str(folder))
    backup_to_folder(parse_url(filled), folder, NOW, keep=9)
    for path in backups_in(folder):
        verify_backup(path, postgres_url=server_of(filled))


def test_a_full_disk_leaves_nothing(filled: str, project: Project, tmp_path: Path) -> None:
    """A limit on the size of files stands in for a disk that is full."""
    folder = tmp_path / "backups"
    limit = 100_000 if filled.startswith("sqlite") else 2_000
    program = PROGRAM.replace(
        "print(", f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit},) * 2)\nprint("
    ).replace("while True:", "for _ in range(1):")
    done = subprocess.run(
        [sys.executable, "-c", program, str(project.file), filled, "backup", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert any(name in done.stderr for name in ("DatabaseFull", "BackupFailed", "File too large")), done.stderr
    assert backups_in(folder) == []
    if filled.startswith("sqlite"):
        assert list(folder.iterdir()) == []


@pytest.mark.sqlite
def test_a_log_without_its_database_is_not_read_into_the_restored_one(project: Project, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/app.db"
    fill(url, project)
    path = backup(parse_url(url), tmp_path / "app.backup", NOW).path
    before = contents(url)
    with open_store(parse_url(url)) as store:
        store.count(Statement("t", "delete from values_of_all_types", writes=True))
        log = (tmp_path / "app.db-wal").read_bytes()
    assert log
    (tmp_path / "app.db").unlink()
    (tmp_path / "app.db-wal").write_bytes(log)
    (tmp_path / "app.db-wal").chmod(0o600)
    kept = restore(project, path, parse_url(url)).kept
    assert contents(url) == before
    assert kept is not None
    assert Path(f"{kept}-wal").read_bytes() == log


@pytest.mark.sqlite
def test_refuses_to_replace_a_file_that_another_process_has_open(project: Project, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/app.db"
    fill(url, project)
    path = backup(parse_url(url), tmp_path / "app.backup", NOW).path
    program = (
        "import sys\nfrom diglot.project import Project\n"
        "with Project.find(sys.argv[1]).open(sys.argv[2]) as db:\n    print('open', flush=True)\n    sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(project.file), url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        with pytest.raises(DatabaseUnavailable, match="is open in another process: stop it, then restore"):
            restore(project, path, parse_url(url), replace=True)
        assert rows_of(url, COUNT) == [(30,)]
    finally:
        process.communicate()
    restore(project, path, parse_url(url), replace=True)


# --- the commands ------------------------------------------------------------------------------------------


def test_the_commands(filled: str, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.folder)
    path = str(tmp_path / "app.backup")
    made = diglot("backup", path, "--database-url", filled)
    assert (made.code, made.err) == (0, "")
    assert "38 rows in 3 tables" in made.out
    again = diglot("backup", path, "--database-url", filled)
    assert (again.code, again.err.count("\n")) == (2, 1)
    checked = diglot("backup", "verify", path, *(["--postgres-url", filled] if server_of(filled) else []))
    assert checked.code == 0
    assert "good: 38 rows" in checked.out
    refused = diglot("restore", path, "--database-url", filled)
    assert refused.code == 2
    assert "is not empty" in refused.err
    asked = diglot("restore", path, "--replace", "--database-url", filled)
    assert asked.code == 1
    assert "confirm it with --yes" in asked.err
    done = diglot("restore", path, "--replace", "--yes", "--database-url", filled, "--format", "json")
    assert done.json["manifest"]["tables"]["players"]["rows"] == 30
    kept = diglot("backup", "--keep", "2", str(tmp_path / "folder"), "--database-url", filled)
    assert kept.code == 0
    missing = diglot("backup", "verify", str(tmp_path / "none"))
    assert (missing.code, missing.err.count("\n")) == (1, 1)
