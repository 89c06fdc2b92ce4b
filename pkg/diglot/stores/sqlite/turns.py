"""Whose turn it is to use the writer connection: threads in order of arrival, processes through the gate.

A turn is handed over, not released, so nobody can jump the queue. Once this process has passed the gate, it keeps it
for one round: the threads that were waiting at that moment. So a thread among many gets the same share as one that is
alone in its process. Waiting counts towards the caller's timeout.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque

from diglot.stores.sqlite.gate import Gate


class Turns:
    """A first-come-first-served lock with a gate behind it (None: no other process can write).

    Callers do ``try: acquire … finally: if turns.owner == me: release``: an interrupt may come at any moment in
    between, and ``owner`` alone says whether the turn is ours.
    """

    def __init__(self, gate: Gate | None) -> None:
        self.owner: int | None = None
        self.waited = 0.0
        self.gate = gate
        self._waiting: deque[_Waiter] = deque()
        self._round = 0
        self._mutex = threading.Lock()

    @property
    def queued(self) -> int:
        """Threads that wait now."""
        return len(self._waiting)

    def acquire(self, me: int, timeout: float, at_gate: float = math.inf) -> None:
        """Wait for the turn of thread ``me``, and for the gate. TimeoutError after ``timeout`` seconds.

        If the gate was the reason, the turn is already ours and the caller gives it back as always; ``at_gate``:
        the longest wait there.
        """
        with self._mutex:
            # Ours already: an interrupt kept this thread from giving its last turn back.
            if self.owner is None or self.owner == me:
                self.owner = me
                waiter = None
            else:
                waiter = _Waiter(me)
                self._waiting.append(waiter)
        if waiter is not None:
            started = time.monotonic()
            self._wait(waiter, timeout)
            took = time.monotonic() - started
            self.waited += took
            timeout = max(0.0, timeout - took)
        gate = self.gate
        if gate is not None and not gate.held:
            self.waited += gate.acquire(min(timeout, at_gate))
            self._round = len(self._waiting)

    def release(self) -> None:
        """Hand the turn to the next thread; after the last of the round open the gate."""
        with self._mutex:
            gate = self.gate
            if gate is not None and gate.held:
                self._round -= 1
                if self._round < 0 or not self._waiting:
                    gate.release()
            if self._waiting:
                # An interrupt comes after a call, so there is none until all of it is done.
                following = self._waiting[0]
                del self._waiting[0]
                self.owner = following.thread
                following.called.release()
            else:
                self.owner = None

    def close_gate(self) -> None:
        """Close the gate's file; called by the owner of the turn, or if there can be no other thread."""
        if self.gate is not None:
            self.gate.close()

    def _wait(self, waiter: _Waiter, timeout: float) -> None:
        try:
            if waiter.called.acquire(timeout=timeout):
                return
        except BaseException:
            self._leave(waiter)
            raise
        if self._leave(waiter):
            raise TimeoutError("another thread is writing")

    def _leave(self, waiter: _Waiter) -> bool:
        """Leave the queue; False if the turn came at the last moment (then it is ours)."""
        with self._mutex:
            if waiter not in self._waiting:
                return False
            self._waiting.remove(waiter)
            return True


class _Waiter:
    __slots__ = ("called", "thread")

    def __init__(self, thread: int) -> None:
        self.thread = thread
        self.called = threading.Lock()
        self.called.acquire()
