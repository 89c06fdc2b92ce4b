"""The gate between processes and the turns of threads: first come, first served, and nobody waits for the dead."""

from __future__ import annotations

import fcntl
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from diglot.errors import ConfigurationError, DatabaseReadOnly, DatabaseUnavailable
from diglot.stores.sqlite.gate import LINES, Gate
from diglot.stores.sqlite.turns import Turns
from tests.stores.sqlite.workload import wait_until

pytestmark = pytest.mark.sqlite


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app.db-gate"


@pytest.fixture(params=[pytest.param(True, id="line"), pytest.param(False, id="no line")])
def gates(request: pytest.FixtureRequest, path: Path) -> Iterator[list[Gate]]:
    """Five gates on one file: as many processes."""
    made = [Gate(path, lines=request.param and LINES) for _ in range(5)]
    yield made
    for gate in made:
        gate.close()


def test_only_one_is_inside(gates: list[Gate]) -> None:
    first, second, *_ = gates
    assert first.acquire(0) == 0.0
    assert (first.held, second.held) == (True, False)
    with pytest.raises(TimeoutError, match="another process is writing"):
        second.acquire(0)
    first.release()
    second.acquire(0)
    assert (first.held, second.held) == (False, True)
    second.release()


def test_a_wait_ends_at_its_timeout(gates: list[Gate]) -> None:
    first, second, *_ = gates
    first.acquire(0)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        second.acquire(0.1)
    assert 0.1 <= time.monotonic() - began < 10
    first.release()
    assert second.acquire(1) == 0.0, "nothing is left of the wait"


def test_who_waited_gets_in_and_knows_how_long_it_took(gates: list[Gate]) -> None:
    first, second, *_ = gates
    first.acquire(0)
    waited: list[float] = []
    thread = threading.Thread(target=lambda: waited.append(second.acquire(5)))
    thread.start()
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 0.05)
    first.release()
    thread.join()
    assert second.held
    assert 0.04 < waited[0] < 1


def test_the_line_is_in_the_order_in_which_they_came(path: Path) -> None:
    first, *others = [Gate(path, lines=True) for _ in range(6)]
    first.acquire(0)
    order: list[int] = []

    def pass_through(number: int, gate: Gate) -> None:
        gate.acquire(10)
        order.append(number)
        gate.release()

    threads = []
    for number, gate in enumerate(others):
        threads.append(threading.Thread(target=pass_through, args=(number, gate)))
        threads[-1].start()
        wait_until(lambda number=number: first.waiting() == number + 1)  # type: ignore[misc]
    first.release()
    with pytest.raises(TimeoutError):
        first.acquire(0)  # the line is before the one that has just left
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]
    assert first.waiting() == 0
    for gate in (first, *others):
        gate.close()


def test_who_gives_up_leaves_the_line(path: Path) -> None:
    first, second, third = (Gate(path, lines=True) for _ in range(3))
    first.acquire(0)
    with pytest.raises(TimeoutError):
        second.acquire(0)
    assert first.waiting() == 0
    first.release()
    third.acquire(0)
    for gate in (first, second, third):
        gate.close()


def test_without_a_line_nobody_is_counted(path: Path) -> None:
    gate = Gate(path, lines=False)
    assert gate.waiting() == 0
    assert Gate(path, lines=True).waiting() == 0


