"""VACUUM of a SQLite file needs room for a copy, which is looked for before it begins, and can be interrupted."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from diglot.errors import DatabaseFull
from diglot.ops.optimize import optimize
from diglot.ops.progress import Step
from diglot.ops.sqlite import vacuum_room
from diglot.ops.stats import stats
from diglot.stores.settings import SQLiteSettings
from diglot.stores.sqlite.library import library

pytestmark = pytest.mark.sqlite

ROWS = 400_000


@pytest.fixture
def settings(tmp_path: Path) -> SQLiteSettings:
    """A file that does not shrink by itself yet."""
    path = tmp_path / "app.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("create table t (id integer primary key, x text)")
        connection.execute(
            "insert into t with recursive n (v) as (select 1 union all select v + 1 from n where v < ?) "
            "select v, hex(randomblob(16)) from n",
            (ROWS,),
        )
    path.chmod(0o600)
    return SQLiteSettings(path=str(path))


def mode(settings: SQLiteSettings) -> Any:
    return stats(None, settings).figures["auto_vacuum"]


def test_an_interrupt_ends_it_and_leaves_the_file_as_it_was(settings: SQLiteSettings) -> None:
    assert mode(settings) == "none"

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def soon(_: Step) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.01)

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            optimize(settings, vacuum=True, report=soon)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert mode(settings) == "none"
    with closing(sqlite3.connect(settings.path)) as connection:
        assert connection.execute("select count(*) from t").fetchone() == (ROWS,)
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
    optimize(settings, vacuum=True)
    assert mode(settings) == "incremental"


class Room(NamedTuple):
    free: int


def test_is_refused_where_the_log_or_the_copy_does_not_fit(
    settings: SQLiteSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as small:
        small.setattr(shutil, "disk_usage", lambda _: Room(1_000_000))
        with pytest.raises(DatabaseFull, match="1 MB is free"):
            optimize(settings, vacuum=True)
    with closing(library().connect(":memory:")) as connection:
        in_memory = ("TEMP_STORE=3",) in connection.execute("pragma compile_options").fetchall()
    with monkeypatch.context() as small:
        small.setattr(vacuum_room, "available_memory", lambda: 1_000_000)
        if in_memory:
            with pytest.raises(DatabaseFull, match="of memory with this SQLite library"):
                optimize(settings, vacuum=True)
        else:
            optimize(settings, vacuum=True)
    assert mode(settings) == ("none" if in_memory else "incremental")
    available = vacuum_room.available_memory()
    assert available is None or 0 < available < 1 << 50


def test_the_folder_of_temporary_files_is_the_one_that_sqlite_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path / "none"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert vacuum_room.temporary_folder() == tmp_path
    assert os.access(tmp_path, os.W_OK)
