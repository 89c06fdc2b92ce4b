"""When writes fail for lack of room, the error and the health say so; both are good again when there is room."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from diglot.errors import DatabaseFull, DatabaseIOError
from diglot.stores.settings import SQLiteSettings
from diglot.stores.sqlite.library import library
from diglot.stores.sqlite.path import MEMORY
from diglot.stores.sqlite.room import ROOM
from diglot.stores.sqlite.store import SQLiteStore, open_sqlite
from diglot.stores.sqlite.trouble import Trouble
from diglot.stores.store import Check
from tests.stores.sqlite.workload import read, wait_until, write

pytestmark = pytest.mark.sqlite

MAKE = write("create table t (id integer primary key, x text) strict; insert into t (x) values ('first')")
INSERT = write("insert into t (x) values (?)")
COUNT = read("select count(*) from t")


def writable(store: SQLiteStore) -> Check:
    health = store.health(deep=False)
    [found] = [check for check in health.checks if check.name == "writable"]
    assert health.ok == all(check.ok for check in health.checks)
    return found


# --- a file-size limit, in a process of its own ------------------------------------------------------------

LIMITED = """
import json, resource, sys
from diglot.errors import DiglotError
from diglot.stores.settings import SQLiteSettings
from diglot.stores.sqlite.store import open_sqlite
from tests.stores.sqlite.test_room import COUNT, INSERT, MAKE, writable

path, where = sys.argv[1:]
told = []

def attempt(what):
    try:
        what()
    except DiglotError as error:
        return [type(error).__name__, str(error)]

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

def in_transaction(store):
    with store.transaction() as tx:
        tx.count(INSERT, ("x" * 100_000,))
        tx.count(INSERT, ("x" * 900_000,))

with open_sqlite(SQLiteSettings(path=path)) as store:
    store.script(MAKE)
    told.append(writable(store).ok)
    limit(150_000)
    work = {"alone": lambda: store.count(INSERT, ("x" * 1_000_000,)), "transaction": lambda: in_transaction(store)}
    told.append(attempt(work[where]))
    told.append([writable(store).ok, writable(store).detail, store.health().ok])
    told.append(store.rows(COUNT)[0][0])
    limit(resource.RLIM_INFINITY)
    told.append([writable(store).ok, store.health().ok])
    told.append(attempt(work[where]))
    told.append([store.rows(COUNT)[0][0], writable(store).ok])
