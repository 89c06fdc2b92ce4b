"""The file of vectors: it survives the death of its writer, is shared by processes, and does not grow for ever."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from diglot.errors import ConfigurationError, DatabaseDamaged, DatabaseFull, DatabaseUnavailable, LockTimeout
from diglot.vectors import Record, VectorSettings, filesystem, log, open_vectors
from diglot.vectors.log import Log
from diglot.vectors.store import VectorStore

A, B, C = Record("a", [1, 0, 0], text="first"), Record("b", [0, 1, 0]), Record("c", [0, 0, 1])


WRITER = """
import os, sys
from diglot.vectors import Record, VectorSettings, filesystem, open_vectors
filesystem.COMPACT_FROM = 5_000
docs = open_vectors(VectorSettings(id="docs", provider="filesystem", dimension=3, path=sys.argv[1]))
for number in range(100_000):
    docs.upsert([Record(f"r{number % 10}", [1, number, 0], text=str(number) + "x" * 100)])
    print(number, flush=True)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "docs.vectors"


def opened(file: Path, **more: Any) -> VectorStore:
    options = {"lock_timeout": more.pop("lock_timeout", 5.0)}
    settings = {"id": "docs", "provider": "filesystem", "dimension": 3, "path": str(file), "options": options}
    return open_vectors(VectorSettings(**settings | more))


def ids(file: Path) -> set[str]:
    with opened(file) as docs:
        return {match.id for match in docs.search([1, 1, 1])}


def written(file: Path, *batches: list[Record]) -> list[int]:
    """The size of the file after each batch, the empty file's first."""
    with opened(file) as docs:
        sizes = [file.stat().st_size]
        for batch in batches:
            docs.upsert(batch)
            sizes.append(file.stat().st_size)
    return sizes


MARK = 12
"""Bytes behind a frame that was acknowledged."""


def test_a_record_that_was_torn_anywhere_is_dropped_and_those_before_it_stay(file: Path) -> None:
    _, one, two = written(file, [A], [B])
    whole = file.read_bytes()
    for end in range(one, two - MARK):
        file.write_bytes(whole[:end])
        assert ids(file) == {"a"}, end
    with opened(file) as docs:
        docs.upsert([C])
    assert ids(file) == {"a", "c"}
    assert file.read_bytes()[:one] == whole[:one]


def test_a_batch_is_all_or_nothing(file: Path) -> None:
    os.truncate(file, written(file, [A], [B, C])[-1] - MARK - 1)
    assert ids(file) == {"a"}


def test_a_record_whose_mark_was_torn_is_there(file: Path) -> None:
    """It was flushed before: the mark tells only that nothing of it may be missing."""
    _, _, two = written(file, [A], [B])
    whole = file.read_bytes()
    for end in range(two - MARK, two):
        file.write_bytes(whole[:end])
        assert ids(file) == {"a", "b"}, end
    with opened(file) as docs:
        docs.upsert([C])
    assert ids(file) == {"a", "b", "c"}


def test_a_record_that_was_torn_in_pages_is_dropped(file: Path) -> None:
    """Of a long frame the later pages may have reached the disk, and the first not."""
    _, one, two = written(file, [A], [Record("b", [0, 1, 0], text="x" * 9_000)])
    whole = file.read_bytes()
    for page in (slice(one, 4096), slice(4096, 8192)):
        data = bytearray(whole[: two - MARK])
        data[page] = b"\0" * len(data[page])
        file.write_bytes(data)
        assert ids(file) == {"a"}


def test_damage_to_the_last_record_that_was_acknowledged_is_said_and_nothing_is_cut_off(file: Path) -> None:
    _, one, two = written(file, [A], [B])
    whole = file.read_bytes()
    for place in range(one, two - MARK):
        data = bytearray(whole)
        data[place] ^= 0xFF
        file.write_bytes(data)
        with pytest.raises(DatabaseDamaged, match="damaged at byte"):
            opened(file)
        assert file.read_bytes() == data
    for place in range(two - MARK, two):  # in the mark itself nothing is lost
        data = bytearray(whole)
        data[place] ^= 0xFF
        file.write_bytes(data)
        assert ids(file) == {"a", "b"}


