"""Files that appear under their name only when they are complete."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from diglot.errors import ConfigurationError, DiglotError
from diglot.stores.private_file import PRIVATE

_MARK = ".diglot-"
_LOCK = ".lock"
_COMPANIONS = ("", "-journal", "-wal", "-shm", "-gate")


@contextmanager
def temporary_file(beside: Path) -> Iterator[Path]:
    """A new empty file that only its user can read, in the folder of ``beside``. It is removed at the end of the block,
    together with SQLite's files next to it. Files that killed processes left in the folder are removed first."""
    _remove_leftovers(beside)
    path, lock = _new(beside)
    try:
        os.close(_create(path))
        yield path
    finally:
        _remove(path)
        path.with_name(path.name + _LOCK).unlink(missing_ok=True)
        os.close(lock)


def leftovers(path: Path) -> list[Path]:
    """The files that killed processes left in the folder of this file; not those of running processes."""
    running = [lock.name.removesuffix(_LOCK) for lock in path.parent.glob(f"{_MARK}*{_LOCK}") if _is_held(lock)]
    return sorted(found for found in path.parent.glob(f"{_MARK}*") if not found.name.startswith(tuple(running)))


def _is_held(lock: Path) -> bool:
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # its process has just ended, or it belongs to another user
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _new(beside: Path) -> tuple[Path, int]:
    """A free name, and a descriptor that holds its lock as long as this process lives.

    The lock is on a separate file: on a network file system, a lock on the file itself would conflict with SQLite's.
    """
    while True:
        # Without the links and '..' of the path: SQLite opens files only by such names.
        path = beside.parent.resolve() / f"{_MARK}{beside.name[:100]}.{secrets.token_hex(4)}"
        lock = _create(path.with_name(path.name + _LOCK))
        with suppress(OSError):  # a file system without locks: its leftovers stay
            fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fstat(lock).st_nlink:
            return path, lock
        os.close(lock)  # another process removed it as a leftover before it was locked


def _create(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE)


def _remove(path: Path) -> None:
    for suffix in _COMPANIONS:
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _remove_leftovers(beside: Path) -> None:
    """Removes the files whose lock is free: their process is dead."""
    for found in beside.parent.glob(f"{_MARK}*{_LOCK}"):
        with suppress(OSError):
            lock = os.open(found, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(found.with_name(found.name.removesuffix(_LOCK)))
                found.unlink(missing_ok=True)
            finally:
                os.close(lock)


@contextmanager
def room_for(path: Path, kind: type[DiglotError]) -> Iterator[None]:
    """Raises ``kind`` in place of the operating system's error if there is no space for files at this path."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            said = (error.strerror or "").lower()
            raise kind(f"{path} can't be written: {said}: nothing was changed; make room and try again") from error
        raise


def give_name(path: Path, name: Path) -> None:
    """Give a complete file its name, also on the disk. Raises ConfigurationError if the name is taken."""
    sync(path)
    try:
        os.link(path, name)  # unlike a rename it never replaces a file
    except FileExistsError:
        raise _taken(name) from None
    except PermissionError:  # a file system without hard links, as on a USB stick
        if name.exists():
            raise _taken(name) from None
        path.rename(name)
    sync(name.parent)


def _taken(name: Path) -> ConfigurationError:
    return ConfigurationError(f"{name} already exists: choose another name, or remove it")


def exchange(one: Path, other: Path) -> None:
    """Swap the names of two files in one folder atomically: each name always exists. Raises OSError."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
            return
        number = ctypes.get_errno()
        if number not in (errno.EINVAL, errno.ENOSYS):
            raise OSError(number, os.strerror(number), str(other))
    # If the file system can't do that, the old file has both names for a moment, and then the new one takes its place.
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