print(json.dumps(told))
"""


@pytest.mark.parametrize("where", ["alone", "transaction"])
def test_a_file_size_limit_is_no_room_and_the_health_follows(where: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "app.db"), where],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    before, failed, full, rows, after, again, at_the_end = json.loads(done.stdout)
    said = "a file of the database has reached this process's limit of 150,000 bytes (ulimit -f): raise it"
    assert before is True
    assert failed == ["DatabaseFull", f"{said} [test.write]" if where == "alone" else said], "alone, or at COMMIT"
    assert full == [False, said, False]
    assert rows == 1, "reads go on, and nothing of the failed write is there"
    assert after == [True, True]
    assert again is None
    assert at_the_end == [2 if where == "alone" else 3, True]


def test_a_limit_that_is_far_away_is_not_the_reason(tmp_path: Path) -> None:
    assert type(Trouble(tmp_path / "app.db").noted(DatabaseIOError())) is DatabaseIOError


# --- a full disk -------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "diglot-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root, where it may mount, can make a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """A file that takes all that is free."""
    ballast, free = disk / "ballast", os.statvfs(disk)
    ballast.write_bytes(bytes(free.f_bavail * free.f_bsize))
    return ballast


def test_a_full_disk(small_disk: Path) -> None:
    with open_sqlite(SQLiteSettings(path=str(small_disk / "app.db"))) as store:
        store.script(MAKE)
        ballast = fill(small_disk)
        assert not writable(store).ok, "also before any write has failed"
        with pytest.raises(DatabaseFull, match="disk is full"):
            store.count(INSERT, ("x" * ROOM,))
        assert not writable(store).ok
        assert "disk is full" in writable(store).detail
        assert store.rows(COUNT) == [(1,)]
        ballast.unlink()
        assert writable(store).ok
        store.count(INSERT, ("x" * ROOM,))
        assert store.rows(COUNT) == [(2,)]


def test_one_value_that_is_too_large_for_the_disk_is_not_bad_health(small_disk: Path) -> None:
    with open_sqlite(SQLiteSettings(path=str(small_disk / "app.db"))) as store:
        store.script(MAKE)
        with pytest.raises(DatabaseFull):
            store.count(INSERT, ("x" * 4_000_000,))
        assert writable(store).ok
        store.count(INSERT, ("second",))
        assert store.rows(COUNT) == [(2,)]


# --- the database's own limit, in memory too ---------------------------------------------------------------


@pytest.mark.parametrize("place", ["file", "memory"])
def test_a_database_that_has_reached_its_limit(place: str, tmp_path: Path) -> None:
    with open_sqlite(SQLiteSettings(path=MEMORY if place == "memory" else str(tmp_path / "app.db"))) as store:
        store.script(MAKE)
        with store.migration_connection(1) as connection:
            connection.execute("pragma max_page_count = 20")
        with pytest.raises(DatabaseFull), store.transaction() as tx:
            tx.count(INSERT, ("x" * 1_000_000,))
        assert not writable(store).ok
        assert store.rows(COUNT) == [(1,)]
        with store.migration_connection(1) as connection:
            connection.execute("pragma max_page_count = 100000")
        assert writable(store).ok
        store.count(INSERT, ("second",))


# --- what the probe does -----------------------------------------------------------------------------------


def test_the_probe_writes_to_the_disk_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with open_sqlite(SQLiteSettings(path=str(path))) as store:
        store.script(MAKE)
        log = path.with_name("app.db-wal")
        before = log.stat().st_size
        version = store.rows(read("pragma data_version"))
        for _ in range(5):
            assert (writable(store).ok, writable(store).detail) == (True, "a write works")
        assert before + ROOM * 0.9 < log.stat().st_size < before + ROOM * 1.2, "written, and always to the same place"
        assert store.rows(read("pragma data_version")) == version, "nothing was committed"
        assert store.rows(read("select count(*) from sqlite_schema")) == [(1,)]
        with store.migration_connection(1) as connection:
            settings = [connection.execute(f"pragma {name}").fetchone()[0] for name in ("cache_size", "busy_timeout")]
        assert settings == [-2000, 5000]
        store.connections.trouble.failed = DatabaseIOError()
        assert writable(store).ok
        assert store.rows(read("pragma data_version")) != version, "after a failed write a commit is tried too"
        assert store.rows(read("pragma user_version")) == [(0,)]
        assert store.connections.trouble.failed is None


def test_the_probe_does_not_wait_long_for_others(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with open_sqlite(SQLiteSettings(path=str(path))) as store:
        store.script(MAKE)
        held, done = threading.Event(), threading.Event()

        def hold() -> None:
            with store.transaction() as tx:
                tx.count(INSERT, ("x",))
                held.set()
                done.wait(30)

        thread = threading.Thread(target=hold)
        thread.start()
        try:
            assert held.wait(10)
            found = writable(store)
            assert found.ok
            assert found.detail.startswith("not tried: ")
            assert found.milliseconds < 3000
            store.connections.trouble.failed = DatabaseFull("no room")
            assert (writable(store).ok, writable(store).detail) == (False, "no room")
        finally:
            done.set()
            thread.join()
        assert writable(store).detail == "a write works"


def test_the_probe_does_not_wait_long_for_a_foreign_program(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with open_sqlite(SQLiteSettings(path=str(path))) as store:
        store.script(MAKE)
        foreign = library().connect(str(path), isolation_level=None)  # the same library: locks are between connections
        foreign.execute("begin immediate")
        found = writable(store)
        assert found.ok
        assert "another program holds a lock" in found.detail
        assert found.milliseconds < 3000
        foreign.execute("rollback")
        foreign.close()
        wait_until(lambda: writable(store).detail == "a write works")


def test_a_thread_with_a_transaction_keeps_it(tmp_path: Path) -> None:
    with open_sqlite(SQLiteSettings(path=str(tmp_path / "app.db"))) as store:
        store.script(MAKE)
        with store.transaction() as tx:
            tx.count(INSERT, ("x",))
            assert "writable" not in [check.name for check in store.health().checks]
        assert store.rows(COUNT) == [(2,)]
