"""What only SQLite has: foreign keys that are checked at the end, and other programs that hold the file."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from diglot.errors import ForeignKeyViolation, LockTimeout, MigrationFailed, MigrationTreeError
from diglot.sql.session import Statement
from diglot.stores import open_store
from diglot.stores.settings import SQLiteSettings
from diglot.stores.sqlite.library import library
from diglot.stores.store import Store
from diglot.stores.url import parse_url
from tests.migrate.dump import dump, tables
from tests.migrate.trees import A, B, C, Tree, migrator, write, write_abc

pytestmark = pytest.mark.sqlite

PARENT_AND_CHILD = """
create table parent (id integer not null primary key, old text);
create table child (parent_id integer not null references parent (id) on delete cascade);
insert into parent values (1, 'x');
insert into child values (1);
"""
REBUILD = """
create table parent_new (id integer not null primary key) strict;
insert into parent_new select id from parent;
drop table parent;
alter table parent_new rename to parent;
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with open_store(parse_url(f"sqlite:///{path}")) as opened:
        yield opened


@pytest.fixture(params=["file", "memory"])
def either(request: pytest.FixtureRequest, path: Path) -> Iterator[Store]:
    """A database in a file, and one in memory."""
    with open_store(parse_url(f"sqlite:///{path}" if request.param == "file" else "sqlite://:memory:")) as opened:
        yield opened


def test_a_table_is_rebuilt_and_what_refers_to_it_stays(either: Store, tree: Tree) -> None:
    tree.write("a", PARENT_AND_CHILD)
    tree.write("b", REBUILD)
    tree.migrator(either).up()
    assert either.rows(Statement("test.child", "select parent_id from child")) == [(1,)]
    with pytest.raises(ForeignKeyViolation):
        either.count(Statement("test.orphan", "insert into child values (2)", writes=True))


def test_a_migration_that_would_leave_orphans_is_undone(either: Store, tree: Tree) -> None:
    tree.write("a", PARENT_AND_CHILD)
    tree.write("b", REBUILD.replace("select id from parent", "select id from parent where id > 1"))
    tree.migrator(either).up(target=tree.id("a"))
    before = dump(either)
    message = rf"{re.escape(tree.file('b'))}: it would leave rows .* \(child → parent\); the database is as"
    with pytest.raises(MigrationFailed, match=message):
        tree.migrator(either).up()
    assert dump(either) == before
    assert tree.states(either) == ["applied", "pending", "pending"]


def test_one_that_asks_for_no_transaction_is_refused_before_anything_is_done(either: Store, tree: Tree) -> None:
    tree.write("b", "-- transactional: false\ncreate table b (id integer);\n")
    with pytest.raises(MigrationTreeError, match="there every migration is a transaction"):
        tree.migrator(either).up()
    assert tables(either) == []


def test_a_file_that_another_program_holds_ends_in_a_lock_timeout(path: Path, tmp_path: Path) -> None:
    write_abc(tmp_path / "tree")
    with open_store(parse_url(f"sqlite:///{path}")) as first:
        migrator(first, tmp_path / "tree").up(target=A)
    other = library().connect(path, isolation_level=None)
    other.execute("begin immediate")
    try:
        with open_store(SQLiteSettings(path=str(path), lock_timeout=0.1)) as store:
            with pytest.raises(LockTimeout):
                migrator(store, tmp_path / "tree", timeout=0.2).up()
            other.execute("rollback")
            assert [migration.id for migration in migrator(store, tmp_path / "tree").up()] == [B, C]
    finally:
        other.close()


def test_looking_needs_no_right_to_write(store: Store, tmp_path: Path) -> None:
    from diglot.migrate.status import read_applied

    write(tmp_path, A)
    with store.snapshot() as read_only:
        assert read_applied(read_only.rows, "sqlite") == []
    migrator(store, tmp_path).up()
    with store.snapshot() as read_only:
        assert [one.id for one in read_applied(read_only.rows, "sqlite")] == [A]


def test_yoyo_itself_reads_what_is_applied(store: Store, path: Path, tmp_path: Path) -> None:
    write_abc(tmp_path / "tree")
    migrator(store, tmp_path / "tree").up(target=B)
    store.close()
    command = [sys.executable, "-m", "yoyo", "list", "--batch", "--no-config-file"]
    done = subprocess.run(
        [*command, "--database", f"sqlite:///{path}", str(tmp_path / "tree" / "sqlite")],
        capture_output=True,
        text=True,
        check=True,
    )
    listed = [line.split()[:2] for line in done.stdout.splitlines() if "_" in line]
    assert listed == [["A", A], ["A", B], ["U", C]]
    with open_store(parse_url(f"sqlite:///{path}")) as again:
        assert [migration.id for migration in migrator(again, tmp_path / "tree").up()] == [C]
        assert tables(again) == ["a", "b", "c", "yoyo_lock"]
