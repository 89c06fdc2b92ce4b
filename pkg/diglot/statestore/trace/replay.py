"""Replays a plan into a database, as the engine that ran the workflow would have written it.

Executions that are played at once have their own threads. First every task is PENDING; then each step is one
transaction that locks the row, changes it and commits: whenever a replay is killed, the database has a state that was
once true. If asked to stop, a replay finishes its current step and ends each execution in one last transaction, with
everything unfinished CANCELED. ``complete`` ends an execution that ran to its end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Event
from typing import TYPE_CHECKING

from msgspec import Struct

from diglot.errors import DiglotError
from diglot.statestore.models import Status
from diglot.statestore.trace.execution import SIZES, Execution, Sizes
from diglot.statestore.trace.latency import Latencies, Meter, latencies
from diglot.statestore.trace.plan import Plan, Step

if TYPE_CHECKING:
    from diglot.statestore.database import Database


LONGEST_WAIT = 3600.0
"""Seconds; a longer wait is split into several, because the system limits a single wait."""


class Run(Struct, frozen=True):
    """One execution: the status that it was left in, None if nothing of it was stored.

    ``error`` is the reason that the end of an interrupted execution could not be stored; ``status`` is then the last
    one known, None if there is none.
    """

    workflow_exec_id: str
    status: Status | None
    seconds: float
    error: Exception | None = None


class Result(Struct, frozen=True):
    """What a replay did. ``error`` or ``interrupt`` is what ended it early; both are None if it ran to its end."""

    runs: list[Run]
    latencies: Latencies
    seconds: float
    interrupt: KeyboardInterrupt | None
    error: Exception | None


def replay(
    db: Database,
    plan: Plan,
    *,
    new_id: Callable[[], str],
    concurrency: int = 1,
    repeat: int = 1,
    speed: float | None = None,
    watch: Callable[[int], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
    longest_wait: float = LONGEST_WAIT,
    sizes: Sizes = SIZES,
) -> Result:
    """Play the plan ``repeat`` times in each of ``concurrency`` threads: concurrency * repeat executions.

    ``speed``: real time divided by this; None: as fast as possible. ``watch`` is called ten times a second, in this
    thread, with the number of steps done (of ``len(plan.steps)`` per execution). KeyboardInterrupt ends the replay
    cleanly: the result has it, and how each execution was left. A database error ends it too.
    """
    stop = Event()
    players = [_Player(db, plan, stop, new_id, speed, clock, longest_wait, sizes) for _ in range(concurrency)]
    interrupt = None
    began = clock()
    with ThreadPoolExecutor(concurrency, thread_name_prefix="replay") as pool:
        futures: list[Future[None]] = []
        try:
            futures.extend(pool.submit(player.play, repeat) for player in players)
            unfinished = True
            while unfinished:
                unfinished = bool(wait(futures, timeout=0.1).not_done)
                if watch is not None:
                    watch(sum(player.steps for player in players))
        except KeyboardInterrupt as asked:
            interrupt = asked
        finally:
            stop.set()
            _wait_for_all(futures)
    return Result(
        runs=[run for player in players for run in player.runs],
        latencies=latencies(player.meter for player in players),
        seconds=clock() - began,
        interrupt=interrupt,
        error=next((player.error for player in players if player.error is not None), None),
    )


def _wait_for_all(futures: Sequence[Future[None]]) -> None:
    """Waits to the end: executions are being ended cleanly, which a second Ctrl-C must not interrupt."""
    while True:
        try:
            wait(futures)
            return
        except KeyboardInterrupt:
            continue


class _Stopped(Exception):
    """The replay was asked to stop."""


class _Player:
    """One thread's executions, one after the other."""

    def __init__(
        self,
        db: Database,
        plan: Plan,
        stop: Event,
        new_id: Callable[[], str],
        speed: float | None,
        clock: Callable[[], float],
        longest_wait: float,
        sizes: Sizes,
    ) -> None:
        self._longest_wait, self._sizes = longest_wait, sizes
        self._db, self._plan, self._stop, self._new_id = db, plan, stop, new_id
        self._speed, self._clock = speed, clock
        self.meter = Meter()
        self.steps = 0
        self.runs: list[Run] = []
        self.error: Exception | None = None

    def play(self, repeat: int) -> None:
        for _ in range(repeat):
            if self._stop.is_set():
                return
            began = self._clock()
            execution = Execution(self._db, self._plan, self.meter, self._new_id, self._sizes)
            status: Status | None
            unended: Exception | None = None
            try:
                self._play(execution)
                status = execution.complete()
            except _Stopped:
                status, unended = self._leave(execution, "CANCELED")
            except Exception as error:
                self.error = error
                self._stop.set()
                status, unended = self._leave(execution, "FAILED")
            self.runs.append(Run(execution.id, status, self._clock() - began, unended))

    def _play(self, execution: Execution) -> None:
        for create in execution.creation():
            self._go_on()
            create()
        began = self._clock()
        for step in self._plan.steps:
            self._wait_until(began, step)
            execution.step(step)
            self.steps += 1

    def _wait_until(self, began: float, step: Step) -> None:
        if self._speed is not None:
            due = began + step.at / self._speed
            while (delay := due - self._clock()) > 0 and not self._stop.is_set():
                self._stop.wait(min(delay, self._longest_wait))
        self._go_on()

    def _go_on(self) -> None:
        if self._stop.is_set():
            raise _Stopped

    def _leave(self, execution: Execution, status: Status) -> tuple[Status | None, Exception | None]:
        """End an execution early; if the database refuses even that, the execution stays as it is."""
        try:
            return execution.leave(status), None
        except DiglotError as error:
            return ("RUNNING" if execution.created else None), error
