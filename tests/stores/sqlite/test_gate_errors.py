"""What the operating system refuses at the gate is an error of ours, and the turn is never kept."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from diglot.errors import (
    ConfigurationError,
    DatabaseError,
    DatabaseFull,
    DatabaseIOError,
    DatabaseReadOnly,
    DatabaseUnavailable,
    DiglotError,
)
from diglot.stores.settings import SQLiteSettings
from diglot.stores.sqlite.store import SQLiteStore, open_sqlite
from tests.stores.sqlite.workload import COUNTER, INCREMENT, counter

pytestmark = pytest.mark.sqlite
CODES = [
    (errno.ENOLCK, DatabaseUnavailable, "the file system can't lock the SQLite database"),
    (errno.EOPNOTSUPP, DatabaseUnavailable, "the file system can't lock the SQLite database"),
    (errno.EIO, DatabaseIOError, "the disk under the SQLite database failed"),
    (errno.EACCES, DatabaseReadOnly, "can't be created or written"),
    (errno.ENOSPC, DatabaseFull, "the disk is full"),
    (errno.EDEADLK, DatabaseUnavailable, "can't be opened"),
    (errno.ETIMEDOUT, DatabaseUnavailable, "can't be opened"),  # in Python a TimeoutError, like our own
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    with open_sqlite(SQLiteSettings(path=str(tmp_path / "app.db"), lock_timeout=0.5)) as opened:
        opened.script(COUNTER)
        yield opened


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, call: str, number: int, *, unlock: bool = True) -> Iterator[None]:
    """No file system here fails so; only the system call is replaced."""
    real = getattr(fcntl, call)

    def fail(descriptor: int, command: int, *more: Any) -> Any:
        if not unlock and command == fcntl.LOCK_UN:
            return real(descriptor, command, *more)
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, call, fail)
        yield


@pytest.mark.parametrize(("number", "kind", "said"), CODES, ids=[errno.errorcode[code[0]] for code in CODES])
@pytest.mark.parametrize("call", ["flock", "fcntl"])
@pytest.mark.parametrize("unlock", [True, False])
def test_a_lock_that_the_system_refuses(
    call: str, number: int, kind: type[DatabaseError], said: str, unlock: bool, store: SQLiteStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with failing(monkeypatch, call, number, unlock=unlock):
        for _ in range(3):
            with pytest.raises(kind, match=said) as refused:
                store.count(INCREMENT)
            assert type(refused.value) is kind
            with pytest.raises(kind), store.transaction():
                pass
        assert not store.health().ok
        assert store.statistics()["database_sqlite_processes_waiting"] == 0
    store.count(INCREMENT)
    assert counter(store) == 1
    assert store.health().ok


def test_giving_the_gate_back_never_fails(store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.transaction() as tx:
        tx.count(INCREMENT)
        monkeypatch.setattr(fcntl, "flock", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
    monkeypatch.undo()
    with open_sqlite(store.settings) as other:
        other.count(INCREMENT)
    store.count(INCREMENT)
    assert counter(store) == 3


def test_no_descriptor_is_left(tmp_path: Path) -> None:
    """The gate's file is opened at the first write."""
    store = open_sqlite(SQLiteSettings(path=str(tmp_path / "app.db")))
    store.script(COUNTER)
    store.connections.turns.close_gate()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = [os.open(os.devnull, os.O_RDONLY)]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (opened[0] + 50, hard))
        with pytest.raises(OSError, match="Too many open files"):
            while True:
                opened.append(os.open(os.devnull, os.O_RDONLY))
        with pytest.raises(DatabaseUnavailable, match="Too many open files"):
            store.count(INCREMENT)
        assert not store.health(deep=False).ok
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in opened:
            os.close(descriptor)
    store.count(INCREMENT)
    assert store.health().ok
    store.close()


def _unlinked(path: Path) -> None:
    for each in path.parent.iterdir():
        each.unlink()


def _folder_gone(path: Path) -> None:
    _unlinked(path)
    path.parent.rmdir()


def _gate_is_a_folder(path: Path) -> None:
    path.with_name("app.db-gate").unlink()
    path.with_name("app.db-gate").mkdir()


def _gate_is_a_link(path: Path) -> None:
    path.with_name("app.db-gate").unlink()
    path.with_name("app.db-gate").symlink_to(path)


def _log_cut_off(path: Path) -> None:
    os.truncate(path.with_name("app.db-wal"), 10)


def _file_emptied(path: Path) -> None:
    os.truncate(path, 0)


def _file_overwritten(path: Path) -> None:
    path.write_bytes(b"x" * path.stat().st_size)


@pytest.mark.parametrize(
    "harm",
    [_unlinked, _folder_gone, _gate_is_a_folder, _gate_is_a_link, _log_cut_off, _file_emptied, _file_overwritten],
)
def test_whatever_happens_to_the_files_every_error_is_ours(harm: Any, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    store = open_sqlite(SQLiteSettings(path=str(folder / "app.db"), lock_timeout=0.2))
    store.script(COUNTER)
    store.connections.turns.close_gate()
    harm(folder / "app.db")
    calls = [
        lambda: store.count(INCREMENT),
        lambda: counter(store),
        store.statistics,
        store.checkpoint,
        lambda: store.transaction().__enter__().count(INCREMENT),
        lambda: store.migration_connection(0.1).__enter__(),
        lambda: open_sqlite(store.settings).close(),
    ]
    for call in calls:
        try:
            call()
        except DiglotError as error:
            assert "\n" not in str(error)
    store.health()
    with suppress(DiglotError):
        store.close()


def test_a_folder_that_is_gone_or_a_name_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(DiglotError, match=r"app\.db"):
        open_sqlite(SQLiteSettings(path="app.db"))
    for name in ("\ud800.db", "x" * 300):
        with pytest.raises(ConfigurationError):
            open_sqlite(SQLiteSettings(path=str(tmp_path / name)))
