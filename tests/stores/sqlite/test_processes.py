"""Many threads and processes on one SQLite file: nothing is lost, nothing is refused, nobody starves."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from diglot.errors import LockTimeout
from diglot.stores.settings import SQLiteSettings
from diglot.stores.sqlite.store import SQLiteStore, open_sqlite
from tests.stores.sqlite.workload import COUNTER, INCREMENT, Worker, counter, read, wait_until, workers, write

pytestmark = pytest.mark.sqlite


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a counter at 0, closed."""
    path = tmp_path / "app.db"
    with open_sqlite(SQLiteSettings(path=str(path))) as store:
        store.script(COUNTER)
        store.script(write("create table acknowledged (number integer) strict"))
    return path


def test_threads_and_processes_write_at_once_and_nobody_starves(path: Path) -> None:
    rounds, seconds = [], 1.5
    for _ in range(3):  # other work delays somebody now and then; a gate that starves somebody does it always
        many = Worker("increment", path, seconds=seconds, threads=10)
        others = [Worker("increment", path, seconds=seconds, threads=1) for _ in range(10)]
        with workers(many, *others) as started:
            for worker in started:
                worker.tell()
            found = [tuple(thread) for worker in started for thread in worker.result()]
        commits, waits = zip(*found, strict=True)
        assert len(found) == 20
        rounds.append((sum(commits), min(commits), max(commits), max(waits)))
        assert opened(path, counter) == sum(total for total, *_ in rounds), "an update was lost"
        # On a busy machine there are few commits, and one turn of all 20 takes long.
        is_fair = min(commits) >= max(commits) / 2 or max(commits) - min(commits) <= 3
        turn = seconds * len(commits) / max(1, sum(commits))
        if is_fair and max(waits) < max(0.5, 4 * turn):
            return
    pytest.fail(f"commits, fewest and most of a thread, longest wait in s: {rounds}")


def test_processes_that_checkpoint_as_fast_as_they_can_do_no_harm(path: Path) -> None:
    writing = [Worker("increment", path, seconds=2, threads=2, synchronous="relaxed") for _ in range(3)]
    checkpointing = [Worker("checkpoint", path, seconds=2, synchronous="relaxed") for _ in range(2)]
    with workers(*writing, *checkpointing) as started:
        for worker in started:
            worker.tell()
        commits = [thread[0] for worker in writing for thread in worker.result()]
        checkpoints = [worker.result() for worker in checkpointing]
    assert min(checkpoints) > 2, "they took part"
    assert opened(path, lambda store: store.rows(read("pragma integrity_check"))) == [("ok",)]
    assert opened(path, counter) == sum(commits)


def test_processes_that_start_at_once_on_no_database_all_succeed(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "app.db"
    with workers(*(Worker("create", path) for _ in range(8))) as started:
        for worker in started:
            worker.tell()
        assert [worker.result() for worker in started] == ["created"] * 8
    assert opened(path, lambda store: store.rows(read("select count(*) from created"))) == [(8,)]


def test_a_process_killed_while_it_writes_loses_nothing_that_it_acknowledged(path: Path) -> None:
    with workers(Worker("acknowledge", path)) as [worker]:
        worker.tell()
        said = [int(worker.hear()) for _ in range(200)]
        worker.process.kill()
        rest = worker.hear_the_rest()
    said += [int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]
    stored = [number for (number,) in opened(path, lambda s: s.rows(read("select number from acknowledged")))]
    assert stored[: len(said)] == said
    assert len(stored) - len(said) <= 1, "at most the one that it was about to acknowledge"


def test_a_process_killed_inside_the_gate_frees_it_and_leaves_nothing(path: Path) -> None:
    with workers(Worker("hold", path)) as [worker], short_of_patience(path, 0.2) as store:
        worker.tell()
        assert worker.hear() == "holding"
        with pytest.raises(LockTimeout):
            store.count(INCREMENT)
        worker.kill()
        assert store.count(INCREMENT) == 1
        assert counter(store) == 1


def test_a_process_that_is_stopped_while_it_waits_does_not_stop_the_others(path: Path) -> None:
    with workers(Worker("hold", path), Worker("wait_in_line", path)) as [holder, waiter]:
        holder.tell()
        assert holder.hear() == "holding"
        waiter.tell()
        assert waiter.hear() == "waiting"
        with short_of_patience(path, 30.0) as store:
            wait_until(lambda: somebody_waits(store))
            waiter.process.send_signal(signal.SIGSTOP)
            holder.tell()
            holder.process.wait(timeout=60)
            began = time.monotonic()
            assert store.count(INCREMENT) == 1
            assert time.monotonic() - began < 10
            waiter.process.send_signal(signal.SIGCONT)
            assert waiter.result() == 1
            assert counter(store) == 3


def test_waiting_for_another_process_ends_at_the_lock_timeout(path: Path) -> None:
    with workers(Worker("hold", path)) as [worker], short_of_patience(path, 0.3) as store:
        worker.tell()
        assert worker.hear() == "holding"
        began = time.monotonic()
        with pytest.raises(LockTimeout, match=r"could not be written within 0\.3 s: another process is writing"):
            store.count(INCREMENT)
        assert 0.3 <= time.monotonic() - began < 10
        assert counter(store) == 0, "a read needs no gate"


def test_ctrl_c_ends_a_wait_at_the_gate(path: Path) -> None:
    with workers(Worker("hold", path), Worker("wait_in_line", path)) as [holder, waiter]:
        holder.tell()
        assert holder.hear() == "holding"
        waiter.tell()
        assert waiter.hear() == "waiting"
        with short_of_patience(path, 0.1) as store:
            wait_until(lambda: somebody_waits(store))
        began = time.monotonic()
        waiter.process.send_signal(signal.SIGINT)
        waiter.process.wait(timeout=60)
        assert waiter.process.returncode != 0
        assert time.monotonic() - began < 10


def test_ctrl_c_ends_a_long_statement(path: Path) -> None:
    with workers(Worker("long_query", path)) as [worker]:
        worker.tell()
        assert worker.result() == "interrupted"


def test_another_program_that_keeps_the_write_lock_is_a_lock_timeout(path: Path) -> None:
    from diglot.stores.sqlite.library import library

    other = library().connect(path, isolation_level=None)
    with short_of_patience(path, 0.2) as store:
        other.execute("begin immediate")
        with pytest.raises(LockTimeout, match="another program"):
            store.count(INCREMENT)
        with pytest.raises(LockTimeout), store.transaction():
            pass
        other.execute("rollback")
        assert store.count(INCREMENT) == 1
    other.close()


# --- details -----------------------------------------------------------------------------------------------


def opened(path: Path, ask: Any) -> Any:
    with open_sqlite(SQLiteSettings(path=str(path))) as store:
        return ask(store)


def short_of_patience(path: Path, lock_timeout: float) -> SQLiteStore:
    return open_sqlite(SQLiteSettings(path=str(path), lock_timeout=lock_timeout))


def somebody_waits(store: SQLiteStore) -> bool:
    return store.statistics()["database_sqlite_processes_waiting"] > 0
