"""The real program, ``diglot start``, as a process of its own on a free port."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import httpx

from tests.cli.running import COMMAND

SECONDS = 120.0


def until(condition: Callable[[], Any]) -> Any:
    """Wait for a condition, with a deadline; what it found."""
    deadline = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)
    return found


class Service:
    """Starts it and waits until it listens; at the end stops it, and ``exit_code`` must have been looked at."""

    def __init__(self, *arguments: str, cwd: Path, env: dict[str, str] | None = None) -> None:
        self.lines: list[dict[str, Any]] = []
        self.raw: list[str] = []
        self._news: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.process = subprocess.Popen(
            [*COMMAND, "start", "--port", "0", "--log-format", "json", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
            env={**os.environ, **(env or {})},
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        try:
            self.url = str(self.wait_for("listening")["url"])
        except BaseException:
            self.kill()
            raise
        self.http = httpx.Client(base_url=self.url, timeout=SECONDS, trust_env=False)

    def wait_for(self, event: str) -> dict[str, Any]:
        """The next line of the log with this event."""
        while True:
            line = self._news.get(timeout=SECONDS)
            if line is None:
                raise AssertionError(f"it ended with {self.process.wait()}: {''.join(self.raw)}")
            if line.get("event") == event:
                return line

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; its exit code."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """Its exit code, once it has ended."""
        code = self.process.wait(SECONDS)
        self._reader.join(SECONDS)
        return code

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.process.stdout.close()
        self.process.stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.http.close()
        self.kill()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for text in self.process.stderr:
            self.raw.append(text)
            try:
                line = json.loads(text)
            except ValueError:
                continue
            self.lines.append(line)
            self._news.put(line)
        self._news.put(None)
