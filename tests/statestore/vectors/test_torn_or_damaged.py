"""A file of vectors after a death, a power cut or a bad disk: what was never acknowledged is dropped, what was
acknowledged is there, and where it is not, that is an error and nothing is cut off."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from diglot.errors import DatabaseDamaged
from diglot.statestore.vectors import Record, filesystem, frames
from diglot.statestore.vectors.frames import MARK_SIZE
from tests.statestore.vectors.one_file import A, B, C, ids, opened, written

SECTOR = 512
LONG = Record("b", [0, 1, 0], text="x" * 900)


# --- torn: never acknowledged ---------------------------------------------------------------------------------------


def test_a_record_that_was_torn_anywhere_is_dropped_and_those_before_it_stay(file: Path) -> None:
    _, one, two = written(file, [A], [B])
    whole = file.read_bytes()
    for end in range(one, two - MARK_SIZE):
        file.write_bytes(whole[:end])
        assert ids(file) == {"a"}, end
        with opened(file) as docs:
            docs.upsert([C])
        assert ids(file) == {"a", "c"}
        assert file.read_bytes()[:one] == whole[:one]


def test_a_batch_is_all_or_nothing(file: Path) -> None:
    os.truncate(file, written(file, [A], [B, C])[-1] - MARK_SIZE - 1)
    assert ids(file) == {"a"}


def test_a_record_whose_mark_was_torn_is_there_and_the_next_write_marks_it(file: Path) -> None:
    """A power cut takes the mark, but not the record, which was flushed before."""
    _, _, two = written(file, [A], [B])
    whole = file.read_bytes()
    for end in range(two - MARK_SIZE, two):
        for rest in (b"", bytes(two - end)):
            file.write_bytes(whole[:end] + rest)
            assert ids(file) == {"a", "b"}, end
            with opened(file) as docs:
                docs.upsert([C])
            assert ids(file) == {"a", "b", "c"}
            assert file.read_bytes()[:two] == whole


@pytest.mark.parametrize("tail", [b"\0" * 300, None], ids=["zeros", "bad checksum"])
def test_a_tail_that_had_not_reached_the_disk_is_dropped(file: Path, tail: bytes | None) -> None:
    _, one, two = written(file, [A], [B])
    data = file.read_bytes()
    file.write_bytes(data[:one] + (tail or data[one : two - MARK_SIZE - 3] + b"\0\0\0"))
    assert ids(file) == {"a"}
    with opened(file) as docs:
        docs.upsert([C])
    assert ids(file) == {"a", "c"}


def test_after_a_power_cut_at_any_moment_every_acknowledged_record_is_there(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each image has all that was flushed and any of the sectors that were not. The calls are recorded, so that a
    flush that is missing, or that comes too late, fails here."""
    written(file, [A])
    for record in (LONG, Record("c", [0, 0, 1], text="y" * 700)):
        before = ids(file)
        disk = Disk(file)
        with opened(file) as docs, monkeypatch.context() as recording:
            disk.record(recording)
            docs.upsert([record])
        images = 0
        for image, done in disk.images():
            file.write_bytes(image)
            found = ids(file)
            assert before <= found <= before | {record.id}
            assert not done or record.id in found
            images += 1
        assert images > 20
        for image, _ in itertools.islice(disk.images(), 0, None, 7):
            file.write_bytes(image)
            with opened(file) as docs:
                docs.upsert([Record("next", [1, 1, 0])])
            assert before | {"next"} <= ids(file)
        disk.restore()


