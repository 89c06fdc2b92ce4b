"""A SQLite file that is opened for reading only stays, with its rights and its folder, as it was."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from diglot import statestore
from diglot.errors import ConfigurationError, DatabaseDamaged, DatabaseReadOnly, DatabaseUnavailable, LockTimeout
from diglot.stores.settings import SQLiteSettings
from diglot.stores.sqlite.store import SQLiteStore, open_sqlite
from tests.stores.sqlite.workload import read, write

pytestmark = pytest.mark.sqlite


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "app.db"
    with open_sqlite(SQLiteSettings(path=str(path))) as store:
        store.script(write("create table t (x integer) strict; insert into t values (1)"))
    path.with_name("app.db-gate").unlink()
    return path


def reading(path: Path) -> SQLiteStore:
    return open_sqlite(SQLiteSettings(path=str(path), read_only=True))


def state(folder: Path) -> list[tuple[str, int, int, bytes]]:
    return sorted(
        (each.name, stat.S_IMODE(each.stat().st_mode), each.stat().st_mtime_ns, each.read_bytes())
        for each in folder.iterdir()
    )


def test_reading_changes_nothing(path: Path) -> None:
    path.chmod(0o644)  # a store that may write would tighten it
    before = state(path.parent)
    with reading(path) as store:
        assert store.rows(read("select x from t")) == [(1,)]
        with store.snapshot() as tx:
            assert tx.rows(read("select x from t")) == [(1,)]
        assert state(path.parent) == before
    assert state(path.parent) == before


def test_nothing_can_be_written(path: Path) -> None:
    before = state(path.parent)
    with reading(path) as store:
        with pytest.raises(DatabaseReadOnly, match=f"{path} was opened for reading only"):
            store.count(write("insert into t values (2)"))
        with pytest.raises(DatabaseReadOnly), store.transaction():
            pass
        with pytest.raises(DatabaseReadOnly):
            store.rows(read("insert into t values (2) returning x"))
        assert store.rows(read("select x from t")) == [(1,)]
    assert state(path.parent) == before


def test_what_a_writer_has_committed_is_seen(path: Path) -> None:
    with open_sqlite(SQLiteSettings(path=str(path))) as writer:
        writer.count(write("insert into t values (2)"))
        with reading(path) as store:
            assert store.rows(read("select x from t order by x")) == [(1,), (2,)]


def test_what_is_missing_or_no_database_is_told_and_left(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match="there is no SQLite database"):
        reading(tmp_path / "new" / "app.db")
    text = tmp_path / "text.db"
    text.write_text("hello, I am a text and not a database, and long enough to be read as one" * 20)
    with pytest.raises(DatabaseDamaged, match=f"^{text}: "):
        reading(text)
    with pytest.raises(ConfigurationError, match="a folder"):
        reading(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["text.db"]


STATUS_AS_NOBODY = """
import datetime, os, sys
from diglot.migrate import Migrator
from diglot.statestore.project import TREES
from diglot.stores.settings import SQLiteSettings
from diglot.stores.sqlite.library import library
from diglot.stores.sqlite.store import open_sqlite
tree = TREES.migration_tree("sqlite")
library()  # now: its folder may be closed to the other user
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
with open_sqlite(SQLiteSettings(path=sys.argv[1], read_only=True)) as store:
    print({one.state for one in Migrator(store, tree, timeout=1, clock=datetime.datetime.now).status()})
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that another user can enter (pytest keeps its own folders closed to others)."""
    with tempfile.TemporaryDirectory(prefix="diglot-test-") as made:
        folder = Path(made)
        yield folder
        folder.chmod(0o700)


def test_the_state_of_the_migrations_is_told_to_one_who_can_only_read(folder: Path) -> None:
    path = folder / "app.db"
    with statestore.open(f"sqlite:///{path}", migrate=True):
        pass
    before = state(folder)
    path.chmod(0o444)
    folder.chmod(0o555)
    done = subprocess.run([sys.executable, "-c", STATUS_AS_NOBODY, str(path)], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("{'applied'}\n", "")
    folder.chmod(0o700)
    path.chmod(0o600)
    assert state(folder) == before


READ_ONLY_FOR_A_WHILE = """
import os, sys
from diglot.errors import DatabaseReadOnly
from diglot.sql.session import Statement
from diglot.stores.settings import SQLiteSettings
from diglot.stores.sqlite.library import library
from diglot.stores.sqlite.store import open_sqlite
library()
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
insert = Statement("t.insert", "insert into t values (1)", writes=True)
def write(how):
    try:
        if how == "statement":
            store.count(insert)
        else:
            with store.transaction() as tx:
                tx.count(insert)
    except DatabaseReadOnly as error:
        return f"DatabaseReadOnly: {error}"
    return "stored"
