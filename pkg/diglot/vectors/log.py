"""An append-only file of records that survives the death of its writer, and the lock that processes share it by.

A frame is one change, whole or not at all: its length, the checksum of its content, the checksum of these two, then
the content. It is flushed to the disk; then a mark of 12 bytes is written after it, and the call returns. So a frame
that is not whole and has nothing after it was never acknowledged: the next writer cuts it off. Anything else that is
not right is damage: an error, and nothing is cut off. The mark itself is not flushed. After a power cut the last frame
may have none; it is whole all the same, because it was flushed before.

The lock is a flock on a file beside it: it dies with its owner. ``compact`` writes a new file and moves it over the old
one; others see that theirs was replaced and read again.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path

from diglot.errors import ConfigurationError, DatabaseDamaged, DatabaseFull, DatabaseUnavailable, LockTimeout
from diglot.stores.private_file import refuse_unsafe, tightened

_SIZES = struct.Struct("<II")
_HEAD = struct.Struct("<III")
_MARK = 0xFFFFFFFF
"""In place of a length: everything before this is acknowledged. Its checksum is that of its position."""
_SLEEP = 0.005
MAX_FRAME = 2**30


class Log:
    """The file, open. ``begin`` is the first frame, which says what the file is."""

    def __init__(self, path: Path, begin: bytes, lock_timeout: float) -> None:
        self.path = path
        self.begin = begin
        self._timeout = lock_timeout
        self._file = -1
        self._position = 0
        _make_folder(path.parent)
        self._lock_file = self._open_lock()

    @contextmanager
    def locked(self, *, write: bool) -> Iterator[None]:
        """Alone with the file, or together with other readers; LockTimeout."""
        self._acquire(fcntl.LOCK_EX if write else fcntl.LOCK_SH)
        try:
            yield
        finally:
            fcntl.flock(self._lock_file, fcntl.LOCK_UN)

    def replaced(self) -> bool:
        """Whether there is another file at this path than the one that is open."""
        if self._file < 0:
            return True
        try:
            now = self.path.lstat()
        except FileNotFoundError:
            return True
        held = os.fstat(self._file)
        return (now.st_dev, now.st_ino) != (held.st_dev, held.st_ino)

    def make(self) -> None:
        """Make the file, if there is none. Outside of the lock."""
        if not self.path.exists():
            with self.locked(write=True):
                if not self.path.exists():
                    self._replace([self.begin])

    def reopen(self) -> None:
        """Open what is at the path now; it is read from its start."""
        self._forget()
        self._file = _open(self.path, os.O_RDWR | os.O_APPEND)
        self._position = 0

    def length(self) -> int:
        """How long the file is. In the lock, so that no frame is half written: ``frames`` may read up to here later."""
        return os.fstat(self._file).st_size

    def frames(self, size: int | None = None) -> Iterator[bytes]:
        """Those that were written since the last call, up to this size (None: that of now). DatabaseDamaged."""
        if size is None:
            size = self.length()
        if size < self._position:
            raise DatabaseDamaged(f"the vectors in {self.path} are damaged: the file has become shorter")
        while self._position < size:
            head = os.pread(self._file, _HEAD.size, self._position)
            if len(head) < _HEAD.size:
                self._must_have_begun()
                return
            length, check, check_of_head = _HEAD.unpack(head)
            if zlib.crc32(head[: _SIZES.size]) != check_of_head:
                if self._is_acknowledged(size):
                    raise self._damaged()
                self._must_have_begun()
                return
            if length == _MARK:
                if check != _position_check(self._position):
                    raise self._damaged()
                self._position += _HEAD.size
                continue
            end = self._position + _HEAD.size + length
            if end > size:
                if self._is_acknowledged(size):
                    raise self._damaged()
                return
            content = os.pread(self._file, length, self._position + _HEAD.size)
            if zlib.crc32(content) != check:
                if end == size:
                    return
                raise self._damaged()
            self._position = end
            yield content

    def _must_have_begun(self) -> None:
        """The first frame is there from the moment the file has its name: without it, this is something else."""
        if self._position == 0:
            raise self._damaged()

    def _is_acknowledged(self, size: int) -> bool:
        """Whether the file ends with a mark: then nothing in it may be missing."""
        mark = os.pread(self._file, _HEAD.size, size - _HEAD.size)
        return size - _HEAD.size > self._position and mark == _mark(size - _HEAD.size)

    def append(self, content: bytes) -> None:
        """Written and on the disk when it returns; what was not whole before it is cut off. In the write lock.

        DatabaseFull, and the file is as it was.
        """
        if os.fstat(self._file).st_size != self._position:
            os.ftruncate(self._file, self._position)
        try:
            _write(self._file, _frame(content))
            os.fsync(self._file)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._file, self._position)
            raise _refused(error, self.path) from error
        self._position = self.length()
        with suppress(OSError):  # the change is on the disk: a mark that finds no room is cut off by the next writer
            _write(self._file, _mark(self._position))
            self._position += _HEAD.size

    def compact(self, contents: Iterator[bytes]) -> None:
        """Replace the file by one with these frames alone, at once: who is killed in between leaves the old one."""
        self._replace(chain([self.begin], contents))
        self.reopen()
        for _ in self.frames():
            pass

    @property
    def size(self) -> int:
        return self._position

    def open_again(self) -> None:
        """In a fork's child: with descriptors and so locks of its own, from the start."""
        self.close()
        self._lock_file = self._open_lock()

    def close(self) -> None:
        self._forget()
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
                for content in contents:
                    _write(file, _frame(content))
                _write(file, _mark(os.fstat(file).st_size))
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
                        f"the vectors in {self.path} are in use by another process for {self._timeout:g} s: "
                        "nothing was changed"
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

    def _forget(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _frame(content: bytes) -> bytes:
    if len(content) > MAX_FRAME:
        raise DatabaseFull(f"one change has at most {MAX_FRAME} bytes: write the records in smaller batches")
    sizes = _SIZES.pack(len(content), zlib.crc32(content))
    return sizes + struct.pack("<I", zlib.crc32(sizes)) + content


def _mark(position: int) -> bytes:
    sizes = _SIZES.pack(_MARK, _position_check(position))
    return sizes + struct.pack("<I", zlib.crc32(sizes))


def _position_check(position: int) -> int:
    return zlib.crc32(struct.pack("<Q", position))


def _write(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _refused(error, folder) from error


def _open(path: Path, flags: int) -> int:
    """A regular file of our own, for its user alone; a link at its place is not followed, a pipe not waited for."""
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