def test_after_a_power_cut_while_a_torn_record_is_cut_off_the_others_are_there(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, two = written(file, [A], [LONG])
    os.truncate(file, two - MARK_SIZE - 100)
    disk = Disk(file)
    with opened(file) as docs, monkeypatch.context() as recording:
        disk.record(recording)
        docs.upsert([C])
    for image, done in disk.images():
        file.write_bytes(image)
        assert ids(file) in ([{"a", "c"}] if done else [{"a"}, {"a", "c"}])


def test_a_record_that_a_dead_writer_had_not_flushed_is_flushed_before_it_is_marked(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, one, two = written(file, [A], [LONG])
    os.truncate(file, two - MARK_SIZE)
    disk = Disk(file, flushed=one)
    with opened(file) as docs, monkeypatch.context() as recording:
        disk.record(recording)
        docs.upsert([C])
    for image, done in disk.images():
        file.write_bytes(image)
        assert ids(file) in ([{"a", "b", "c"}] if done else [{"a"}, {"a", "b"}, {"a", "b", "c"}])


class Disk:
    """The calls that one file gets, and what a power cut in the midst of them may leave of it."""

    def __init__(self, file: Path, flushed: int | None = None) -> None:
        """``flushed``: up to where the file has reached the disk; all of it by default."""
        self._file = file
        whole = file.read_bytes()
        end = len(whole) if flushed is None else flushed
        self._start = whole[:end]
        self._calls = [("write", end, whole[end:])] if whole[end:] else []

    def record(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pwrite, fsync, ftruncate = os.pwrite, os.fsync, os.ftruncate

        def recorded_write(descriptor: int, data: bytes, position: int) -> int:
            self._calls.append(("write", position, bytes(data)))
            return pwrite(descriptor, data, position)

        def recorded_flush(descriptor: int) -> None:
            self._calls.append(("flush", 0, b""))
            fsync(descriptor)

        def recorded_cut(descriptor: int, size: int) -> None:
            self._calls.append(("cut", size, b""))
            ftruncate(descriptor, size)

        monkeypatch.setattr(os, "pwrite", recorded_write)
        monkeypatch.setattr(os, "fsync", recorded_flush)
        monkeypatch.setattr(os, "ftruncate", recorded_cut)

    def images(self) -> Iterator[tuple[bytes, bool]]:
        """What may be found, and whether the last call had returned."""
        flushed = bytearray(self._start)
        pending: list[tuple[str, int, bytes]] = []
        for number, call in enumerate(self._calls):
            kind, _, _ = call
            if kind == "flush":
                for each in pending:
                    _apply(flushed, *each)
                pending = []
            else:
                pending.append(call)
            done = number == len(self._calls) - 1
            for image in _subsets(bytes(flushed), pending):
                yield image, done

    def restore(self) -> None:
        image = bytearray(self._start)
        for call in self._calls:
            if call[0] != "flush":
                _apply(image, *call)
        self._file.write_bytes(image)


def _apply(image: bytearray, kind: str, position: int, data: bytes) -> None:
    if kind == "cut":
        del image[position:]
        return
    image.extend(bytes(max(0, position + len(data) - len(image))))
    image[position : position + len(data)] = data


def _subsets(flushed: bytes, pending: list[tuple[str, int, bytes]]) -> Iterator[bytes]:
    """The size may be that after any of the calls; of the written sectors, any may be there."""
    sectors: list[tuple[int, bytes]] = []
    for kind, position, data in pending:
        if kind == "write":
            cuts = [0, *range(SECTOR - position % SECTOR, len(data), SECTOR), len(data)]
            sectors += [(position + a, data[a:b]) for a, b in itertools.pairwise(cuts)]
    shape = bytearray(flushed)
    shapes = [bytes(shape)]
    for kind, position, data in pending:
        _apply(shape, kind, position, bytes(len(data)))
        shapes.append(bytes(shape))
    for shape_now in dict.fromkeys(shapes):
        for chosen in itertools.product((False, True), repeat=len(sectors)):
            image = bytearray(shape_now)
            for (position, data), there in zip(sectors, chosen, strict=True):
                if there:
                    fits = data[: max(0, len(image) - position)]
                    image[position : position + len(fits)] = fits
            yield bytes(image)


# --- damaged: acknowledged, and not as it was -----------------------------------------------------------------------


def assert_damaged(file: Path, data: bytes) -> None:
    """An error for a reader and for a writer, and the file stays as it is."""
    file.write_bytes(data)
    for _ in range(2):
        with pytest.raises(DatabaseDamaged, match="damaged at byte"), opened(file) as docs:
            docs.upsert([C])
    assert file.read_bytes() == data


@pytest.mark.parametrize("tail", ["", "torn", "whole, not marked", "zeros"])
def test_any_bit_of_a_record_that_was_acknowledged_is_missed(file: Path, tail: str) -> None:
    _, one, two = written(file, [A], [B])
    whole = file.read_bytes()
    change = frames.frame(filesystem._encode(filesystem.Delete(["a"])))
    whole += {"": b"", "torn": change[:-3], "whole, not marked": change + bytes(MARK_SIZE), "zeros": bytes(99)}[tail]
    for place in [*range(one), *range(one, two - MARK_SIZE)]:
        data = bytearray(whole)
        data[place] ^= 1 << place % 8
        assert_damaged(file, bytes(data))


def test_a_run_of_zeros_in_what_was_acknowledged_is_missed(file: Path) -> None:
    _, one, two = written(file, [A], [Record("b", [0, 1, 0], text="x" * 5_000)])
    whole = file.read_bytes()
    for start, end in ((one, two - MARK_SIZE), (one, one + 512), (two - 600, two - MARK_SIZE), (one - 20, one + 20)):
        assert_damaged(file, whole[:start] + bytes(end - start) + whole[end:])


def test_in_the_last_mark_nothing_is_lost(file: Path) -> None:
    _, _, two = written(file, [A], [B])
    whole = file.read_bytes()
    for place in range(two - MARK_SIZE, two):
        data = bytearray(whole)
        data[place] ^= 0xFF
        file.write_bytes(data)
        assert ids(file) == {"a", "b"}


def test_damage_that_comes_while_it_is_open_is_never_cut_off_by_a_write(file: Path) -> None:
    with opened(file) as docs, opened(file) as other:
        docs.upsert([A])
        other.upsert([B])
        data = bytearray(file.read_bytes())
        data[-MARK_SIZE - 3] ^= 0xFF
        file.write_bytes(data)
        with pytest.raises(DatabaseDamaged):
            docs.upsert([C])
        with pytest.raises(DatabaseDamaged):
            docs.count()
        assert file.read_bytes() == data


def test_a_content_that_looks_like_a_mark_is_none(file: Path) -> None:
    """A mark counts only at the position that it names."""
    *_, two = written(file, [A], [B])
    whole = file.read_bytes()
    copied = whole[two - MARK_SIZE : two]
    file.write_bytes(whole[: two - MARK_SIZE - 1] + copied + b"\xff" * 40)
    assert ids(file) == {"a"}


# --- the format before there were marks -----------------------------------------------------------------------------


def format_1(file: Path, *changes: filesystem.Upsert) -> list[bytes]:
    """The frames of a file as it was written then."""
    file.parent.mkdir()
    begin = filesystem.Begin(3, "cosine", 1)
    whole = [frames.frame(filesystem._encode(change)) for change in (begin, *changes)]
    file.write_bytes(b"".join(whole))
    return whole


def one(id: str) -> filesystem.Upsert:
    return filesystem.Upsert([filesystem.Kept(id, bytes(12), id, {})])


def test_a_file_of_format_1_is_read_and_made_format_2_by_the_first_write(file: Path) -> None:
    old = b"".join(format_1(file, one("a")))
    with opened(file) as docs:
        assert docs.count() == 1
        assert file.read_bytes() == old
        docs.upsert([B])
        assert docs.count() == 2
    data = file.read_bytes()
    assert data[-MARK_SIZE:] == frames.mark(len(data) - MARK_SIZE)
    assert_damaged(file, data[: -MARK_SIZE - 1] + bytes([data[-MARK_SIZE - 1] ^ 1]) + data[-MARK_SIZE:])


def test_damage_to_a_file_of_format_1_is_no_torn_record(file: Path) -> None:
    parts = format_1(file, one("a"), one("b"), one("c"))
    whole = b"".join(parts)
    for place in range(len(whole) - len(parts[-1])):
        data = bytearray(whole)
        data[place] ^= 1
        assert_damaged(file, bytes(data))


def test_a_torn_record_of_a_file_of_format_1_is_dropped(file: Path) -> None:
    parts = format_1(file, one("a"), one("b"))
    whole = b"".join(parts)
    first = len(whole) - len(parts[-1])
    for end in range(first, len(whole)):
        file.write_bytes(whole[:end])
        assert ids(file) == {"a"}
    file.write_bytes(whole[:first] + bytes(200))
    assert ids(file) == {"a"}