for how in ("statement", "transaction"):
    with open_sqlite(SQLiteSettings(path=sys.argv[1])) as store:
        store.script(Statement("t.create", "create table if not exists t (x integer) strict", writes=True))
        if sys.argv[2] == "reading":
            store.rows(Statement("t.count", "select count(*) from t"))
        store.connections.drop_writer()  # as a fork does, and a migration that fails
        os.chmod(sys.argv[1], 0o400)
        if sys.argv[2] == "opened":  # between a look at the file and its opening
            store.connections._writer = store.connections._connect("writer", store.connections.identity)
        for _ in range(2):
            print(write(how))
        os.chmod(sys.argv[1], 0o600)
        print(write(how))
        print(store.rows(Statement("t.count", "select count(*) from t")))
        for end in ("-wal", "-shm"):
            assert os.stat(sys.argv[1] + end).st_mode & 0o777 == 0o600
"""


@pytest.mark.parametrize("case", ["reading", "alone", "opened"])
def test_a_file_that_can_be_written_again_is_written_again(folder: Path, case: str) -> None:
    """A connection that SQLite opens while the file can only be read stays read-only, and so do its log's files."""
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
    path = folder / "app.db"
    arguments = [sys.executable, "-c", READ_ONLY_FOR_A_WHILE, str(path), case]
    done = subprocess.run(arguments, capture_output=True, text=True)
    notices = [line for line in done.stderr.splitlines() if not line.startswith("SQLite 3.")]  # of an old SQLite
    assert notices == []
    ours = f"DatabaseReadOnly: the SQLite database {path} can't be written by this user"
    sqlites = "DatabaseReadOnly: the database can't be written: attempt to write a readonly database"
    first = sqlites if case == "opened" else ours
    for number, line in enumerate(done.stdout.splitlines()):
        expected = [first, ours, "stored", f"[({number // 4 + 1},)]"][number % 4]
        assert line.removesuffix(" [t.insert]") == expected


IN_ROLLBACK_MODE = """
import sqlite3, sys, os
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.executescript("create table t (x); insert into t values (1); begin exclusive; insert into t values (2)")
print("locked", flush=True)
sys.stdin.readline()
"""


def test_a_file_that_is_not_in_wal_mode_is_read_with_its_locks(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    command = [sys.executable, "-c", IN_ROLLBACK_MODE, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(LockTimeout):
            open_sqlite(SQLiteSettings(path=str(path), read_only=True, lock_timeout=0.05))
        other.stdin.close()
    with reading(path) as store:
        assert store.rows(read("select x from t")) == [(1,)]


def test_nothing_is_made_beside_a_file_whose_header_is_damaged(path: Path) -> None:
    """SQLite takes it for one in WAL mode by the second of two bytes."""
    with path.open("r+b") as file:
        file.seek(18)
        file.write(b"\x01")
    before = state(path.parent)
    with reading(path) as store:
        assert store.rows(read("select x from t")) == [(1,)]
    assert state(path.parent) == before


KILLED = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("insert into t values (2)")
os._exit(0)
"""


def test_a_log_without_its_index_is_refused_and_nothing_is_made(path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=True)
    path.with_name("app.db-shm").unlink()
    before = state(path.parent)
    with pytest.raises(DatabaseUnavailable, match="has a log without its index"):
        reading(path)
    assert state(path.parent) == before
    with open_sqlite(SQLiteSettings(path=str(path))) as store:
        assert store.rows(read("select x from t order by x")) == [(1,), (2,)]
