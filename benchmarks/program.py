"""The real program, ``diglot start``, as a process of its own, with its log in a file as a service has it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import psutil

_COMMAND = [sys.executable, "-c", "import sys; from diglot.cli.main import main; sys.exit(main())", "start"]
_PATIENCE = 30.0


class Program:
    """Runs until the end of ``with``, where it must stop as it should; ``url`` is where it listens."""

    def __init__(self, database_url: str, folder: Path, *arguments: str) -> None:
        self.log = folder / "service.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*_COMMAND, "--port", "0", "--log-format", "json", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd=folder,
                env={**os.environ, "DATABASE_URL": database_url},
            )
        try:
            self.url = self._wait_until_it_listens()
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise

    def _wait_until_it_listens(self) -> str:
        deadline = time.monotonic() + _PATIENCE
        while True:
            for line in self.lines():
                if line["event"] == "listening":
                    return str(line["url"])
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the service did not start: {self.log.read_text()}")
            time.sleep(0.02)

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged."""
        complete = self.log.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in complete.splitlines()]

    def processor_seconds(self) -> float:
        """How long it has worked until now: unlike a time by the clock, nearly the same on a busy machine."""
        used = psutil.Process(self.process.pid).cpu_times()
        return float(used.user + used.system)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        if code != 0:
            raise RuntimeError(f"the service ended with exit code {code}: {self.log.read_text()[-2000:]}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
