"""A new migration is four files with questions, and never in the way of another."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from diglot.errors import MigrationError, MigrationTreeError
from diglot.migrate import MigrationTree, new_migration
from tests.migrate.trees import A, C, write_abc

# 09:05:07 in UTC
NOW = datetime(2026, 1, 31, 14, 50, 7, tzinfo=timezone(timedelta(hours=5, minutes=45)))
ID = "20260131090507_add_owner"


def test_four_files_are_written_that_ask_what_a_review_asks(tmp_path: Path) -> None:
    paths = new_migration(write_abc(tmp_path), "add_owner", NOW)
    assert [str(path.relative_to(tmp_path)) for path in paths] == [
        f"postgres/{ID}.sql",
        f"postgres/{ID}.rollback.sql",
        f"sqlite/{ID}.sql",
        f"sqlite/{ID}.rollback.sql",
    ]
    postgres, rollback, sqlite, _ = (path.read_text() for path in paths)
    for word in ("Expand, then contract", "locks", "default", "concurrently", "not valid", "same in both dialects"):
        assert word in postgres
    assert "strict" in sqlite
    assert "lost" in rollback


def test_a_new_migration_is_refused_until_it_is_written(tmp_path: Path) -> None:
    paths = new_migration(write_abc(tmp_path), "add_owner", NOW)
    with pytest.raises(MigrationTreeError, match=r"add_owner\.rollback\.sql: empty"):
        MigrationTree.read(tmp_path, "sqlite")
    for path in paths:
        path.write_text(path.read_text() + "select 1;\n")
    for dialect in ("postgres", "sqlite"):
        tree = MigrationTree.read(tmp_path, dialect)
        tree.check()
        assert tree.ids[-1] == ID


@pytest.mark.parametrize(
    "name", ["", "Add", "add-owner", "2nd", "add owner", "add__owner", "_a", "a_", "../a", "a" * 81, "é"]
)
def test_a_name_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="is not a valid name for a migration"):
        new_migration(write_abc(tmp_path), name, NOW)


def test_a_name_that_exists_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match=f"{A} has this name already"):
        new_migration(write_abc(tmp_path), "a", NOW)


def test_an_id_that_is_not_the_newest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match=f"{A} is not older than 2025"):
        new_migration(write_abc(tmp_path), "add_owner", NOW - timedelta(days=90))


def test_nothing_is_left_when_a_file_can_not_be_written(tmp_path: Path) -> None:
    write_abc(tmp_path)
    in_the_way = tmp_path / "sqlite" / f"{ID}.rollback.sql"
    in_the_way.mkdir()
    with pytest.raises(MigrationTreeError, match=f"{in_the_way} can't be written"):
        new_migration(tmp_path, "add_owner", NOW)
    assert MigrationTree.read(tmp_path, "postgres").ids[-1] == C
    assert in_the_way.is_dir()
