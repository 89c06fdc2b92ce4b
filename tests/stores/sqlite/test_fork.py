"""A fork with a SQLite store open: parent and child both go on, and neither loses what the other stored."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from diglot.errors import DatabaseUnavailable, LockTimeout, TransactionError
from diglot.stores.settings import SQLiteSettings
from diglot.stores.sqlite import fork
from diglot.stores.sqlite.store import SQLiteStore, open_sqlite
from tests.stores.sqlite.workload import COUNTER, INCREMENT, counter, read, write

pytestmark = [
    pytest.mark.sqlite,
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),  # Python 3.12: threads of pytest-xdist
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    with open_sqlite(SQLiteSettings(path=str(tmp_path / "app.db"), lock_timeout=2.0)) as store:
        store.script(COUNTER)
        store.rows(read("select 1"))
        yield store


class Child:
    """A fork that runs this and tells what came of it: "ok", or the error."""

    def __init__(self, run: Callable[[], object]) -> None:
        self.output, writing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            said = "ok"
            try:
                run()
            except BaseException as error:
                said = f"{type(error).__name__}: {error}"
            os.write(writing, said.encode())
            _exit()
        os.close(writing)

    def said(self) -> str:
        with os.fdopen(self.output) as pipe:
            if not select.select([pipe], [], [], 30)[0]:
                os.kill(self.pid, signal.SIGKILL)
            said = pipe.read()
        os.waitpid(self.pid, 0)
        return said


def _exit() -> None:
    """Leave the child at once, pytest's ways out are the parent's; but save what coverage has seen."""
    try:
        import coverage

        current = coverage.Coverage.current()
        if current is not None:
            current.stop()
            current.save()
    finally:
        os._exit(0)


def test_parent_and_child_both_write_and_nothing_is_lost(store: SQLiteStore) -> None:
    def write_in_child() -> None:
        for _ in range(50):
            store.count(INCREMENT)
            assert counter(store) > 0
        store.close()

    child = Child(write_in_child)
    for _ in range(50):
        store.count(INCREMENT)
    assert child.said() == "ok"
    assert counter(store) == 100
    assert store.rows(read("pragma integrity_check")) == [("ok",)]


def test_the_child_keeps_its_rows_when_the_parent_closes_first(store: SQLiteStore, tmp_path: Path) -> None:
    """With a connection that was open at the fork, the parent would delete the log under the child."""
    ready, go = os.pipe(), os.pipe()

    def outlive() -> None:
        store.count(INCREMENT)
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        for _ in range(3):
            store.count(INCREMENT)
        # and ends without closing, as a process that is killed

    child = Child(outlive)
    os.read(ready[0], 1)
    store.count(INCREMENT)
    store.close()
    os.write(go[1], b"x")
    assert child.said() == "ok"
    with open_sqlite(SQLiteSettings(path=str(tmp_path / "app.db"))) as again:
        assert counter(again) == 5
    for end in (*ready, *go):
        os.close(end)


def test_a_fork_while_other_threads_work_waits_for_a_quiet_moment(store: SQLiteStore) -> None:
    done = threading.Event()
    commits: list[int] = []

    def work() -> None:
        mine = 0
        while not done.is_set():
            with store.transaction() as transaction:
                transaction.count(INCREMENT)
            counter(store)
            mine += 1
        commits.append(mine)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    children = [Child(lambda: [store.count(INCREMENT) for _ in range(10)]) for _ in range(3)]
    assert [child.said() for child in children] == ["ok"] * 3
    done.set()
    for thread in threads:
        thread.join()
    assert counter(store) == sum(commits) + 30


def test_a_child_forked_inside_a_transaction_can_do_no_harm(store: SQLiteStore, tmp_path: Path) -> None:
    with store.transaction() as transaction, store.transaction() as savepoint:
        transaction.count(INCREMENT)

        def misuse() -> None:
            for call in (
                lambda: transaction.count(INCREMENT),
                lambda: savepoint.count(INCREMENT),
                lambda: savepoint.__exit__(None, None, None),
                lambda: transaction.__exit__(None, None, None),
            ):
                with pytest.raises(TransactionError, match="forked"):
                    call()
            for call in (
                lambda: store.count(INCREMENT),
                lambda: store.rows(read("select 1")),
                lambda: open_sqlite(SQLiteSettings(path=str(tmp_path / "app.db"))),
            ):
                with pytest.raises(DatabaseUnavailable, match="forked while a transaction was open"):
                    call()
            with open_sqlite(SQLiteSettings(path=str(tmp_path / "another.db"))) as other:
                other.script(COUNTER)
            store.close()

        assert Child(misuse).said() == "ok"
        transaction.count(INCREMENT)
    assert counter(store) == 2
    assert store.rows(read("pragma integrity_check")) == [("ok",)]


def test_a_fork_while_another_thread_keeps_a_transaction_open(tmp_path: Path) -> None:
    began, done = threading.Event(), threading.Event()
    with open_sqlite(SQLiteSettings(path=str(tmp_path / "app.db"), lock_timeout=0.2)) as store:
        store.script(COUNTER)

        def hold() -> None:
            with store.transaction() as transaction:
                transaction.count(INCREMENT)
                began.set()
                done.wait()

        holder = threading.Thread(target=hold)
        holder.start()
        began.wait()
        child = Child(lambda: store.count(INCREMENT))
        assert child.said().startswith("DatabaseUnavailable: this process was forked while a transaction was open")
        done.set()
        holder.join()
        store.count(INCREMENT)
        assert counter(store) == 2


def test_a_fork_while_another_thread_keeps_a_snapshot_open(tmp_path: Path) -> None:
    began, done = threading.Event(), threading.Event()
    with open_sqlite(SQLiteSettings(path=str(tmp_path / "app.db"), lock_timeout=0.2)) as store:
        store.script(COUNTER)

        def hold() -> None:
            with store.snapshot() as snapshot:
                counter(snapshot)
                began.set()
                done.wait()

        holder = threading.Thread(target=hold)
        holder.start()
        began.wait()
        assert Child(lambda: store.rows(read("select 1"))).said().startswith("DatabaseUnavailable")
        store.count(INCREMENT)
        done.set()
        holder.join()
        assert counter(store) == 1


def test_a_gate_that_the_parent_kept_is_free_when_the_parent_dies(tmp_path: Path) -> None:
    """The child inherits the file of the gate; it must not keep it shut for its parent."""
    path = tmp_path / "app.db"
    with open_sqlite(SQLiteSettings(path=str(path))) as store:
        store.script(COUNTER)
    ready, child_lives = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:  # the parent-to-be-killed
        inner = open_sqlite(SQLiteSettings(path=str(path)))
        with inner.transaction() as transaction:
            transaction.count(INCREMENT)
            if os.fork() == 0:
                os.close(child_lives[1])
                os.write(ready[1], b"x")
                os.read(child_lives[0], 1)
                os._exit(0)
            signal.pause()
    os.read(ready[0], 1)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with open_sqlite(SQLiteSettings(path=str(path), lock_timeout=1.0)) as store:
        assert store.count(INCREMENT) == 1
        assert counter(store) == 1
    for end in (*ready, *child_lives):
        os.close(end)


def test_a_database_in_memory_stays_with_the_parent() -> None:
    with open_sqlite(SQLiteSettings(path=":memory:")) as store:
        store.script(COUNTER)

        def use() -> None:
            for call in (lambda: store.rows(read("select 1")), lambda: store.count(INCREMENT)):
                with pytest.raises(DatabaseUnavailable, match="in memory belongs to the process that opened it"):
                    call()
            store.close()

        assert Child(use).said() == "ok"
        assert store.count(INCREMENT) == 1


def test_a_fork_during_a_migration_leaves_it_alone(store: SQLiteStore) -> None:
    with store.migration_connection(1.0) as connection:
        connection.execute("begin immediate")
        connection.execute("create table migrated (x integer)")

        def use() -> None:
            with pytest.raises(DatabaseUnavailable):
                store.rows(read("select 1"))

        assert Child(use).said() == "ok"
        connection.execute("commit")
    assert store.rows(read("select * from migrated")) == []


def test_closed_stores_are_not_told_of_forks(tmp_path: Path) -> None:
    store = open_sqlite(SQLiteSettings(path=str(tmp_path / "app.db")))
    assert any(each is store for each in fork._stores())
    store.close()
    assert not any(each is store for each in fork._stores())
    store = open_sqlite(SQLiteSettings(path=":memory:"))
    key = id(store)
    store.connections.drop_writer()
    with pytest.raises(DatabaseUnavailable, match="its data is gone"):
        store.rows(write("select 1"))
    del store
    assert key not in fork._open


def test_a_fork_that_can_not_pass_the_gate_goes_on_without(tmp_path: Path) -> None:
    path = str(tmp_path / "app.db")
    with (
        open_sqlite(SQLiteSettings(path=path)) as other,
        open_sqlite(SQLiteSettings(path=path, lock_timeout=0.1)) as store,
    ):
        other.script(COUNTER)
        done, began = threading.Event(), threading.Event()

        def hold() -> None:
            with other.transaction():
                began.set()
                done.wait()

        holder = threading.Thread(target=hold)
        holder.start()
        began.wait()
        fork.forget(other)
        store.before_fork()
        store.after_fork_in_parent()
        assert counter(store) == 0
        with pytest.raises(LockTimeout):
            store.count(INCREMENT)
        done.set()
        holder.join()
        store.before_fork()
        store.after_fork_in_child(inherited=False)
        assert store.count(INCREMENT) == 1
