"""Which files and folders may contain our data: those of this user that nobody else can read or write."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from diglot.errors import ConfigurationError

PRIVATE = 0o600
PRIVATE_FOLDER = 0o700
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def refuse_unsafe(found: os.stat_result, what: str, *, of_anybody: bool = False) -> None:
    """ConfigurationError for a file that is not regular, has several names or belongs to another user.

    ``what`` names it in the error (``the SQLite database /srv/app.db``); ``of_anybody``: any owner will do.
    """
    kind = _KINDS.get(stat.S_IFMT(found.st_mode))
    if kind is not None:
        raise ConfigurationError(f"{what} is {kind}; it must be a regular file")
    if found.st_nlink > 1:
        raise ConfigurationError(
            f"{what} has {found.st_nlink} hard links: the files next to it (log, lock) are found by one name only; "
            "remove the other names"
        )
    if found.st_uid != os.geteuid() and not of_anybody:
        raise ConfigurationError(
            f"{what} belongs to user {found.st_uid} and this is user {os.geteuid()}: "
            "run as its owner, or change its owner"
        )


def tightened(mode: int) -> int | None:
    """The permissions that a file of ours should get instead; None if these are strict enough."""
    rights = stat.S_IMODE(mode)
    return rights & PRIVATE if rights & ~PRIVATE else None


def make_private_folder(folder: Path) -> None:
    """Create the folder and its missing parents, each 0700; two processes may do so at the same time. OSError."""
    for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        missing.mkdir(PRIVATE_FOLDER, exist_ok=True)
