"""Ends calls whose answer does not come: libpq waits forever if the network loses it.

One thread for each store, started with its first connection and ended by ``close``. A call sets its deadline on its
connection, which costs one attribute; the thread sleeps until the earliest deadline and shuts the socket of a
connection that is past it, so that the waiting call fails.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterable

from diglot.stores.postgres.connection import INFINITE, Link

Links = Callable[[], Iterable[Link]]


class Watchdog:
    """``links`` gives the connections that are open now; ``rest`` is the longest it sleeps, in seconds."""

    def __init__(self, links: Links, rest: float) -> None:
        self.wakes_at = -INFINITE
        """A call that expires earlier than this must ``wake`` the thread."""
        self._links = links
        self._rest = rest
        self._bell = threading.Event()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, if it does not run yet. It ends by itself if the store is dropped without a close."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=_watch, args=(weakref.ref(self), self._bell), name="diglot-watchdog", daemon=True
            )
            self._thread.start()

    def wake(self) -> None:
        self._bell.set()

    def stop(self) -> None:
        self._stopped = True
        self._bell.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def look(self) -> float | None:
        """Shut down what is overdue; the time to look again, None once it was stopped."""
        if self._stopped:
            return None
        # Calls that begin from here on wake the thread: this round may miss them.
        self.wakes_at = INFINITE
        now = time.monotonic()
        # While nothing runs, the next call expires after ``rest`` at the earliest: until then nobody needs to wake it.
        soonest = now + self._rest
        for link in self._links():
            expires = link.expires
            if expires <= now:
                link.cut(expires)
            else:
                soonest = min(soonest, expires)
        self.wakes_at = soonest
        return soonest


def _watch(watchdog: weakref.ref[Watchdog], bell: threading.Event) -> None:
    while True:
        bell.clear()
        alive = watchdog()
        soonest = alive.look() if alive is not None else None
        if soonest is None:
            return
        del alive
        bell.wait(max(0.0, soonest - time.monotonic()))
