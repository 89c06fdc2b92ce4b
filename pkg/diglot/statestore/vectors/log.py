"""An append-only file of changes that survives the death of its writer and that processes can share.

A change is a frame (frames.py). It is written with space for a mark after it and flushed to the disk; then the mark is
written into that space, and the call returns. Everything up to the last mark was acknowledged and never changes again.
What follows the last mark and is incomplete was never acknowledged: the next writer cuts it off. Anything else that is
wrong is damage: an error, and nothing is cut off.

The mark itself is not flushed; the next flush includes it. After a power cut the last change may therefore have no
mark. It is still read, because it is complete, and the next writer marks it.

Writers take an exclusive lock, a flock on a file next to it, which is released if its owner dies. Readers need no lock
for what is marked. ``compact`` writes a new file and moves it over the old one; other processes notice that their file
was replaced, and read the new one.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path

from diglot.errors import ConfigurationError, DatabaseDamaged, DatabaseFull, DatabaseUnavailable, LockTimeout
from diglot.statestore.vectors.frames import MARK_SIZE, frame, last_mark, mark, may_be_torn_without_marks, read
from diglot.stores.private_file import make_private_folder, refuse_unsafe, tightened

_SLEEP = 0.005


class Log:
    """The open file. ``begin`` is its first frame, which describes the file."""

    def __init__(self, path: Path, begin: bytes, lock_timeout: float) -> None:
        self.path = path
        self.begin = begin
        self._timeout = lock_timeout
        self._file = -1
        self._position = 0
        self._marked_up_to = 0
        _make_folder(path.parent)
        self._lock_file = self._open_lock()

    @contextmanager
    def locked(self, *, write: bool) -> Iterator[None]:
        """Holds the file exclusively, or without ``write`` while nobody writes. Raises LockTimeout."""
        self._acquire(fcntl.LOCK_EX if write else fcntl.LOCK_SH)
        try:
            yield
        finally:
            fcntl.flock(self._lock_file, fcntl.LOCK_UN)

    @contextmanager
    def while_nobody_writes(self) -> Iterator[bool]:
        """Like ``locked``, without waiting: False if somebody is writing now."""
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except OSError as error:
            raise _refused(error, self.path) from error
        try:
            yield True
        finally:
            fcntl.flock(self._lock_file, fcntl.LOCK_UN)

    def replaced(self) -> bool:
        """Whether the file at this path is not the open one."""
        if self._file < 0:
            return True
        try:
            now = self.path.lstat()
        except FileNotFoundError:
            return True
        held = os.fstat(self._file)
        return (now.st_dev, now.st_ino) != (held.st_dev, held.st_ino)

    def make(self) -> None:
        """Create the file if there is none. Call it without the lock."""
        if not self.path.exists():
            with self.locked(write=True):
                if not self.path.exists():
                    self._replace([self.begin])

    def reopen(self) -> None:
        """Open the file that is at the path now, to read it from its start."""
        self.forget()
        self._file = _open(self.path, os.O_RDWR)

    def forget(self) -> None:
        """Close the file: the next call reads it from its start."""
        if self._file >= 0:
            os.close(self._file)
        self._file, self._position, self._marked_up_to = -1, 0, 0

    def length(self) -> int:
        """The length of the file in bytes, including what a writer is just adding."""
        return os.fstat(self._file).st_size

    def settled(self) -> int:
        """The position up to which everything is acknowledged and never changes again; at least what was read."""
        return last_mark(self._file, self._position, self.length())

    def frames(self, size: int) -> Iterator[bytes]:
        """The unread frames up to this size: ``settled()``, or ``length()`` under the lock. Raises DatabaseDamaged.

        Under the lock it leaves a torn frame at the end as it is.
        """
        if self.length() < self._position:
            raise DatabaseDamaged(f"the vectors in {self.path} are damaged: the file has become shorter")
        while self._position < size:
            found = read(self._file, self._position, size)
            if found is None:
                if self._is_torn(size):
                    return
                raise self._damaged()
            self._position = found.end
            if found.content is None:
                self._marked_up_to = found.end
            else:
                yield found.content

    def _is_torn(self, size: int) -> bool:
        """Whether what follows was never acknowledged."""
        if self._position == 0:  # the first frame exists as soon as the file has its name
            return False
        if last_mark(self._file, self._position, size) > self._position:
            return False
        return self._marked_up_to > 0 or may_be_torn_without_marks(self._file, self._position, size)

    def append(self, content: bytes) -> None:
        """Write a change to the disk; cuts off a torn frame before it. Call it under the write lock.

        Raises DatabaseFull; the file is then unchanged.
        """
        data = frame(content)
        start = self._position
        try:
            if self.length() != start:
                os.ftruncate(self._file, start)
            if self._marked_up_to != start:
                start = self._settle(start)
            end = _write(self._file, data, start)
            _write(self._file, bytes(MARK_SIZE), end)
            os.fsync(self._file)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._file, start)
            raise _refused(error, self.path) from error
        with suppress(OSError):  # the change is on the disk, and the next writer marks it
            _write(self._file, mark(end), end)
            self._marked_up_to = end + MARK_SIZE
        self._position = max(end, self._marked_up_to)

    def _settle(self, start: int) -> int:
        """Mark a complete change that has no mark, because its writer died or after a power cut; returns its end."""
        _write(self._file, bytes(MARK_SIZE), start)
        os.fsync(self._file)
        _write(self._file, mark(start), start)
        self._position = self._marked_up_to = start + MARK_SIZE
        return self._position

    def compact(self, contents: Iterator[bytes]) -> None:
        """Replace the file atomically with one that has only these frames: a killed process leaves the old one."""
        self._replace(chain([self.begin], contents))
        self.reopen()
        for _ in self.frames(self.length()):
            pass

    @property
    def size(self) -> int:
        return self._position

    def open_again(self) -> None:
        """In a forked child: open again, with its own descriptors and so its own locks."""
        self.close()
        self._lock_file = self._open_lock()

    def close(self) -> None:
        self.forget()
        if self._lock_file >= 0:
            os.close(self._lock_file)
            self._lock_file = -1

    def _open_lock(self) -> int:
        return _open(self.path.with_name(f"{self.path.name}-lock"), os.O_RDWR | os.O_CREAT)

    def _replace(self, contents: Iterable[bytes]) -> None:
        new = self.path.with_name(f"{self.path.name}-new")
        try:
            new.unlink(missing_ok=True)
            file = _open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            try:
                end = 0
                for content in contents:
                    end = _write(file, frame(content), end)
                _write(file, mark(end), end)
                os.fsync(file)
            finally:
                os.close(file)
            new.replace(self.path)
            _sync_folder(self.path.parent)
        except OSError as error:
            with suppress(OSError):
                new.unlink(missing_ok=True)
            raise _refused(error, self.path) from error

    def _acquire(self, how: int) -> None:
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                fcntl.flock(self._lock_file, how | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise LockTimeout(
                        f"another process has locked the vectors in {self.path} for {self._timeout:g} s: "
                        "nothing was changed; try again"
                    ) from None
                time.sleep(_SLEEP)
            except OSError as error:
                raise _refused(error, self.path) from error
            else:
                return

    def _damaged(self) -> DatabaseDamaged:
        return DatabaseDamaged(
            f"the vectors in {self.path} are damaged at byte {self._position}: restore the file from a backup, "
            "or remove it and write the vectors again"
        )


def _write(file: int, data: bytes, position: int) -> int:
    """Write at this position; returns the position after it."""
    rest = memoryview(data)
    while rest:
        written = os.pwrite(file, rest, position)
        position += written
        rest = rest[written:]
    return position


def _make_folder(folder: Path) -> None:
    try:
        make_private_folder(folder)
    except OSError as error:
        raise _refused(error, folder) from error


def _open(path: Path, flags: int) -> int:
    """Opens a regular file of our own, private to its user. Does not follow a symbolic link or wait for a pipe."""
    flags |= os.O_NONBLOCK
    try:
        file = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ConfigurationError(f"{path} is a symbolic link: name the file itself") from error
        raise _refused(error, path) from error
    try:
        found = os.fstat(file)
        refuse_unsafe(found, f"the file of vectors {path}")
        rights = tightened(found.st_mode)
        if rights is not None:
            os.fchmod(file, rights)
    except BaseException:
        os.close(file)
        raise
    return file


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refused(error: OSError, path: Path) -> DatabaseUnavailable | DatabaseFull:
    why = (error.strerror or "unknown reason").lower()
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DatabaseFull(f"the vectors in {path} can't be written: {why}")
    return DatabaseUnavailable(f"the vectors in {path} can't be used: {why}")
