"""Ends calls whose answer does not come: libpq waits for ever when the network swallows it.

One thread a store, started with its first connection and ended with ``close``. A call notes when it expires on its
connection, which costs an attribute; the thread sleeps until the earliest of these times and shuts the socket of a
connection that is past its own, so that the waiting call fails.
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
        """A call that expires earlier than this has to ``wake`` it."""
        self._links = links
        self._rest = rest
        self._bell = threading.Event()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, if it does not run yet. It ends by itself when the store is forgotten without a close."""
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
        """Cut what is overdue; when to look again, None when it was stopped."""
        if self._stopped:
            return None
        # Whoever begins a call from here on wakes the thread: this look may miss that call.
        self.wakes_at = INFINITE
        now = time.monotonic()
        # While nothing runs, the next call expires after ``rest`` at the earliest, so that long nobody has to wake it.
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