def test_damage_that_comes_while_it_is_open_is_never_cut_off_by_a_write(file: Path) -> None:
    with opened(file) as docs, opened(file) as other:
        docs.upsert([A])
        other.upsert([B])
        data = bytearray(file.read_bytes())
        data[-MARK - 3] ^= 0xFF
        file.write_bytes(data)
        with pytest.raises(DatabaseDamaged):
            docs.upsert([C])
        assert file.read_bytes() == data


def test_a_file_of_format_1_is_read_and_made_format_2_by_the_first_write(file: Path) -> None:
    file.parent.mkdir()
    begin = filesystem._encode(filesystem.Begin(3, "cosine", 1))
    first = filesystem._encode(filesystem.Upsert([filesystem.Kept("a", bytes(12), "first", {})]))
    old = b"".join(log._frame(frame) for frame in (begin, first))
    file.write_bytes(old)
    with opened(file) as docs:
        assert docs.count() == 1
        assert file.read_bytes() == old
        docs.upsert([B])
        assert docs.count() == 2
    assert file.read_bytes()[-MARK:] == log._mark(file.stat().st_size - MARK)
    data = bytearray(file.read_bytes())
    data[-MARK - 1] ^= 1
    file.write_bytes(data)
    with pytest.raises(DatabaseDamaged):
        opened(file)


@pytest.mark.parametrize("tail", [b"\0" * 300, None], ids=["zeros", "bad checksum"])
def test_a_tail_that_had_not_reached_the_disk_is_dropped(file: Path, tail: bytes | None) -> None:
    _, one, two = written(file, [A], [B])
    data = file.read_bytes()
    file.write_bytes(data[:one] + (tail or data[one : two - MARK - 3] + b"\0\0\0"))
    assert ids(file) == {"a"}
    with opened(file) as docs:
        docs.upsert([C])
    assert ids(file) == {"a", "c"}


def test_damage_before_the_end_is_said_and_nothing_is_cut_off(file: Path) -> None:
    _, one, _ = written(file, [A], [B])
    whole = file.read_bytes()
    for place in range(one):
        data = bytearray(whole)
        data[place] ^= 0xFF
        file.write_bytes(data)
        with pytest.raises(DatabaseDamaged, match="damaged at byte"):
            opened(file)
        assert file.read_bytes() == data


