"""Records when keys were last used, in the background: no request waits for it, and under load it is skipped."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context


class Uses:
    """Passes keys to ``note_use`` in its own thread, each once at a time. ``note`` is for the event loop.

    At most ``most`` keys wait to be recorded; others are recorded when they are used again.
    """

    def __init__(self, note_use: Callable[[str], None], most: int = 1000) -> None:
        self._most = most
        self._note_use = note_use
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="diglot-uses")
        self._waiting: set[str] = set()

    def note(self, key_id: str) -> None:
        """Record that this key was used just now."""
        if key_id not in self._waiting and len(self._waiting) < self._most:
            self._waiting.add(key_id)
            self._executor.submit(copy_context().run, self._write, key_id)  # the log names the request

    def close(self) -> None:
        """Wait for the key that is being recorded; the others are dropped."""
        self._executor.shutdown(cancel_futures=True)

    def _write(self, key_id: str) -> None:
        try:
            self._note_use(key_id)
        finally:
            self._waiting.discard(key_id)
