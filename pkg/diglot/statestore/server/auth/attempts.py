"""How often a client may fail to sign in: a number of failures per minute from one address, then it must wait.

There is a token bucket for each client (addresses.py). At most ``KEPT`` clients are remembered, those that failed last.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable

from diglot.statestore.server.auth.addresses import client_of

KEPT = 10_000


class Failures:
    """``wait`` returns how long an address must wait; ``note`` counts a failure. Only for the event loop's thread."""

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self._most = float(per_minute)
        self._per_second = per_minute / 60.0
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Client → how many failures it had left, and when."""

    def wait(self, address: str) -> int:
        """Whole seconds until the next attempt is accepted; 0 if it is accepted now."""
        if not self._left:
            return 0
        left = self._now(client_of(address))
        return 0 if left >= 1.0 else math.ceil((1.0 - left) / self._per_second)

    def note(self, address: str) -> None:
        client = client_of(address)
        self._left[client] = (self._now(client) - 1.0, self._clock())
        self._left.move_to_end(client)
        if len(self._left) > KEPT:
            self._left.popitem(last=False)

    def _now(self, client: str) -> float:
        left, at = self._left.get(client, (self._most, 0.0))
        return min(self._most, left + (self._clock() - at) * self._per_second)
