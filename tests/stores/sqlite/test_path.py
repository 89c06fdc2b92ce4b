"""Which paths become a SQLite database, and who can read its files."""

from __future__ import annotations

import errno
import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from diglot.errors import (
    ConfigurationError,
    DatabaseDamaged,
    DatabaseFull,
    DatabaseIOError,
    DatabaseReadOnly,
    DatabaseUnavailable,
    DiglotError,
    LockTimeout,
)
from diglot.stores.settings import SQLiteSettings
from diglot.stores.sqlite.filesystem import filesystem, refuse_network
from diglot.stores.sqlite.gate import Gate
from diglot.stores.sqlite.library import library
from diglot.stores.sqlite.path import look, make_file, make_folder, refused
from diglot.stores.sqlite.store import open_sqlite
from tests.stores.sqlite.workload import read, write

pytestmark = pytest.mark.sqlite


@pytest.mark.parametrize(
    ("path", "said"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param("a\0b.db", "control character", id="NUL"),
        pytest.param("a\nb.db", "control character", id="newline"),
        pytest.param("a\x7fb.db", "control character", id="delete"),
        pytest.param("file:app.db", "'file:' URI", id="URI"),
        pytest.param("file:app.db?vfs=unix-none", "'file:' URI", id="URI with parameters"),
        pytest.param("file::memory:?cache=shared", "'file:' URI", id="shared memory"),
        pytest.param("data/", "is a folder", id="trailing slash"),
        pytest.param("data/.", "is a folder", id="trailing dot"),
        pytest.param("../app.db", "'..' segment", id="dots in front"),
        pytest.param("data/../../app.db", "'..' segment", id="dots within"),
        pytest.param("..", "'..' segment", id="only dots"),
        pytest.param("x" * 300, "can't be used", id="too long"),
    ],
)
def test_a_path_that_can_be_no_database_is_refused_and_nothing_is_made(
    path: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=said) as error:
        open_sqlite(SQLiteSettings(path=path))
    assert "\n" not in str(error.value), "one line"
    assert list(tmp_path.iterdir()) == []


def _folder(path: Path) -> None:
    path.mkdir()


def _symlink(path: Path) -> None:
    target = path.with_name("target")
    target.touch()
    path.symlink_to(target)


def _dangling(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def _hard_link(path: Path) -> None:
    path.touch()
    path.with_name("other name").hardlink_to(path)


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def _linked_log(path: Path) -> None:
    path.touch()
    path.with_name(path.name + "-wal").symlink_to(path.with_name("elsewhere"))


def _linked_gate(path: Path) -> None:
    path.with_name(path.name + "-gate").symlink_to(path.with_name("elsewhere"))


def _file_for_a_folder(path: Path) -> None:
    path.parent.rmdir()
    path.parent.touch()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(_folder, "is a folder", id="folder"),
        pytest.param(_symlink, "is a symbolic link", id="symlink"),
        pytest.param(_dangling, "is a symbolic link", id="dangling symlink"),
        pytest.param(_hard_link, "has 2 hard links", id="hard link"),
        pytest.param(_pipe, "is a named pipe", id="pipe"),
        pytest.param(_socket, "is a socket", id="socket"),
        pytest.param(_linked_log, "is a symbolic link", id="log is a symlink"),
        pytest.param(_linked_gate, "can't be used", id="gate is a symlink"),
        pytest.param(_file_for_a_folder, "can't be used", id="the folder is a file"),
    ],
)
def test_what_is_no_plain_file_of_its_own_is_refused(make: Callable[[Path], None], said: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "app.db"
    make(path)
    with pytest.raises(ConfigurationError, match=said):
        open_sqlite(SQLiteSettings(path=str(path)))
    assert not path.with_name("elsewhere").exists()
    assert not path.with_name("nowhere").exists()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("a b#c?d%41.db", id="URI characters"),
        pytest.param("file:x", id="looks like a URI"),
        pytest.param("file:x?mode=memory&cache=shared", id="looks like a URI with parameters"),
        pytest.param(":memory:x", id="almost memory"),
        pytest.param("日本語 ünï \\ '\" ;--.db", id="unicode and quotes"),
        pytest.param("-db", id="dash"),
        pytest.param("a&vfs=unix-none", id="ampersand"),
        pytest.param(os.fsdecode(b"not\xffutf8"), id="not UTF-8"),
    ],
)
def test_a_hostile_name_is_only_a_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with open_sqlite(SQLiteSettings(path=str(path))) as store:
        store.script(write("create table t (x integer) strict; insert into t values (1)"))
        assert {each.name for each in tmp_path.iterdir()} == {name, f"{name}-wal", f"{name}-shm", f"{name}-gate"}
    assert {each.name for each in tmp_path.iterdir()} == {name, f"{name}-gate"}, "closed: the log is gone"
    with open_sqlite(SQLiteSettings(path=str(path), create=False)) as store:
        assert store.rows(read("select x from t")) == [(1,)]
        assert store.location == str(path)


