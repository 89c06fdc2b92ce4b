"""The place of a SQLite file: nothing of the old database is ever mixed with the new one."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from diglot.errors import DatabaseDamaged, DatabaseUnavailable
from diglot.ops.backup import backup
from diglot.ops.private_files import exchange
from diglot.ops.restore import restore
from diglot.project import Project
from diglot.sql.session import Statement
from diglot.stores import open_store
from diglot.stores.sqlite.gate import Gate
from diglot.stores.url import parse_url
from tests.ops.awkward import fill, rows_of
from tests.ops.backup.databases import COUNT, NOW, contents


@pytest.mark.sqlite
def test_a_log_without_its_database_is_not_read_into_the_restored_one(project: Project, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/app.db"
    fill(url, project)
    path = backup(parse_url(url), tmp_path / "app.backup", NOW).path
    before = contents(url)
    with open_store(parse_url(url)) as store:
        store.count(Statement("t", "delete from values_of_all_types", writes=True))
        log = (tmp_path / "app.db-wal").read_bytes()
    assert log
    (tmp_path / "app.db").unlink()
    (tmp_path / "app.db-wal").write_bytes(log)
    (tmp_path / "app.db-wal").chmod(0o600)
    kept = restore(project, path, parse_url(url)).kept
    assert contents(url) == before
    assert kept is not None
    assert Path(f"{kept}-wal").read_bytes() == log


@pytest.mark.sqlite
def test_refuses_to_replace_a_file_that_another_process_has_open(project: Project, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/app.db"
    fill(url, project)
    path = backup(parse_url(url), tmp_path / "app.backup", NOW).path
    program = (
        "import sys\nfrom diglot.project import Project\n"
        "with Project.find(sys.argv[1]).open(sys.argv[2]) as db:\n    print('open', flush=True)\n    sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(project.file), url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        with pytest.raises(DatabaseUnavailable, match="is open in another process: stop it, then restore"):
            restore(project, path, parse_url(url), replace=True)
        assert rows_of(url, COUNT) == [(30,)]
    finally:
        process.communicate()
    restore(project, path, parse_url(url), replace=True)


@pytest.mark.sqlite
def test_nobody_can_open_the_old_file_while_the_names_are_exchanged(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/app.db"
    fill(url, project)
    path = backup(parse_url(url), tmp_path / "app.backup", NOW).path
    said = []

    def exchanging(one: Path, other: Path) -> None:
        program = (
            "import sqlite3, sys\nconnection = sqlite3.connect(sys.argv[1], timeout=0)\n"
            "try:\n    connection.execute('pragma journal_mode = wal').fetchone()\n"
            "except sqlite3.OperationalError as error:\n    print(error)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(other)], capture_output=True, text=True, check=True, timeout=30
        )
        said.append(done.stdout)
        exchange(one, other)

    monkeypatch.setattr("diglot.ops.sqlite.restore.exchange", exchanging)
    restore(project, path, parse_url(url), replace=True)
    assert said == ["database is locked\n"]
    assert rows_of(url, COUNT) == [(30,)]


@pytest.mark.sqlite
def test_a_store_that_waits_at_the_gate_while_its_file_is_replaced_makes_no_log(tmp_path: Path) -> None:
    target = tmp_path / "app.db"
    for name in ("app.db", "new.db"):
        with open_store(parse_url(f"sqlite:///{tmp_path}/{name}")) as store:
            store.count(Statement("t", "create table t (a integer)", writes=True))
        _leave_wal(tmp_path / name)
    gate = Gate(tmp_path / "app.db-gate")
    gate.acquire(10)
    failures: list[BaseException] = []

    def opening() -> None:
        try:
            open_store(parse_url(f"sqlite:///{target}"))
        except DatabaseUnavailable as error:
            failures.append(error)

    thread = threading.Thread(target=opening)
    thread.start()
    try:
        _until(lambda: gate.waiting() == 1)
        (tmp_path / "new.db").replace(target)
    finally:
        gate.close()
        thread.join()
    assert "was removed or replaced while it was open" in str(failures[0])
    assert not (tmp_path / "app.db-wal").exists()


@pytest.mark.sqlite
def test_an_empty_file_leaves_nothing_behind(project: Project, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/app.db"
    fill(url, project)
    path = backup(parse_url(url), tmp_path / "app.backup", NOW).path
    with open_store(parse_url(f"sqlite:///{tmp_path}/empty.db")):
        pass
    assert restore(project, path, parse_url(f"sqlite:///{tmp_path}/empty.db")).kept is None
    assert rows_of(f"sqlite:///{tmp_path}/empty.db", COUNT) == [(30,)]
    assert not list(tmp_path.glob("empty.db.replaced-*"))


@pytest.mark.sqlite
def test_a_damaged_database_is_replaced_and_kept_and_its_log_is_gone(project: Project, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/app.db"
    fill(url, project)
    path = backup(parse_url(url), tmp_path / "app.backup", NOW).path
    before = contents(url)
    (tmp_path / "app.db").write_bytes(b"no database" * 1000)
    (tmp_path / "app.db-wal").write_bytes(b"no log")
    with pytest.raises(DatabaseDamaged, match=r"is damaged.*--replace"):
        restore(project, path, parse_url(url))
    kept = restore(project, path, parse_url(url), replace=True).kept
    assert kept is not None
    assert Path(kept).read_bytes() == b"no database" * 1000
    assert not (tmp_path / "app.db-wal").exists()
    assert contents(url) == before


def _leave_wal(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("pragma journal_mode = delete").fetchall()
    connection.close()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
