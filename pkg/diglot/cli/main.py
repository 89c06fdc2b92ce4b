"""The entry point of ``diglot``. It imports nothing heavy before it is ready for Ctrl-C and other signals."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType

ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP: handled like Ctrl-C, to leave everything consistent, but with its own exit code."""

    def __init__(self, number: int = signal.SIGTERM) -> None:
        super().__init__()
        self.number = number


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command with these arguments (None: those of the process) and returns its exit code."""
    try:
        for number in ENDING:
            # nohup starts a program with SIGHUP ignored: it is meant to survive the terminal.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, _terminate)
        from diglot.cli.run import run

        return run(sys.argv[1:], own_process=True) if arguments is None else run(arguments)
    except KeyboardInterrupt as interrupt:
        # A second Ctrl-C while threads end must not show a traceback either.
        for number in (signal.SIGINT, *ENDING):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        terminated = isinstance(interrupt, Terminated)
        with suppress(OSError):  # after SIGHUP the terminal may be gone
            print(f"diglot: {'terminated' if terminated else 'interrupted'}", file=sys.stderr)
        return 128 + (interrupt.number if isinstance(interrupt, Terminated) else signal.SIGINT)


def _terminate(number: int, _frame: FrameType | None) -> None:
    # When a terminal closes, both it and its shell send SIGHUP: the second must not interrupt what the first began.
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    raise Terminated(number)