def test_a_relative_path_stays_the_same_file_when_the_folder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_sqlite(SQLiteSettings(path="./file:x")) as store:
        store.script(write("create table t (x integer) strict"))
        monkeypatch.chdir("/")
        assert store.rows(read("select * from t")) == []
        assert store.location == str(tmp_path / "file:x")


def test_files_and_folders_are_private_from_the_moment_they_exist(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_file(tmp_path / "new")
        path = tmp_path / "made" / "by us" / "app.db"
        with open_sqlite(SQLiteSettings(path=str(path))) as store:
            store.script(write("create table t (x integer) strict"))
            files = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600
    assert files == {"app.db": 0o600, "app.db-wal": 0o600, "app.db-shm": 0o600, "app.db-gate": 0o600}
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path.parent, path.parent.parent)] == [0o700, 0o700]


def test_looser_files_are_tightened_before_they_are_opened(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with open_sqlite(SQLiteSettings(path=str(path))) as store:
        store.script(write("create table t (x integer) strict"))
        companions = [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm", "-gate")]
        for each in companions:
            each.chmod(0o664)
        with open_sqlite(SQLiteSettings(path=str(path))):
            assert [stat.S_IMODE(each.stat().st_mode) for each in companions] == [0o600] * 4


def test_a_file_that_is_no_database_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text("This is no database. " * 100)
    path.chmod(0o644)
    with pytest.raises(DatabaseDamaged, match="not a database"):
        open_sqlite(SQLiteSettings(path=str(path)))
    assert path.read_text().startswith("This is no database.")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_database_is_made_only_where_that_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "app.db"
    with pytest.raises(DatabaseUnavailable, match="there is no SQLite database"):
        open_sqlite(SQLiteSettings(path=str(path), create=False))
    assert list(tmp_path.iterdir()) == []


def test_a_database_of_another_journal_mode_is_switched_to_the_write_ahead_log(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    other = library().connect(path)
    other.execute("create table t (x)")
    other.close()
    with open_sqlite(SQLiteSettings(path=str(path))) as store:
        assert store.rows(read("pragma journal_mode")) == [("wal",)]


def test_a_switch_to_the_write_ahead_log_waits_for_others_and_gives_up(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    other = library().connect(path, isolation_level=None)
    other.execute("create table t (x)")
    gate = Gate(path.with_name("app.db-gate"))
    gate.acquire(0)
    with pytest.raises(LockTimeout, match=r"could not be opened within 0\.1 s: another process"):
        open_sqlite(SQLiteSettings(path=str(path), lock_timeout=0.1))
    gate.close()
    other.execute("begin exclusive")
    with pytest.raises(LockTimeout, match="another program"):
        open_sqlite(SQLiteSettings(path=str(path), lock_timeout=0.1))
    other.execute("rollback")
    other.execute("begin")
    other.execute("select * from t").fetchall()
    with pytest.raises(LockTimeout, match="another program"):
        open_sqlite(SQLiteSettings(path=str(path), lock_timeout=0.1))
    other.close()
    open_sqlite(SQLiteSettings(path=str(path), lock_timeout=0.1)).close()


def test_a_file_that_vanishes_while_it_is_made_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diglot.stores.sqlite.file.make_file", lambda path: None)
    with pytest.raises(DatabaseUnavailable, match="was removed while it was being created"):
        open_sqlite(SQLiteSettings(path=str(tmp_path / "app.db")))


def test_a_file_that_is_replaced_while_it_is_open_is_not_mixed_with_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with open_sqlite(SQLiteSettings(path=str(path))) as store:
        path.unlink()
        path.touch(0o600)
        with pytest.raises(DatabaseUnavailable, match="removed or replaced"):
            store.rows(read("select 1"))


# --- other users (run as one, in a process of its own) -----------------------------------------------------

NOBODY = 65534
AS_NOBODY = """
import os, sys
from diglot.stores.settings import SQLiteSettings
from diglot.stores.sqlite.store import open_sqlite
from diglot.stores.sqlite.library import library
library()  # now: its folder may be closed to the other user
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    open_sqlite(SQLiteSettings(path=sys.argv[1])).close()
except Exception as error:
    print(type(error).__name__, error)
else:
    print("opened")
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of the user below, in one that he can enter (pytest keeps its own folders closed to others)."""
    with tempfile.TemporaryDirectory(prefix="diglot-test-") as made:
        around = Path(made)
        around.chmod(0o711)
        folder = around / "data"
        folder.mkdir(0o700)
        give_away(folder)
        yield folder
        folder.chmod(0o700)


def as_another_user(path: Path) -> str:
    """Open it as a user whom permissions stop (`nobody`, when the tests run as root): "opened", or the error."""
    done = subprocess.run([sys.executable, "-c", AS_NOBODY, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def give_away(path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)


def test_a_folder_that_can_not_be_written_is_a_clear_error(folder: Path) -> None:
    (folder / "app.db").touch(0o600)
    give_away(folder / "app.db")
    folder.chmod(0o500)
    assert as_another_user(folder / "new.db").startswith("DatabaseReadOnly")
    assert as_another_user(folder / "new" / "app.db").startswith("DatabaseReadOnly")
    assert as_another_user(folder / "app.db").startswith("DatabaseReadOnly the folder of the SQLite database")
    folder.chmod(0o700)
    assert as_another_user(folder / "app.db") == "opened"


def test_a_file_that_can_not_be_written_is_a_clear_error(folder: Path) -> None:
    path = folder / "app.db"
    path.touch(0o400)
    give_away(path)
    assert as_another_user(path) == f"DatabaseReadOnly the SQLite database {path} can't be written by this user"


@pytest.mark.parametrize("uid", [NOBODY])
def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uid: int) -> None:
    path = tmp_path / "app.db"
    path.touch(0o600)
    if os.geteuid() == 0:
        os.chown(path, uid, uid)
    else:  # nobody but root can give a file away: be another user instead
        monkeypatch.setattr(os, "geteuid", lambda: uid)
    with pytest.raises(ConfigurationError, match="belongs to user"):
        open_sqlite(SQLiteSettings(path=str(path)))


# --- network file systems ----------------------------------------------------------------------------------


def test_the_file_system_of_a_folder_is_known(tmp_path: Path) -> None:
    kind = filesystem(Path("/proc"))
    assert kind in ("proc", None)
    refuse_network(tmp_path)


def test_a_network_file_system_is_refused(tmp_path: Path) -> None:
    device = tmp_path.stat().st_dev
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 0:0 / /elsewhere rw - ext4 /dev/sda1 rw\n"
        f"36 35 {os.major(device)}:{os.minor(device)} / /mnt rw,noatime shared:1 - nfs4 server:/export rw\n"
    )
    with pytest.raises(ConfigurationError, match=r"network file system \(nfs4\)"):
        refuse_network(tmp_path, mounts)
    mounts.write_text("36 35 0:0 / /mnt rw - nfs4 server:/export rw\n")
    refuse_network(tmp_path, mounts)
    refuse_network(tmp_path, tmp_path / "no such file")


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EACCES, DatabaseReadOnly),
        (errno.EROFS, DatabaseReadOnly),
        (errno.ENOSPC, DatabaseFull),
        (errno.EDQUOT, DatabaseFull),
        (errno.ELOOP, ConfigurationError),
        (errno.ENAMETOOLONG, ConfigurationError),
        (errno.EFBIG, DatabaseFull),
        (errno.EIO, DatabaseIOError),
        (errno.EMFILE, DatabaseUnavailable),
    ],
)
def test_what_the_system_refuses_has_its_error(number: int, kind: type[DiglotError]) -> None:
    error = refused(Path("/data/app.db"), OSError(number, os.strerror(number)))
    assert type(error) is kind
    assert "/data/app.db" in str(error)


def test_what_can_not_be_made_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert look(tmp_path / "app.db") is None
    with pytest.raises(ConfigurationError):
        make_folder(tmp_path / "file" / "folder")
    with pytest.raises(DatabaseUnavailable):
        make_file(tmp_path / "no folder" / "app.db")
    make_file(tmp_path / "file")  # another process was first


@pytest.mark.parametrize(("what", "said"), [("app.db", "database .* can't be written"), ("", "folder of")])
def test_what_this_user_can_not_write_is_refused_before_sqlite_sees_it(
    what: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "app.db"
    path.touch(0o600)
    access = os.access
    monkeypatch.setattr(os, "access", lambda asked, mode: asked != tmp_path / what and access(asked, mode))
    with pytest.raises(DatabaseReadOnly, match=said):
        open_sqlite(SQLiteSettings(path=str(path)))
