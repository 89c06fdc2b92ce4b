"""Waits until nobody uses a test server any more, then stops it and removes its folder; last, the session's folder.
A PgBouncer in front of it, whose pid file is in the folder, ends first.

Started by postgres_server.py with three paths: the lock file, the folder and pg_ctl. It runs alone (python -I -S),
so that it needs nothing of the session that it outlives.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any


def main() -> None:
    if os.fork() != 0:
        return  # who started it does not wait for it
    os.setsid()  # Ctrl-C goes to the terminal's group and must not reach the guard
    lock, folder, pg_ctl = map(Path, sys.argv[1:])
    with lock.open("wb") as in_use:
        fcntl.flock(in_use, fcntl.LOCK_EX)  # free when the last user is gone
        for pid in folder.glob("*/pid"):  # of PgBouncer
            with suppress(OSError, ValueError):
                os.kill(int(pid.read_text()), signal.SIGKILL)
        if (folder / "data" / "postmaster.pid").exists():
            owner = folder.stat()
            other: dict[str, Any] = {}
            if os.geteuid() == 0:
                other = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": ()}
            command = [str(pg_ctl), "stop", "-w", "-s", "-m", "immediate", "-D", str(folder / "data")]
            subprocess.run(command, cwd="/", check=False, stdin=subprocess.DEVNULL, **other)
        shutil.rmtree(folder, ignore_errors=True)
    # A session that was killed can't tidy up after itself.
    with (folder.parent / "session").open("ab") as session:
        fcntl.flock(session, fcntl.LOCK_EX)
    shutil.rmtree(folder.parent, ignore_errors=True)


if __name__ == "__main__":
    main()
