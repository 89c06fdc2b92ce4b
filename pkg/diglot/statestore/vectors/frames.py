"""The bytes of a log: frames, and the marks that show which of them were acknowledged.

A frame is one change: its length, the checksum of its content, the checksum of these two, then the content. A mark
looks like a frame's head, with a length that no frame can have and the checksum of its own position. It is written only
after everything before it is on the disk. A valid mark therefore means that all bytes before it were acknowledged and
never change again, whatever follows it; a copy of it at another position means nothing.
"""

from __future__ import annotations

import os
import struct
import zlib
from typing import NamedTuple

from diglot.errors import DatabaseFull

_SIZES = struct.Struct("<II")
_HEAD = struct.Struct("<III")
_NO_LENGTH = 0xFFFFFFFF
_NO_LENGTH_BYTES = struct.pack("<I", _NO_LENGTH)
_CHUNK = 1 << 20
MARK_SIZE = _HEAD.size
MAX_FRAME = 2**30


class Found(NamedTuple):
    """What is at a position: a frame with its content, or a mark, which has none. ``end`` is the position after it."""

    end: int
    content: bytes | None


def frame(content: bytes) -> bytes:
    """The content with its head. Raises DatabaseFull if it is longer than MAX_FRAME."""
    if len(content) > MAX_FRAME:
        raise DatabaseFull(f"one change has at most {MAX_FRAME} bytes: write the records in smaller batches")
    return _head(len(content), zlib.crc32(content)) + content


def mark(position: int) -> bytes:
    """The mark for this position."""
    return _head(_NO_LENGTH, _check(position))


def read(file: int, position: int, size: int) -> Found | None:
    """The frame or the mark at this position; None if no complete, valid one ends within the first ``size`` bytes."""
    if position + _HEAD.size > size:
        return None
    head = os.pread(file, _HEAD.size, position)
    if not _is_sound(head):
        return None
    length, check, _ = _HEAD.unpack(head)
    end = position + _HEAD.size
    if length == _NO_LENGTH:
        return Found(end, None) if check == _check(position) else None
    if end + length > size:
        return None
    content = os.pread(file, length, end)
    return Found(end + length, content) if len(content) == length and zlib.crc32(content) == check else None


def last_mark(file: int, start: int, size: int) -> int:
    """The position after the last mark in these bytes; ``start`` if there is none."""
    if size - _HEAD.size >= start and os.pread(file, _HEAD.size, size - _HEAD.size) == mark(size - _HEAD.size):
        return size  # nearly always
    end = size
    while end > start:
        begin = max(start, end - _CHUNK)
        part = os.pread(file, end - begin + _HEAD.size - 1, begin)  # including a mark that begins in this part
        place = part.rfind(_NO_LENGTH_BYTES)
        while place >= 0:
            found = begin + place
            if found + _HEAD.size <= size and part[place : place + _HEAD.size] == mark(found):
                return found + _HEAD.size
            place = part.rfind(_NO_LENGTH_BYTES, 0, place + len(_NO_LENGTH_BYTES) - 1)
        end = begin
    return start


def may_be_torn_without_marks(file: int, position: int, size: int) -> bool:
    """Whether the rest of a file without marks may come from a writer that died: the beginning of one frame, or zeros
    if the file had grown but its content had not reached the disk."""
    head = os.pread(file, _HEAD.size, position)
    if len(head) < _HEAD.size:
        return True
    if _is_sound(head):
        return position + _HEAD.size + int(_HEAD.unpack(head)[0]) >= size
    while position < size:
        part = os.pread(file, min(_CHUNK, size - position), position)
        if not part or part.strip(b"\0"):
            return not part
        position += len(part)
    return True


def _head(length: int, check: int) -> bytes:
    sizes = _SIZES.pack(length, check)
    return sizes + struct.pack("<I", zlib.crc32(sizes))


def _is_sound(head: bytes) -> bool:
    return len(head) == _HEAD.size and zlib.crc32(head[: _SIZES.size]) == int(_HEAD.unpack(head)[2])


def _check(position: int) -> int:
    return zlib.crc32(struct.pack("<Q", position))
