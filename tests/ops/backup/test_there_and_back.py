"""A restore brings back what was there when the backup was made, and keeps what it replaces."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from diglot.errors import ConfigurationError
from diglot.ops.backup import backup
from diglot.ops.restore import restore, verify_backup
from diglot.project import Project
from diglot.sql.session import Statement
from diglot.stores.url import parse_url
from tests.databases import POSTGRES, Databases
from tests.ops.awkward import rows_of
from tests.ops.backup.databases import NOW, change, contents, server_of


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


def test_two_restores_at_once(filled: str, project: Project, tmp_path: Path) -> None:
    made = backup(parse_url(filled), tmp_path / "app.backup", NOW)
    change(filled)
    with ThreadPoolExecutor(2) as threads:
        done = list(threads.map(lambda _: restore(project, made.path, parse_url(filled), replace=True), range(2)))
    assert contents(filled) == made.manifest.tables
    assert len({one.kept for one in done}) == 2