def test_counting_while_another_thread_enters_does_not_keep_the_gate_shut(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, other = Gate(path), Gate(path)
    path.touch(0o600)
    opened = os.open

    def open_late(*arguments: Any) -> int:
        monkeypatch.setattr(os, "open", opened)
        descriptor = opened(*arguments)
        gate.acquire(0)
        return descriptor

    monkeypatch.setattr(os, "open", open_late)
    assert gate.waiting() == 0
    assert gate.held
    gate.release()
    assert other.acquire(0) == 0.0


def test_an_interrupt_leaves_the_gate_open(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = (Gate(path) for _ in range(3))
    first.acquire(0)

    def interrupt(_: float) -> None:
        first.release()
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        second.acquire(5)
    assert not second.held
    third.acquire(0)
    for gate in (first, second, third):
        gate.close()


def test_an_interrupt_just_after_the_lock_leaves_the_gate_open(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Gate(path), Gate(path)
    flock = fcntl.flock

    def interrupted(descriptor: int, how: int) -> None:
        flock(descriptor, how)
        if how & fcntl.LOCK_EX:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(fcntl, "flock", interrupted)
        first.acquire(0)
    assert not first.held
    second.acquire(0)
    first.close()
    second.close()


def test_the_gate_is_a_private_file_that_opens_again(path: Path) -> None:
    gate = Gate(path)
    gate.close()
    assert not path.exists()
    gate.acquire(0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    gate.close()
    assert not gate.held
    gate.acquire(0)
    gate.close()


def test_a_gate_that_can_not_be_opened_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(ConfigurationError):
        Gate(tmp_path / "link").acquire(0)
    with pytest.raises(DatabaseUnavailable):
        Gate(tmp_path / "no folder" / "gate").acquire(0)
    if os.geteuid() != 0:
        tmp_path.chmod(0o500)
        with pytest.raises(DatabaseReadOnly):
            Gate(tmp_path / "gate").acquire(0)
        tmp_path.chmod(0o700)


# --- turns -------------------------------------------------------------------------------------------------


def test_one_turn_of_the_gate_serves_the_threads_that_wait_at_that_moment(path: Path) -> None:
    turns, other, another = Turns(Gate(path)), Gate(path), Gate(path)
    assert turns.gate is not None
    order: list[str] = []

    def take(name: str) -> None:
        me = threading.get_ident()
        turns.acquire(me, 10)
        order.append(name)
        turns.release()

    def start(name: str) -> threading.Thread:
        thread = threading.Thread(target=take, args=(name,))
        queued = turns.queued
        thread.start()
        wait_until(lambda: turns.queued == queued + 1)
        return thread

    def elsewhere() -> None:
        another.acquire(10)
        order.append("other process")
        another.release()

    other.acquire(0)
    me = threading.get_ident()
    first = threading.Thread(target=lambda: take("first"))
    first.start()
    wait_until(lambda: turns.owner == first.ident and other.waiting() == 1)
    threads = [start("second"), start("third")]
    in_line = threading.Thread(target=elsewhere)
    in_line.start()
    wait_until(lambda: other.waiting() == 2)
    other.release()
    for thread in (first, *threads, in_line):
        thread.join()
    assert order == ["first", "second", "third", "other process"]

    # Who comes after the round has begun waits for the next one, behind the other process.
    order.clear()
    turns.acquire(me, 10)
    threads = [start("late"), start("later")]
    in_line = threading.Thread(target=elsewhere)
    in_line.start()
    wait_until(lambda: turns.gate is not None and turns.gate.waiting() == 1)
    turns.release()
    for thread in (*threads, in_line):
        thread.join()
    assert order == ["other process", "late", "later"]
    turns.close_gate()
    other.close()
    another.close()


def test_a_turn_that_comes_at_the_last_moment_is_taken() -> None:
    turns = Turns(None)
    turns.acquire(1, 0)
    waiting = threading.Thread(target=lambda: turns.acquire(2, 5))
    waiting.start()
    wait_until(lambda: turns.queued == 1)
    [waiter] = turns._waiting
    # Time is up, but before this thread has left the queue the turn is handed to it.
    turns.release()
    waiting.join()
    assert turns.owner == 2
    assert not turns._leave(waiter)
    turns.release()
    assert turns.owner is None


def test_an_interrupted_wait_leaves_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = Turns(None)
    turns.acquire(1, 0)

    class Interrupted:
        def __init__(self) -> None:
            self.thread = 2

        def acquire(self, timeout: float = 0) -> bool:
            raise KeyboardInterrupt

    class Waiter:
        def __init__(self, thread: int) -> None:
            self.thread = thread
            self.called = Interrupted()

    monkeypatch.setattr("diglot.stores.sqlite.turns._Waiter", Waiter)
    with pytest.raises(KeyboardInterrupt):
        turns.acquire(2, 5)
    assert (turns.queued, turns.owner) == (0, 1)


def test_a_turn_that_an_interrupt_kept_from_being_given_back_is_found_again() -> None:
    turns = Turns(None)
    turns.acquire(1, 0)
    turns.acquire(1, 0)
    turns.release()
    turns.acquire(2, 0)
    assert turns.owner == 2
    turns.close_gate()  # there is none


def test_a_turn_without_the_gate_is_still_given_back(path: Path) -> None:
    turns, other = Turns(Gate(path)), Gate(path)
    other.acquire(0)
    with pytest.raises(TimeoutError):
        turns.acquire(1, 0)
    assert turns.owner == 1
    turns.release()
    assert turns.owner is None
    assert turns.waited >= 0
    other.close()
    turns.close_gate()
