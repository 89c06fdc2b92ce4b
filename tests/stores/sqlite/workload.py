"""What the SQLite store's tests run: statements by their text, and a program for the processes that a test starts.

The program opens the store, says "ready" and waits for a line on its standard input, so that all begin at once.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from diglot.sql.session import Session, Statement
from diglot.stores.settings import SQLiteSettings
from diglot.stores.sqlite.file import FileConnections
from diglot.stores.sqlite.store import SQLiteStore, open_sqlite


def read(text: Any, **how: Any) -> Statement:
    return Statement(query="test.read", text=text, **how)


def write(text: Any, **how: Any) -> Statement:
    return Statement(query="test.write", text=text, writes=True, **how)


COUNTER = write(
    "create table counter (id integer primary key, n integer not null) strict; insert into counter values (1, 0)"
)
INCREMENT = write("update counter set n = n + 1 where id = 1")
READ_COUNTER = read("select n from counter where id = 1")
SET_COUNTER = write("update counter set n = ? where id = 1")


def counter(session: Session) -> int:
    return int(session.rows(READ_COUNTER)[0][0])


def wait_until(condition: Callable[[], object], seconds: float = 120.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.001)


# --- processes ---------------------------------------------------------------------------------------------


class Worker:
    """A process that runs one of the jobs below on the database at ``path``."""

    def __init__(self, job: str, path: Path, **arguments: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", __name__, job, str(path), json.dumps(arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def hear_the_rest(self) -> str:
        """All that it said until its end (communicate() would leave out what readline() has read ahead)."""
        assert self.process.stdout is not None
        return self.process.stdout.read()

    def tell(self, line: str = "go") -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def result(self) -> Any:
        """What it printed last; it must have ended well."""
        output, _ = self.process.communicate(timeout=180)
        assert self.process.returncode == 0, output
        return json.loads(output.splitlines()[-1])

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def workers(*started: Worker) -> Iterator[list[Worker]]:
    """All of them ready; none is left behind."""
    try:
        for worker in started:
            assert worker.hear() == "ready"
        yield list(started)
    finally:
        for worker in started:
            if worker.process.poll() is None:
                worker.process.kill()
            worker.process.communicate()


# --- jobs --------------------------------------------------------------------------------------------------


def increment(store: SQLiteStore, seconds: float, threads: int) -> list[tuple[int, float]]:
    """Each thread increments the counter as often as it can: its commits, and its longest wait in seconds."""
    found: list[tuple[int, float]] = []

    def run() -> None:
        commits, longest = 0, 0.0
        until = now = time.monotonic() + seconds
        while (began := time.monotonic()) < until:
            if commits % 3 == 0:
                with store.transaction() as transaction:
                    transaction.count(SET_COUNTER, (counter(transaction) + 1,))
            else:
                store.count(INCREMENT)
            now = time.monotonic()
            commits, longest = commits + 1, max(longest, now - began)
        found.append((commits, longest))

    started = [threading.Thread(target=run) for _ in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    return found


def checkpoint(store: SQLiteStore, seconds: float) -> int:
    """Checkpoint as fast as it can; how often."""
    times, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        store.checkpoint("TRUNCATE" if times % 2 else "PASSIVE")
        times += 1
    return times


def acknowledge(store: SQLiteStore) -> None:
    """Say each number after it is stored, until killed."""
    number = 0
    while True:
        number += 1
        store.count(write("insert into acknowledged values (?)"), (number,))
        print(number, flush=True)


def hold(store: SQLiteStore) -> None:
    """Keep a transaction open, with a row that must never be seen, until killed."""
    with store.transaction() as transaction:
        transaction.count(INCREMENT)
        print("holding", flush=True)
        sys.stdin.readline()


def wait_in_line(store: SQLiteStore) -> int:
    print("waiting", flush=True)
    return store.count(INCREMENT)


def long_query(store: SQLiteStore) -> str:
    """A statement that is interrupted by Ctrl-C when SQLite has been at it for a while."""
    connections = store.connections
    assert isinstance(connections, FileConnections)
    store.rows(read("select 1"))
    [link] = connections._readers.links
    link.watch.deadline = 0.0

    def interrupt() -> None:
        wait_until(lambda: link.watch.deadline)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    began = time.monotonic()
    try:
        store.rows(ENDLESS)
    except KeyboardInterrupt as interrupted:
        assert interrupted.__cause__ is not None, "it came out of SQLite"
        assert time.monotonic() - began < 20
        return "interrupted"
    return "ended"


ENDLESS = read("with recursive q(x) as (select 1 union all select x + 1 from q) select max(x) from q")


def create(path: str) -> str:
    """Open a database that may not be there yet, and write to it."""
    print("ready", flush=True)
    sys.stdin.readline()
    with open_sqlite(SQLiteSettings(path=path)) as store:
        store.script(write("create table if not exists created (process integer) strict"))
        store.count(write("insert into created values (?)"), (threading.get_native_id(),))
    return "created"


def main(job: str, path: str, arguments: dict[str, Any]) -> None:
    if job == "create":
        print(json.dumps(create(path)))
        return
    synchronous = arguments.pop("synchronous", "full")
    with open_sqlite(SQLiteSettings(path=path, synchronous=synchronous)) as store:
        print("ready", flush=True)
        sys.stdin.readline()
        print(json.dumps(JOBS[job](store, **arguments)), flush=True)


JOBS: dict[str, Callable[..., Any]] = {
    job.__name__: job for job in (increment, checkpoint, acknowledge, hold, wait_in_line, long_query)
}

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
