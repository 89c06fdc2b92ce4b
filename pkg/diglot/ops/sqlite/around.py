"""What the doctor checks around a SQLite file, even if the file itself is unreadable or missing."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from diglot.ops.doctor import Finding
from diglot.ops.private_files import leftovers
from diglot.stores.sqlite.filesystem import NETWORK, filesystem
from diglot.stores.sqlite.health import LITTLE_SPACE, open_to_others
from diglot.stores.sqlite.path import COMPANIONS

_MEBIBYTE = 1024 * 1024
_LARGE_LOG = 256 * _MEBIBYTE
_MAY_RUN = 3600.0
"""For this many seconds after its last write, the operation that created a temporary file may still be running."""


def _rights(path: Path) -> Finding:
    found = open_to_others(path)
    if found:
        detail = "; ".join(f"{file.name} is {rights:o}" for file, rights in found.items())
        return Finding("rights", "wrong", detail, f"chmod 600 {_names(found)}")
    mode = stat.S_IMODE(path.parent.stat().st_mode)
    if mode & 0o022:
        detail = f"others may create files in the folder {path.parent} ({mode:o})"
        return Finding("rights", "warning", detail, f"chmod go-w {_names([path.parent])}")
    return Finding("rights", "ok", "nobody else may read the file")


def _writable(path: Path) -> Finding:
    """Whether this user could write; it does not try."""
    files = [path, *(path.with_name(path.name + suffix) for suffix in COMPANIONS)]
    refused = [file for file in files if file.exists() and not os.access(file, os.R_OK | os.W_OK)]
    if not os.access(path.parent, os.W_OK | os.X_OK):
        refused.insert(0, path.parent)
    if not refused:
        return Finding("writable", "ok", "according to its permissions")
    detail = f"this user can't write {refused[0]}"
    owner = refused[0].stat().st_uid
    if owner != os.geteuid():
        return Finding("writable", "unknown", f"{detail}, which belongs to user {owner}", "run it as that user")
    return Finding("writable", "wrong", detail, f"chmod u+rw{'x' * refused[0].is_dir()} {_names(refused[:1])}")


def _file_system(path: Path) -> Finding:
    kind = filesystem(path.parent)
    if kind is None:
        return Finding("file_system", "unknown", "the operating system does not report its type")
    if kind in NETWORK:
        return Finding("file_system", "wrong", f"{kind} is a network file system", "move the file to a local disk")
    return Finding("file_system", "ok", kind)


def _disk_space(path: Path) -> Finding:
    free, size = shutil.disk_usage(path.parent).free, path.stat().st_size if path.exists() else 0
    detail = f"{free / _MEBIBYTE:,.0f} MiB free; the file has {size / _MEBIBYTE:,.0f} MiB"
    if free < LITTLE_SPACE:
        return Finding("disk_space", "wrong", detail, "make room on the disk")
    if free < 2 * size:
        return Finding(
            "disk_space", "warning", f"{detail}: too little for VACUUM or a backup here", "make room on the disk"
        )
    return Finding("disk_space", "ok", detail)


def _log(path: Path) -> Finding:
    log, journal = (path.with_name(f"{path.name}{suffix}") for suffix in ("-wal", "-journal"))
    size = log.stat().st_size if log.exists() else 0
    if size and not path.exists():
        fix = f"move it away, or bring back the database that it belongs to: mv {_names([log])} OTHER"
        return Finding("log", "wrong", f"{log.name} exists without its database", fix)
    if journal.exists() and journal.stat().st_size:
        detail = f"{journal.name}: a transaction is being written, or was interrupted and not yet rolled back"
        return Finding("log", "warning", detail, "diglot optimize")
    detail = f"{size / _MEBIBYTE:,.1f} MiB"
    if size > _LARGE_LOG:
        return Finding("log", "warning", f"{detail}: a reader keeps it from being emptied", "diglot optimize")
    return Finding("log", "ok", detail)


def _leftovers(path: Path) -> Finding:
    found = leftovers(path)
    now = time.time()
    old = [file for file in found if file.exists() and now - file.stat().st_mtime > _MAY_RUN]
    if old:
        names = ", ".join(one.name for one in old[:3]) + (f" and {len(old) - 3} more" if len(old) > 3 else "")
        return Finding("leftovers", "warning", f"files of interrupted operations: {names}", f"rm {_names(old)}")
    return Finding("leftovers", "ok", "none" if not found else f"{len(found)} of operations that may be running")


def _names(files: Mapping[Path, int] | list[Path]) -> str:
    return " ".join(shlex.quote(str(file)) for file in files)


CHECKS: Mapping[str, Callable[[Path], Finding]] = {
    "rights": _rights,
    "writable": _writable,
    "file_system": _file_system,
    "disk_space": _disk_space,
    "log": _log,
    "leftovers": _leftovers,
}
"""By name, in the order that is shown."""
