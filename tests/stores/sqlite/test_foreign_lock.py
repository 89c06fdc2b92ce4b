"""A program that takes no turns, like the sqlite3 shell, holds a lock: that is said, and not that a thread writes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from diglot.errors import LockTimeout
from diglot.stores.settings import SQLiteSettings
from diglot.stores.sqlite.library import library
from diglot.stores.sqlite.locks import LOCKS, foreign_writer
from diglot.stores.sqlite.store import SQLiteStore, open_sqlite
from tests.stores.sqlite.workload import COUNTER, INCREMENT, counter

pytestmark = pytest.mark.sqlite
FOREIGN = """
import sys, {module} as driver
connection = driver.connect(sys.argv[1], isolation_level=None)
connection.execute("begin immediate")
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def foreign_program(path: Path) -> Iterator[int]:
    """A process that holds the write lock; its id."""
    program = FOREIGN.format(module=library().__name__)
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "locked\n"
        try:
            yield process.pid
        finally:
            process.stdin.close()
            process.wait(10)


def failures(store: SQLiteStore, threads: int) -> list[str]:
    """What so many threads are told that all try to write."""
    told: list[str] = []

    def attempt() -> None:
        try:
            store.count(INCREMENT)
        except LockTimeout as error:
            told.append(str(error))

    started = [threading.Thread(target=attempt) for _ in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    return told


@pytest.mark.skipif(not LOCKS.exists(), reason="only Linux tells who holds a lock")
def test_every_waiting_thread_is_told_of_the_foreign_program(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with open_sqlite(SQLiteSettings(path=str(path), lock_timeout=0.3)) as store:
        store.script(COUNTER)
        assert foreign_writer(path) is None
        with foreign_program(path) as process:
            assert foreign_writer(path) == process
            told = failures(store, 5)
            assert len(told) == 5
            assert all("another program" in text and "holds a lock on the database" in text for text in told), told
            assert any(f"(process {process})" in text for text in told), "of those who waited for their turn"
            assert counter(store) == 0, "reads go on"
        assert foreign_writer(path) is None
        store.count(INCREMENT)
        assert counter(store) == 1


def test_a_thread_of_this_process_is_called_one(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with open_sqlite(SQLiteSettings(path=str(path), lock_timeout=0.1)) as store:
        store.script(COUNTER)
        with store.transaction() as tx:
            tx.count(INCREMENT)
            [told] = failures(store, 1)
        assert told.startswith("the database could not be written within 0.1 s: another thread is writing")


@pytest.mark.parametrize(
    "line",
    ["", "garbage", "1: POSIX ADVISORY WRITE x y z", "1: POSIX  ADVISORY  WRITE {pid} 00:00:{inode} 120 EOF"],
)
def test_what_the_system_says_in_another_form_is_no_program(line: str, tmp_path: Path) -> None:
    path, locks = tmp_path / "app.db", tmp_path / "locks"
    path.touch()
    path.with_name("app.db-shm").touch()
    inode = path.with_name("app.db-shm").stat().st_ino
    locks.write_text(line.format(pid=os.getpid(), inode=inode))
    assert foreign_writer(path, locks) is None
    assert foreign_writer(path, tmp_path / "none") is None
