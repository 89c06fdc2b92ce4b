"""Files that appear under their name only when they are whole."""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from diglot.errors import ConfigurationError
from diglot.stores.private_file import PRIVATE

_MARK = ".diglot-"


@contextmanager
def temporary_file(beside: Path) -> Iterator[Path]:
    """A new empty file that only its user can read, in the folder of ``beside``; it is removed at the end of the block,
    with what SQLite keeps next to it."""
    path = beside.parent / f"{_MARK}{beside.name[:100]}.{secrets.token_hex(4)}"
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE))
    try:
        yield path
    finally:
        for suffix in ("", "-journal", "-wal", "-shm", "-gate"):
            with suppress(FileNotFoundError):
                path.with_name(path.name + suffix).unlink()


def leftovers(path: Path) -> list[Path]:
    """What killed work has left in the folder of this file."""
    return sorted(path.parent.glob(f"{_MARK}*"))


def give_name(path: Path, name: Path) -> None:
    """Let a whole file appear under its name, on the disk too. ConfigurationError where there is one already."""
    sync(path)
    try:
        os.link(path, name)  # unlike a rename it never replaces a file
    except FileExistsError:
        raise ConfigurationError(f"{name} exists already: choose another name, or remove it") from None
    sync(name.parent)


def exchange(one: Path, other: Path) -> None:
    """Let two files of one folder change their names, at once: each name is there at every moment. OSError."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
            return
        number = ctypes.get_errno()
        if number not in (errno.EINVAL, errno.ENOSYS):
            raise OSError(number, os.strerror(number), str(other))
    # Where the file system can't, the new file takes the name while the old one has another for a moment as well.
    between = one.with_name(f"{one.name}.new")
    one.replace(between)
    os.link(other, one)
    between.replace(other)


_HERE = -100
"""Paths are relative to the current folder (AT_FDCWD)."""
_EXCHANGE = 2


def sync(path: Path) -> None:
    """Wait until a file or a folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
