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
from diglot.statestore.vectors import Record, VectorSettings, filesystem, frames, open_vectors
from diglot.statestore.vectors.log import Log
from tests.statestore.vectors.one_file import A, B, C, ids, opened, written

WRITER = """
import os, sys
from diglot.statestore.vectors import Record, VectorSettings
from diglot.statestore.vectors.filesystem import open_engine
from diglot.statestore.vectors.store import VectorStore
settings = VectorSettings(id="docs", provider="filesystem", dimension=3, path=sys.argv[1])
docs = VectorStore(settings, open_engine(settings, compact_from=5_000))
for number in range(100_000):
    docs.upsert([Record(f"r{number % 10}", [1, number, 0], text=str(number) + "x" * 100)])
    print(number, flush=True)
"""


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
    assert len(ids(file)) == 100


def test_in_a_forked_child_the_parents_lock_is_not_its_own(file: Path) -> None:
    with opened(file, lock_timeout=0.05) as docs:
        docs.upsert([A])
        with docs._engine._current(write=True):  # type: ignore[union-attr]
            child = os.fork()
            if not child:
                status = 1
                try:
                    docs.upsert([B])
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
    tried = []
    with opened(file, compact_from=2_000) as docs:
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
    monkeypatch.setattr(frames, "MAX_FRAME", 8_000)
    with opened(file, compact_from=10_000, batch_bytes=3_000) as docs:
        for number in range(60):
            docs.upsert([Record(f"r{number % 15}", [1, number, 0], text=f"{number}" + "x" * 1_000)])
            assert file.stat().st_size < 40_000
    with opened(file, compact_from=10_000, batch_bytes=3_000) as docs:
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
from diglot.statestore.vectors import Record, VectorSettings, open_vectors
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


def test_a_lock_that_somebody_holds_is_an_error_in_time_for_writers_only(file: Path) -> None:
    with opened(file, lock_timeout=0.05) as docs:
        docs.upsert([A])
        with held(file, fcntl.LOCK_EX):
            assert (docs.count(), ids(file)) == (1, {"a"})
            with pytest.raises(LockTimeout, match=r"another process has locked .* for 0\.05 s"):
                docs.upsert([B])
        with held(file, fcntl.LOCK_SH):
            assert docs.count() == 1
            with pytest.raises(LockTimeout):
                docs.upsert([B])
        assert docs.count() == 1


def test_a_search_keeps_nobody_from_writing(file: Path) -> None:
    written(file, [A])
    with opened(file, lock_timeout=0.05) as docs, opened(file) as other:
        with other._engine._current():  # type: ignore[union-attr]
            assert docs.upsert([B]) == 1
        assert other.count() == 2


def test_who_opens_while_somebody_writes_waits_for_what_has_no_mark(file: Path) -> None:
    """It may be a change that was acknowledged, and that a power cut took the mark from."""
    _, _, two = written(file, [A], [B])
    os.truncate(file, two - frames.MARK_SIZE)
    with held(file, fcntl.LOCK_EX), pytest.raises(LockTimeout):
        opened(file, lock_timeout=0.05)
    assert ids(file) == {"a", "b"}


def test_an_interrupt_while_a_change_is_applied_leaves_nothing_half_read(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = filesystem.Rows.put

    def interrupted(rows: filesystem.Rows, record: filesystem.Kept) -> None:
        put(rows, record)
        if record.id == "b":
            monkeypatch.setattr(filesystem.Rows, "put", put)
            raise KeyboardInterrupt

    with opened(file) as docs, opened(file) as other:
        monkeypatch.setattr(filesystem.Rows, "put", interrupted)
        with pytest.raises(KeyboardInterrupt):
            docs.upsert([A, B, C])
        assert docs.count() == 3  # it is on the disk
        monkeypatch.setattr(filesystem.Rows, "put", interrupted)
        with pytest.raises(KeyboardInterrupt):
            other.count()
        assert other.count() == 3


def test_the_file_is_compacted_and_others_follow(file: Path) -> None:
    with opened(file, compact_from=2_000) as one, opened(file, compact_from=2_000) as other:
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


def test_what_was_deleted_leaves_the_file_too(file: Path) -> None:
    with opened(file, compact_from=2_000) as docs:
        docs.upsert([Record(f"r{number}", [1, number, 0], text="x" * 100) for number in range(100)])
        assert file.stat().st_size > 10_000
        docs.delete([f"r{number}" for number in range(98)])
        assert file.stat().st_size < 1_000
    assert ids(file) == {"r98", "r99"}


def test_who_dies_while_compacting_leaves_the_old_file(file: Path) -> None:
    written(file, [A, B])
    file.with_name("docs.vectors-new").write_bytes(b"half of a fi")
    with opened(file, compact_from=10) as docs:
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
    below = file.parent / "one" / "two" / "docs.vectors"
    written(below, [A])
    for folder in (below.parent, below.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
@pytest.mark.parametrize("name", ["docs.vectors", "docs.vectors-lock"])
def test_a_file_of_another_user_is_refused(name: str, file: Path) -> None:
    written(file, [A])
    os.chown(file.with_name(name), 65534, 65534)
    with pytest.raises(ConfigurationError, match=r"belongs to user 65534 .* run as its owner, or change its owner"):
        opened(file)
    assert file.with_name(name).stat().st_uid == 65534


def test_who_opens_a_large_file_keeps_nobody_from_writing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
