"""The gate for processes that write to one SQLite file: one at a time, in order of arrival.

SQLite's own wait is a race that starves some processes for seconds. The gate is a flock on a file next to the
database, so it is released when its owner dies. A process that finds it closed takes a place in a line: an
open-file-description lock on one byte of that file, after the last locked byte. Only the first in the line tries the
gate. It polls with short sleeps, so a timeout is exact and Ctrl-C works; the line makes that fair, and because new
arrivals check the line first, a process that has just left the gate can't go straight in again.
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path

from diglot.stores.sqlite.path import PRIVATE_FILE, lock_refused, refused

# Only Linux has locks of open file descriptions in Python; elsewhere the line is left out and luck decides.
LINES = sys.platform == "linux" and hasattr(fcntl, "F_OFD_SETLK")
SHORTEST_SLEEP, LONGEST_SLEEP = 0.000_1, 0.005
# After this long with the same process at the head of the line, others try the gate too: it may be stopped.
PATIENCE = 0.25


class Gate:
    """For one thread at a time (``Turns`` ensures it) except ``waiting``; two of one process exclude each other."""

    def __init__(self, path: Path, *, lines: bool = LINES) -> None:
        self.path = path
        self.held = False
        self._descriptor = -1
        self._lines = lines

    def acquire(self, timeout: float) -> float:
        """Wait until the gate is ours; the seconds waited. TimeoutError after ``timeout`` seconds.

        Errors of the operating system become DatabaseUnavailable, DatabaseReadOnly or another of our errors.
        """
        descriptor = self._descriptor if self._descriptor >= 0 else self._open()
        try:
            if not self._lines or fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _ANYBODY)[:2] == _NOBODY:
                try:
                    fcntl.flock(descriptor, _TRY)
                except BlockingIOError:
                    pass
                else:
                    self.held = True
                    return 0.0
            return self._wait(descriptor, timeout)
        except BaseException as error:
            self.release()  # an interrupt may have come just after the lock
            if isinstance(error, OSError) and error.errno is not None:  # TimeoutError is an OSError too, without one
                raise lock_refused(self.path, error) from error
            raise

    def release(self) -> None:
        """Open the gate for the next."""
        self.held = False
        if self._descriptor >= 0:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            except OSError:
                self.close()  # no lock outlives its descriptor

    def waiting(self) -> int:
        """How many processes are in the line now; 0 if there is no line. Any thread may call it at any time."""
        if not self._lines:
            return 0
        try:  # a descriptor of its own: the gate's is for the owner of the turn, who opens and closes it
            descriptor = os.open(self.path, _FLAGS)
        except OSError:
            return 0  # there is no file yet, or it can't be opened
        count = place = 0
        try:
            with suppress(OSError):
                while place := _first_in_line(descriptor, place + 1):
                    count += 1
        finally:
            os.close(descriptor)
        return count

    def close(self) -> None:
        """Close the file; the gate opens it again on demand."""
        descriptor, self._descriptor, self.held = self._descriptor, -1, False
        if descriptor >= 0:
            with suppress(OSError):  # it is closed even if the operating system reports an error
                os.close(descriptor)

    def _open(self) -> int:
        try:
            self._descriptor = os.open(self.path, _FLAGS | os.O_CREAT, PRIVATE_FILE)
        except OSError as error:
            raise refused(self.path, error) from error
        return self._descriptor

    def _wait(self, descriptor: int, timeout: float) -> float:
        started = since = time.monotonic()
        place = _take_place(descriptor) if self._lines else 1
        before = -1
        try:
            while True:
                first = _first_in_line(descriptor, 1, place - 1) if place > 1 else 0
                now = time.monotonic()
                if first != before:
                    before, since = first, now
                stuck = now - since
                if (not first or stuck > PATIENCE) and _try(descriptor):
                    self.held = True
                    return now - started
                if now - started >= timeout:
                    raise TimeoutError("another process is writing")
                if stuck > PATIENCE:
                    since = now
                time.sleep(min(_pause(stuck, place - first if first else 0), timeout - (now - started)))
        finally:
            if self._lines:
                try:
                    _lock(descriptor, fcntl.F_UNLCK, place)
                except OSError:
                    self.close()  # or the place would remain taken
                    raise


def _pause(stuck: float, ahead: int) -> float:
    """Short for the first in the line, which must be there when the gate opens, longer for the others."""
    return min(max(SHORTEST_SLEEP * (1 + 2 * ahead), stuck / 8), LONGEST_SLEEP)


_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
_TRY = fcntl.LOCK_EX | fcntl.LOCK_NB


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, _TRY)
    except BlockingIOError:
        return False
    return True


# --- the line: byte 1 and those after it, each locked by a waiting process -------------------------------------

# struct flock of Linux: l_type, l_whence, l_start, l_len, l_pid (0 for these locks)
_FLOCK = struct.Struct("hhqqi")
_START = struct.Struct("hhq")
_ANYBODY = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 1, 0, 0)
_NOBODY = _FLOCK.pack(fcntl.F_UNLCK, os.SEEK_SET, 1, 0, 0)[:2]


def _first_in_line(descriptor: int, start: int, length: int = 0) -> int:
    """The first byte from ``start`` that another waits on; 0 when nobody does. Length 0: to the end."""
    asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
    answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, asked)
    kind, _, first = _START.unpack_from(answer)
    return 0 if kind == fcntl.F_UNLCK else int(first)


def _lock(descriptor: int, kind: int, place: int) -> bool:
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _FLOCK.pack(kind, os.SEEK_SET, place, 1, 0))
    except BlockingIOError:
        return False
    return True


def _take_place(descriptor: int) -> int:
    """The place after everybody in the line."""
    place = 1
    while True:
        taken = _first_in_line(descriptor, place)
        if taken:
            place = taken + 1
        elif _lock(descriptor, fcntl.F_WRLCK, place):
            return place
