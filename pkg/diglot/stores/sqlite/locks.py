"""Which other process holds a SQLite lock on a file, from ``/proc/locks``; unknown on systems other than Linux.

The file itself must not be opened for this: closing it again would drop the locks that SQLite holds on it in this
process.
"""

from __future__ import annotations

import os
from pathlib import Path

LOCKS = Path("/proc/locks")
_WRITE_LOCK = 120
"""The byte of the ``-shm`` that a writer to the write-ahead log locks."""


def foreign_writer(path: Path, locks: Path = LOCKS) -> int | None:
    """The id of another process that keeps this one from writing to the database; None if there is none."""
    try:
        main, shared = path.stat(), path.with_name(path.name + "-shm").stat()
        lines = locks.read_text().splitlines()
    except (OSError, ValueError):
        return None
    for line in lines:
        # 1: POSIX  ADVISORY  WRITE 4711 fe:00:2328993 120 120
        fields = line.split()
        if len(fields) != 8 or fields[1] != "POSIX" or fields[3] != "WRITE" or not fields[4].isdigit():
            continue
        process, file = int(fields[4]), fields[5].rsplit(":", 1)[-1]
        if process in (0, os.getpid()):
            continue
        exclusive = file == str(main.st_ino)
        writing = (
            file == str(shared.st_ino) and fields[6].isdigit() and int(fields[6]) <= _WRITE_LOCK <= _end(fields[7])
        )
        if exclusive or writing:
            return process
    return None


def _end(text: str) -> int:
    return int(text) if text.isdigit() else _WRITE_LOCK  # EOF
