"""The read-only connections of a store, opened when they are first needed, each handed out to one thread at a time.

The free ones are in a ``SimpleQueue``: taking and returning one is two calls in C. None in the queue means that there
will be no more, and stays there. A connection that an interrupt has orphaned is closed by its finalizer and no longer
counted.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from queue import Empty, SimpleQueue

from diglot.errors import PoolTimeout
from diglot.stores.sqlite.connection import Link


class Readers:
    """Callers take from ``idle``, call ``lease`` if it is empty, and ``put`` connections back into ``idle``."""

    def __init__(self, connect: Callable[[], Link], limit: int, timeout: float) -> None:
        self.idle: SimpleQueue[Link | None] = SimpleQueue()
        self._connect = connect
        self._limit = max(1, limit)
        self._timeout = timeout
        self._opened: list[weakref.ref[Link]] = []
        self._mutex = threading.Lock()

    @property
    def links(self) -> list[Link]:
        """Every open connection, free or not."""
        return [link for reference in self._opened if (link := reference()) is not None]

    def lease(self) -> Link | None:
        """A free connection, a new one while there are fewer than the limit, else the next that becomes free.

        None if the pool is closed; PoolTimeout if none became free.
        """
        with self._mutex:
            opened = self.links
            if len(opened) < self._limit and self.idle.empty():
                link = self._connect()
                self._opened = [weakref.ref(each) for each in (*opened, link)]
                return link
        try:
            found = self.idle.get(timeout=self._timeout)
        except Empty:
            raise PoolTimeout(
                f"all {self._limit} read connections were in use for {self._timeout:g} s: "
                "end snapshots sooner, or raise the number of readers"
            ) from None
        if found is None:
            self.idle.put(None)
        return found

    def discard(self, link: Link) -> None:
        """Close a connection that is in use instead of putting it back."""
        link.connection.close()
        with self._mutex:
            self._opened = [weakref.ref(each) for each in self.links if each is not link]

    def take_all(self, timeout: float) -> list[Link] | None:
        """Wait until every connection is free and take them all; None if some were not free in time."""
        until = time.monotonic() + timeout
        taken: list[Link] = []
        with self._mutex:
            while len(taken) < len(self.links):
                try:
                    link = self.idle.get(timeout=max(0.0, until - time.monotonic()))
                except Empty:
                    for each in taken:
                        self.idle.put(each)
                    return None
                if link is not None:
                    taken.append(link)
            self.idle.put(None)
        return taken
