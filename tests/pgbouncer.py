"""A real PgBouncer in front of a server of the tests, with its own defaults: nothing is allowed that it refuses.

The program is Debian's, or the one that DIGLOT_TEST_PGBOUNCER names (to try another version). It refuses to run as
root, so it runs as the server's user. If the tests are killed, the server's guard ends it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
import uuid
from urllib.parse import quote

import psycopg

from tests.postgres_server import PostgresServer, as_server_user

PROGRAM = os.environ.get("DIGLOT_TEST_PGBOUNCER") or shutil.which("pgbouncer", path=f"{os.defpath}:/usr/sbin:/sbin")
MISSING = "PgBouncer is not installed (apt-get install pgbouncer)"
_PORT = 6432
# Some roles of the tests log in with a password; PgBouncer knows those that need none.
_CONFIGURATION = """
[databases]
* = host={server}
[pgbouncer]
unix_socket_dir = {folder}
listen_port = {port}
auth_type = trust
auth_file = {folder}/users.txt
logfile = {folder}/log
pidfile = {folder}/pid
max_client_conn = 1000
{settings}
"""


class PgBouncer:
    """Started by ``start``, ended by ``stop``; ``settings`` are its own, ``pool_mode`` among them."""

    def __init__(self, server: PostgresServer, users: tuple[str, ...] = ("postgres",), **settings: object) -> None:
        self.folder = server.folder / f"b-{uuid.uuid4().hex[:6]}"
        self._server = server
        self._users = users
        self._settings = {"pool_mode": "transaction"} | settings
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, dbname: str = "postgres", user: str = "postgres") -> str:
        return f"postgresql://{user}@:{_PORT}/{dbname}?host={quote(str(self.folder), safe='')}"

    def start(self) -> None:
        assert PROGRAM is not None, MISSING
        self.folder.mkdir(mode=0o700, exist_ok=True)
        (self.folder / "users.txt").write_text("".join(f'"{user}" ""\n' for user in self._users))
        settings = "\n".join(f"{name} = {value}" for name, value in self._settings.items())
        (self.folder / "ini").write_text(
            _CONFIGURATION.format(server=self._server.folder, folder=self.folder, port=_PORT, settings=settings)
        )
        other = as_server_user()
        if other:
            for path in (self.folder, *self.folder.iterdir()):
                os.chown(path, other["user"], other["group"])
        nothing = subprocess.DEVNULL
        command = [PROGRAM, "-q", str(self.folder / "ini")]
        self._process = subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing, cwd="/", **other)
        self._wait()

    def stop(self) -> None:
        """It keeps nothing, so it is killed: what its other signals mean depends on its version."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        for name in (f".s.PGSQL.{_PORT}", "pid"):
            (self.folder / name).unlink(missing_ok=True)

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def _wait(self) -> None:
        deadline = time.monotonic() + 10
        while True:
            try:
                psycopg.connect(self.url()).close()
            except psycopg.OperationalError as error:
                assert self._process is not None
                if self._process.poll() is not None or time.monotonic() > deadline:
                    log = self.log() if (self.folder / "log").exists() else ""
                    raise RuntimeError(f"PgBouncer does not start: {error}\n{log}") from error
                time.sleep(0.01)
            else:
                return


def version() -> tuple[int, int]:
    """(1, 18)"""
    assert PROGRAM is not None, MISSING
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"PgBouncer (\d+)\.(\d+)", said)
    assert found is not None, said
    return int(found[1]), int(found[2])