def test_a_file_of_something_else_is_not_touched(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("dear diary, " * 20)
    with pytest.raises(DatabaseDamaged):
        opened(file)
    assert file.read_text().startswith("dear diary")


def test_kill_9_between_compactions_loses_nothing_that_was_acknowledged(file: Path) -> None:
    """About every tenth write is a compaction; some deaths are in the midst of one."""
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            while (line := writer.stdout.readline()) and int(line) < 60:
                pass
            os.kill(writer.pid, signal.SIGKILL)
            last = 60 + len(writer.stdout.read().split())
        with opened(file) as docs:
            found = {match.id: int(match.text.rstrip("x")) for match in docs.search([1, 1, 0], top_k=20)}
        newest = max(found.values())
        assert last <= newest <= last + 1
        assert found == {f"r{number % 10}": number for number in range(newest - 9, newest + 1)}
        assert file.stat().st_size < 10_000


def test_a_forked_child_writes_beside_its_parent(file: Path) -> None:
    """The child has its parent's descriptors; with them it would have its lock, and write into its frames."""
    with opened(file) as docs:
        docs.upsert([A])
        ready, go = os.pipe()
        child = os.fork()
        if not child:
            status = 1
            try:
                os.read(ready, 1)
                for number in range(100):
                    docs.upsert([Record(f"child-{number}", [1, number, 0], text="x" * 500)])
                status = 0 if docs.count() >= 101 else 2
            finally:
                os._exit(status)
        os.write(go, b"!")
        for number in range(100):
            docs.upsert([Record(f"parent-{number}", [0, number, 1], text="y" * 500)])
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        os.close(ready)
        os.close(go)
        assert docs.count() == 201
    assert len(ids(file)) == 10


def test_in_a_forked_child_the_parents_lock_is_not_its_own(file: Path) -> None:
    with opened(file, lock_timeout=0.05) as docs:
        docs.upsert([A])
        with docs._engine._current(write=True):  # type: ignore[union-attr]
            child = os.fork()
            if not child:
                status = 1
                try:
                    docs.count()
                except LockTimeout:
                    status = 0
                finally:
                    os._exit(status)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_disk_that_is_full_keeps_what_was_there(file: Path) -> None:
    """A write that stops in its midst, as the limit of a file's size makes it."""
    with opened(file) as docs:
        docs.upsert([A])
        size = file.stat().st_size
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 500, limits[1]))
        try:
            with pytest.raises(DatabaseFull, match="can't be written: file too large"):
                docs.upsert([Record("big", [1, 0, 0], text="x" * 1_000)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert (file.stat().st_size, docs.count()) == (size, 1)
        docs.upsert([B])
    assert ids(file) == {"a", "b"}


def test_a_compaction_that_fails_fails_no_write(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filesystem, "COMPACT_FROM", 2_000)
    tried = []
    with opened(file) as docs:
        with monkeypatch.context() as full:

            def refuse(self: Log, contents: Any) -> None:
                tried.append(file.stat().st_size)
                raise DatabaseFull("no space left on device")

            full.setattr(Log, "compact", refuse)
            for number in range(100):
                docs.upsert([Record("c", [0, 1, 1], text=f"version {number}")])
        assert 2 <= len(tried) < 10  # not at each write: it has to write the whole file
        assert docs.search([0, 1, 1])[0].text == "version 99"
        while file.stat().st_size > 2_000:
            docs.upsert([A])
    assert ids(file) == {"a", "c"}


def test_a_compaction_writes_frames_that_can_be_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filesystem, "COMPACT_FROM", 10_000)
    monkeypatch.setattr(filesystem, "_BATCH_BYTES", 3_000)
    monkeypatch.setattr(log, "MAX_FRAME", 8_000)
    with opened(file) as docs:
        for number in range(60):
            docs.upsert([Record(f"r{number % 15}", [1, number, 0], text=f"{number}" + "x" * 1_000)])
            assert file.stat().st_size < 40_000
    with opened(file) as docs:
        assert {int(match.text.rstrip("x")) for match in docs.search([1, 1, 0], top_k=20)} == set(range(45, 60))


def test_processes_see_what_the_others_write(file: Path) -> None:
    with opened(file) as one, opened(file) as other:
        one.upsert([A, B])
        assert other.count() == 2
        other.delete(["a"])
        assert [match.id for match in one.search([1, 1, 1])] == ["b"]


def test_processes_that_write_at_once_lose_nothing(file: Path) -> None:
    program = """
import sys
from diglot.vectors import Record, VectorSettings, open_vectors
docs = open_vectors(VectorSettings(id="docs", provider="filesystem", dimension=3, path=sys.argv[1]))
for number in range(20):
    docs.upsert([Record(f"{sys.argv[2]}-{number}", [1, number, 0])])
"""
    writers = [subprocess.Popen([sys.executable, "-c", program, str(file), str(writer)]) for writer in range(2)]
    assert [writer.wait(180) for writer in writers] == [0, 0]
    with opened(file) as docs:
        assert docs.count() == 40


@contextmanager
def held(file: Path, how: int) -> Iterator[None]:
    with file.with_name(f"{file.name}-lock").open("rb") as lock:
        fcntl.flock(lock, how)
        yield


def test_a_lock_that_somebody_holds_is_an_error_in_time(file: Path) -> None:
    with opened(file, lock_timeout=0.05) as docs:
        docs.upsert([A])
        with held(file, fcntl.LOCK_EX), pytest.raises(LockTimeout, match=r"in use by another process for 0\.05 s"):
            docs.count()
        with held(file, fcntl.LOCK_SH):
            assert docs.count() == 1
            with pytest.raises(LockTimeout):
                docs.upsert([B])
        assert docs.count() == 1


def test_the_file_is_compacted_and_others_follow(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filesystem, "COMPACT_FROM", 2_000)
    with opened(file) as one, opened(file) as other:
        other.upsert([A, B])
        before = file.stat().st_ino
        for number in range(200):
            one.upsert([Record("c", [0, 1, 1], text=f"version {number}", metadata={"n": number})])
            assert file.stat().st_size < 3_000
        assert file.stat().st_ino != before
        assert other.count() == 3
        assert other.search([0, 1, 1], top_k=1)[0].text == "version 199"
        assert other.delete(["a"]) == 1
        assert one.count() == 2
    assert ids(file) == {"b", "c"}
    assert not file.with_name("docs.vectors-new").exists()


def test_what_was_deleted_leaves_the_file_too(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filesystem, "COMPACT_FROM", 2_000)
    with opened(file) as docs:
        docs.upsert([Record(f"r{number}", [1, number, 0], text="x" * 100) for number in range(100)])
        assert file.stat().st_size > 10_000
        docs.delete([f"r{number}" for number in range(98)])
        assert file.stat().st_size < 1_000
    assert ids(file) == {"r98", "r99"}


def test_who_dies_while_compacting_leaves_the_old_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(file, [A, B])
    file.with_name("docs.vectors-new").write_bytes(b"half of a fi")
    monkeypatch.setattr(filesystem, "COMPACT_FROM", 10)
    with opened(file) as docs:
        for _ in range(5):
            docs.upsert([A])
    assert ids(file) == {"a", "b"}


def test_a_change_that_the_disk_refuses_is_taken_back(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(file) as docs:
        docs.upsert([A])
        size = file.stat().st_size
        real = os.fsync

        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(DatabaseFull, match="no space left"):
            docs.upsert([B])
        assert (file.stat().st_size, docs.count()) == (size, 1)
        monkeypatch.setattr(os, "fsync", real)
        docs.upsert([C])
    assert ids(file) == {"a", "c"}


def test_the_file_is_its_users_alone(file: Path) -> None:
    written(file, [A])
    file.chmod(0o644)
    assert ids(file) == {"a"}
    for path in (file, file.with_name("docs.vectors-lock")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
@pytest.mark.parametrize("name", ["docs.vectors", "docs.vectors-lock"])
def test_a_file_of_another_user_is_refused(name: str, file: Path) -> None:
    written(file, [A])
    os.chown(file.with_name(name), 65534, 65534)
    with pytest.raises(ConfigurationError, match=r"belongs to user 65534 .* run as its owner, or change its owner"):
        opened(file)
    assert file.with_name(name).stat().st_uid == 65534


def test_a_file_is_read_while_others_read_it_and_not_in_their_way(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a large file does not keep the others from it."""
    written(file, [A])
    with opened(file, lock_timeout=0.2) as docs:
        put = filesystem.Rows.put

        def meanwhile(rows: filesystem.Rows, record: filesystem.Kept) -> None:
            monkeypatch.setattr(filesystem.Rows, "put", put)
            docs.upsert([B])  # by another who has the file open, in the midst of reading
            put(rows, record)

        monkeypatch.setattr(filesystem.Rows, "put", meanwhile)
        with opened(file, lock_timeout=0.2) as other:
            assert other.count() == 2


def test_a_link_or_a_folder_in_its_place_is_refused(file: Path, tmp_path: Path) -> None:
    written(file, [A])
    link = tmp_path / "link"
    link.symlink_to(file)
    with pytest.raises(ConfigurationError, match="is a symbolic link"):
        opened(link)
    os.link(file, tmp_path / "second")
    with pytest.raises(ConfigurationError, match="has 2 hard links"):
        opened(file)
    (tmp_path / "second").unlink()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigurationError, match="is a named pipe"):
        opened(tmp_path / "pipe")
    with pytest.raises(DatabaseUnavailable, match="is a directory"):
        opened(file.parent)
    with pytest.raises(DatabaseUnavailable, match="can't be used"):
        opened(file / "below")


def test_the_place_without_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    open_vectors(VectorSettings(id="docs", provider="filesystem", dimension=3)).close()
    assert Path("data/vectors/docs.vectors").is_file()
