"""A tree of files is complete, paired and well named, or it is refused with the file that is not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from diglot.errors import MigrationError, MigrationTreeError
from diglot.migrate import MigrationTree, check_pairs
from diglot.sql.session import DIALECTS, Dialect
from diglot.statestore.project import TREES
from tests.migrate.trees import A, B, C, write, write_abc


def test_migrations_are_in_the_order_of_their_ids(tmp_path: Path) -> None:
    for id in (C, A, B):
        write(tmp_path, id)
    tree = MigrationTree.read(tmp_path, "sqlite")
    assert tree.ids == [A, B, C] == [migration.id for migration in tree]
    assert tree.get(B).file == str(tmp_path / "sqlite" / f"{B}.sql")


def test_checksums_are_of_the_content_with_lf(tmp_path: Path) -> None:
    write(tmp_path, A, up="select 1;\nselect 2;\n")
    migration = MigrationTree.read(tmp_path, "sqlite").get(A)
    assert migration.sha256 == hashlib.sha256(b"select 1;\nselect 2;\n").hexdigest()
    (tmp_path / "sqlite" / f"{A}.sql").write_bytes("\ufeffselect 1;\r\nselect 2;\r\n".encode())
    again = MigrationTree.read(tmp_path, "sqlite").get(A)
    assert (again.sha256, again.text) == (migration.sha256, migration.text)


def test_packaged_trees_are_complete_and_pair() -> None:
    postgres, sqlite = TREES.migration_tree("postgres"), TREES.migration_tree("sqlite")
    postgres.check()
    sqlite.check()
    check_pairs(postgres, sqlite)
    assert sqlite.ids[:4] == [
        "20250603124835_create_workflow_states",
        "20250603124915_create_task_states",
        "20250711163857_create_users",
        "20250711163858_create_api_keys",
    ]


def test_a_tree_of_one_dialect_is_enough(tmp_path: Path) -> None:
    write_abc(tmp_path)
    for path in (tmp_path / "postgres").iterdir():
        path.unlink()
    (tmp_path / "postgres").rmdir()
    assert MigrationTree.read(tmp_path, "sqlite").ids == [A, B, C]


def _add(name: str, content: bytes = b"select 1;") -> Callable[[Path], None]:
    def add(folder: Path) -> None:
        (folder / "sqlite" / name).write_bytes(content)

    return add


def _remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "no rollback file": (_remove(f"sqlite/{A}.rollback.sql"), f"{A}.sql: there is no {A}.rollback.sql"),
    "rollback alone": (_remove(f"sqlite/{A}.sql"), f"{A}.rollback.sql: there is no {A}.sql"),
    "name without time": (_add("add_users.sql"), "name it YYYYMMDDhhmmss"),
    "no such time": (_add("20261301000000_x.sql"), "name it YYYYMMDDhhmmss"),
    "capital letters": (_add("20260101000000_Users.sql"), "name it YYYYMMDDhhmmss"),
    "capital ending": (_add("20260101000000_x.SQL"), r"x\.SQL: nothing reads it"),
    "Python": (_add("20260105000000_x.py"), "migrations in Python are not supported"),
    "not UTF-8": (_add(f"{A}.sql", b"select '\xe4';"), r"not UTF-8 \(at line 1, column 9\)"),
    "NUL": (_add(f"{A}.sql", b"select '\x00';"), "NUL"),
    "empty rollback": (_add(f"{A}.rollback.sql", b"-- drop it\n"), "empty: undo the migration"),
    "reason and statements": (
        _add(f"{A}.rollback.sql", b"-- rollback: nothing because x\ndrop table a;"),
        "but it has statements",
    ),
    "transactional: false on SQLite": (_add(f"{A}.sql", b"-- transactional: false\nvacuum;"), "has no effect"),
    "unknown dependency": (_add(f"{B}.sql", b"-- depends: 20260101000000_z\nselect 1;"), "not an earlier migration"),
    "dependency on a newer one": (_add(f"{A}.sql", f"-- depends: {B}\nselect 1;".encode()), "not an earlier migration"),
    "misspelt key": (_add(f"{A}.sql", b"-- dependz: x\nselect 1;"), f"{A}.sql:1: unknown key 'dependz:'"),
}


@pytest.mark.parametrize(("damage", "problem"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_tree_is_refused(damage: Callable[[Path], None], problem: str, tmp_path: Path) -> None:
    write_abc(tmp_path)
    damage(tmp_path)
    with pytest.raises(MigrationTreeError, match=problem):
        MigrationTree.read(tmp_path, "sqlite")


def test_files_that_are_no_migrations_are_left_alone(tmp_path: Path) -> None:
    write_abc(tmp_path)
    for name in ("README.md", "__init__.py", ".DS_Store"):
        _add(name)(tmp_path)
    (tmp_path / "sqlite" / "__pycache__").mkdir()
    assert len(MigrationTree.read(tmp_path, "sqlite").migrations) == 3


@pytest.mark.parametrize("dialect", DIALECTS)
def test_both_dialects_have_the_same_migrations(dialect: Dialect, tmp_path: Path) -> None:
    write_abc(tmp_path)
    for suffix in (".sql", ".rollback.sql"):
        (tmp_path / "postgres" / f"{B}{suffix}").unlink()
    with pytest.raises(MigrationTreeError, match=f"only sqlite has the migration.* {B}"):
        MigrationTree.read(tmp_path, dialect)


def test_pairs_depend_on_the_same(tmp_path: Path) -> None:
    write_abc(tmp_path)
    check_pairs(*(MigrationTree.read(tmp_path, dialect) for dialect in DIALECTS))
    (tmp_path / "sqlite" / f"{B}.sql").write_text(f"-- depends: {A}\nselect 1;")
    with pytest.raises(MigrationTreeError, match="depend on different migrations"):
        check_pairs(*(MigrationTree.read(tmp_path, dialect) for dialect in DIALECTS))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(MigrationTreeError, match=f"no folder {tmp_path}/sqlite"):
        MigrationTree.read(tmp_path, "sqlite")


def test_an_unknown_id_is_named(tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match=f"no migration 'x' in {tmp_path}"):
        MigrationTree.read(write_abc(tmp_path), "sqlite").get("x")


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("drop index concurrently if exists i; create index concurrently i on a (id);", True),
        ("drop index concurrently if exists i; create unique index concurrently if not exists i on a (id);", True),
        ("create index concurrently i on a (id);", False),
        ("create index concurrently if not exists i on a (id);", False),
        ("drop index concurrently if exists j; create index concurrently i on a (id);", False),
        ("create index concurrently on a (id);", False),
        ("create index i on a (id);", True),
    ],
)
def test_an_index_made_concurrently_is_dropped_first(text: str, right: bool, tmp_path: Path) -> None:
    write(tmp_path, A)
    (tmp_path / "postgres" / f"{A}.sql").write_text(f"-- transactional: false\n{text}")
    migration = MigrationTree.read(tmp_path, "postgres").get(A)
    if right:
        assert migration.statements()
    else:
        with pytest.raises(MigrationTreeError, match=f"{A}.sql:2: write 'drop index concurrently if exists NAME;'"):
            migration.statements()


def test_a_migration_without_a_statement_is_refused(tmp_path: Path) -> None:
    write(tmp_path, A, up="-- later\n", down="/* later */\n")
    migration = MigrationTree.read(tmp_path, "sqlite").get(A)
    with pytest.raises(MigrationTreeError, match="it contains no statement"):
        migration.statements()
    with pytest.raises(MigrationTreeError, match="empty: undo the migration"):
        migration.rollback_statements()
