"""The connections of a store: handed out to one thread at a time, the one used last first.

Not psycopg_pool, for these reasons, each seen with 3.3: it connects in a thread of its own, so the caller sees no error
for a wrong password, but a log line, a retry for minutes and a PoolTimeout; its other kind connects while it holds
the lock of the whole pool; it rotates through all connections, so all stay cold; it starts four threads; a forked
child inherits it. Here a caller that finds no free connection makes one itself and sees why it can't be made.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable

from diglot.errors import DatabaseUnavailable, PoolTimeout, StoreClosed
from diglot.stores.postgres.connection import Link, may_pass

IDLE = 10 * 60.0
"""Seconds after which an unused connection is closed, down to the pool's minimum."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0


class Pool:
    """At most ``max_size`` connections. ``acquire`` one, ``release`` it, or ``discard`` it when it is broken."""

    def __init__(
        self,
        open_link: Callable[[], Link],
        set_up: Callable[[Link], None],
        *,
        min_size: int,
        max_size: int,
        timeout: float,
    ) -> None:
        self._open_link = open_link
        self._set_up = set_up
        self._min_size = min_size
        self._max_size = max(1, max_size)
        self._timeout = timeout
        self._begin_process()

    def _begin_process(self) -> None:
        self._idle: deque[Link] = deque()
        self._links: set[Link] = set()
        """All that are open."""
        self._places = 0
        """Open, or being opened."""
        self._waiting: deque[_Waiting] = deque()
        self._mutex = threading.Lock()
        self._closed = threading.Event()
        self._was_connected = False
        self.opened = 0
        self.lost = 0
        self.waited = 0.0

    # --- for each statement --------------------------------------------------------------------------------

    def acquire(self, deadline: float, query: str | None = None) -> Link:
        """A connection for this thread alone.

        PoolTimeout if none becomes free in time; DatabaseUnavailable if none can be made. In an outage (there
        has been a connection before) it tries until the deadline: nothing has been sent yet.
        """
        while not self._waiting:
            try:
                link = self._idle.pop()
            except IndexError:
                break
            if link.has_news() or link.used > link.retires:  # link.worn, written out
                self.discard(link)
                continue
            return link
        return self._wait_or_open(deadline, query)

    def release(self, link: Link) -> None:
        """Take it back from its thread, idle."""
        self._idle.append(link)
        # Whoever waits either was in the queue just now, or has looked for a free one after it was put there.
        if self._waiting or self._closed.is_set():
            self._hand_over()
        elif link.used - self._idle[0].used > IDLE:
            self._close_unneeded(link.used)

    def discard(self, link: Link) -> None:
        """Close it, because it is broken or too old, and let the next caller in the queue open another."""
        self._forget(link)
        self._free_place()

    def replace(self, link: Link, deadline: float) -> Link:
        """Close this connection of the caller, and open another in its place."""
        self._forget(link)
        return self._open(deadline)

    def renew(self) -> None:
        """Replace every connection, each when it is not in use."""
        for link in self.links():
            link.retire()

    # --- when none is free ---------------------------------------------------------------------------------

    def _wait_or_open(self, deadline: float, query: str | None) -> Link:
        started = time.monotonic()
        with self._mutex:
            if self._closed.is_set():
                raise StoreClosed(query=query)
            if self._places < self._max_size:
                self._places += 1
                waiting = None
            else:
                waiting = _Waiting()
                self._waiting.append(waiting)
        if waiting is not None:
            self._hand_over()
            try:
                link = self._wait(waiting, min(self._timeout, deadline - started), query)
            finally:
                with self._mutex:
                    self.waited += time.monotonic() - started
            if link is not None:
                return link
        return self._open(deadline)

    def _wait(self, waiting: _Waiting, seconds: float, query: str | None) -> Link | None:
        """The connection that becomes free; None if the caller may open one instead."""
        try:
            served = waiting.wait(max(0.0, seconds))
        except BaseException:  # Ctrl-C while it waits: pass what it was given on to the next
            if not self._leave(waiting):
                self._pass_on(waiting)
            raise
        if not served and self._leave(waiting):
            raise PoolTimeout(
                f"no connection was free in {seconds:g} s: all {self._max_size} are in use (pool_max); "
                "nothing was sent",
                query=query,
            )
        if self._closed.is_set():
            self._pass_on(waiting)
            raise StoreClosed(query=query)
        return waiting.link

    def _leave(self, waiting: _Waiting) -> bool:
        """Leave the queue; False if it was served in the meantime."""
        with self._mutex:
            try:
                self._waiting.remove(waiting)
            except ValueError:
                return False
            return True

    def _pass_on(self, waiting: _Waiting) -> None:
        if waiting.link is not None:
            self.release(waiting.link)
        else:
            self._free_place()

    def _hand_over(self) -> None:
        """Hand free connections to the waiting threads, in their order; to nobody once the pool is closed."""
        closed = self._closed.is_set()
        while (self._waiting or closed) and self._idle:
            with self._mutex:
                try:
                    link = self._idle.pop()
                except IndexError:
                    return
                if not closed and self._waiting and not link.worn:
                    self._waiting.popleft().serve(link)
                    continue
            if closed or link.worn:
                self.discard(link)
            else:
                self._idle.append(link)  # the waiting thread was served by another

    def _free_place(self) -> None:
        with self._mutex:
            if self._waiting and not self._closed.is_set():
                self._waiting.popleft().serve(None)
            else:
                self._places -= 1

    # --- opening and closing -------------------------------------------------------------------------------

    def _open(self, deadline: float) -> Link:
        """Open one for the place that this thread has; give the place up if that fails."""
        pause = _FIRST_PAUSE
        try:
            while True:
                try:
                    link = self._open_one()
                except DatabaseUnavailable as error:
                    seconds = pause * random.uniform(0.5, 1.0)  # noqa: S311
                    late = time.monotonic() + seconds >= deadline
                    if late or not self._was_connected or not may_pass(error) or self._closed.wait(seconds):
                        raise
                    pause = min(_LONGEST_PAUSE, pause * 2)
                else:
                    return link
        except BaseException:
            self._free_place()
            raise

    def _open_one(self) -> Link:
        link = self._open_link()
        with self._mutex:
            self._links.add(link)  # before anything is sent, so that the watchdog sees it
        try:
            self._set_up(link)
        except BaseException:
            self._forget(link)
            raise
        self.opened += 1
        self._was_connected = True
        return link

    def _forget(self, link: Link) -> None:
        with self._mutex:
            self._links.discard(link)
            self.lost += link.lost or link.has_news()
        link.close()

    def _close_unneeded(self, now: float) -> None:
        with self._mutex:
            if len(self._links) <= self._min_size or not self._idle or now - self._idle[0].used <= IDLE:
                return
            link = self._idle.popleft()
        self.discard(link)

    def close(self) -> None:
        """Close free connections now, those in use when they are released. Waiting callers get StoreClosed."""
        with self._mutex:
            self._closed.set()
            for waiting in self._waiting:
                self._places += 1
                waiting.serve(None)
            self._waiting.clear()
        self._hand_over()

    # --- seen from outside ---------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        return self._closed.is_set()

    def links(self) -> list[Link]:
        with self._mutex:
            return list(self._links)

    def statistics(self) -> dict[str, float]:
        with self._mutex:
            return {
                "database_connection_pool_max": float(self._max_size),
                "database_connection_pool_size": float(len(self._links)),
                "database_connection_pool_active": float(len(self._links) - len(self._idle)),
                "database_connections_opened_total": float(self.opened),
                "database_connections_lost_total": float(self.lost),
                "database_connection_pool_waiting": float(len(self._waiting)),
                "database_connection_pool_wait_seconds_total": self.waited,
            }


class _Waiting:
    """A thread's place in the queue, until it is served with a connection, or with None: it may open one."""

    def __init__(self) -> None:
        self.link: Link | None = None
        self._served = threading.Lock()
        self._served.acquire()

    def serve(self, link: Link | None) -> None:
        self.link = link
        self._served.release()

    def wait(self, seconds: float) -> bool:
        return self._served.acquire(timeout=seconds)
