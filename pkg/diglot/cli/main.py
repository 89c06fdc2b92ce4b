"""The entry point of ``diglot``. It imports nothing heavy before it is ready for Ctrl-C and SIGTERM."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from types import FrameType


class Terminated(KeyboardInterrupt):
    """SIGTERM: handled like Ctrl-C, so that everything is left consistent, but with an exit code of its own."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command of these arguments (None: those of the process); its exit code."""
    try:
        signal.signal(signal.SIGTERM, _terminate)
        from diglot.cli.run import run

        return run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt as interrupt:
        # Whoever is impatient and presses Ctrl-C again while threads end should not see a traceback either.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        terminated = isinstance(interrupt, Terminated)
        print(f"diglot: {'terminated' if terminated else 'interrupted'}", file=sys.stderr)
        return 128 + (signal.SIGTERM if terminated else signal.SIGINT)


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise Terminated
