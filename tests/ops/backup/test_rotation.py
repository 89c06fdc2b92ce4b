"""``--keep``: the newest good ones stay."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from diglot.errors import DatabaseDamaged
from diglot.ops.backup import backup_to_folder, backups_in
from diglot.ops.restore import restore, verify_backup
from diglot.project import Project
from diglot.stores.url import parse_url
from tests.ops.awkward import fill, rows_of
from tests.ops.backup.databases import COUNT, NOW, server_of


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


def test_a_backup_that_a_wrong_clock_dates_before_the_others_stays(filled: str, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    before = backup_to_folder(parse_url(filled), folder, NOW, keep=1)
    made = backup_to_folder(parse_url(filled), folder, NOW - timedelta(days=1), keep=1)
    assert backups_in(folder) == [made.path, before.path]


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


def test_two_at_once(filled: str, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    with ThreadPoolExecutor(2) as threads:
        made = list(
            threads.map(
                lambda number: backup_to_folder(parse_url(filled), folder, NOW + timedelta(seconds=number), keep=2),
                range(6),
            )
        )
    left = backups_in(folder)
    assert {one.path for one in made} >= set(left)
    assert 2 <= len(left) <= 3, "the last to end keeps two; another may have ended before it"
    assert made[-1].path in left
    verify_backup(left[-1], postgres_url=server_of(filled))
    assert not list(folder.glob(".diglot-*"))


@pytest.mark.sqlite
def test_an_index_that_lacks_a_row_is_damage(project: Project, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/app.db"
    fill(url, project)
    good = backup_to_folder(parse_url(url), tmp_path / "backups", NOW, keep=1).path
    # The row is written while the schema does not know the index.
    connection = sqlite3.connect(tmp_path / "app.db", isolation_level=None)
    name = "ix_values_of_all_types_whole"
    row = connection.execute("select * from sqlite_schema where name = ?", (name,)).fetchone()
    connection.execute("pragma writable_schema = on")
    connection.execute("delete from sqlite_schema where name = ?", (name,))
    connection.execute("pragma writable_schema = reset")
    connection.execute("insert into values_of_all_types (words) values ('not in the index')")
    connection.execute("pragma writable_schema = on")
    connection.execute("insert into sqlite_schema values (?, ?, ?, ?, ?)", row)
    connection.close()
    with pytest.raises(DatabaseDamaged, match="index ix_values_of_all_types_whole"):
        backup_to_folder(parse_url(url), tmp_path / "backups", NOW + timedelta(days=1), keep=1)
    assert list((tmp_path / "backups").iterdir()) == [good]
