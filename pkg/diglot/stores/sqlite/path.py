"""The file of a SQLite database before SQLite opens it: unsafe paths are refused, a new file is private.

The file is created here (0600, never through a link), because SQLite would create it with the umask's permissions, and
the same for its ``-wal`` and ``-shm``. An existing one is only examined, never opened: closing it again would drop
the locks that SQLite holds on it in this process.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from diglot.errors import (
    ConfigurationError,
    DatabaseFull,
    DatabaseIOError,
    DatabaseReadOnly,
    DatabaseUnavailable,
    DiglotError,
)
from diglot.stores.private_file import PRIVATE, make_private_folder, refuse_unsafe, tightened

MEMORY = ":memory:"
PRIVATE_FILE = PRIVATE
COMPANIONS = ("-wal", "-shm", "-journal", "-gate")


class Identity(NamedTuple):
    """Identifies the file independently of its name."""

    device: int
    inode: int


class Found(NamedTuple):
    """The database file as it was found; ``mode`` are its permissions before they were tightened."""

    identity: Identity
    mode: int
    size: int


def checked(path: str) -> Path:
    """The path, absolute, its folder resolved; ConfigurationError for one that can't be our database."""
    if not path:
        raise ConfigurationError("the path of the SQLite database is empty: give a file or ':memory:'")
    if any(ord(character) < 32 or ord(character) == 127 for character in path):
        raise ConfigurationError(f"the path of the SQLite database has a control character: {path!r}")
    if path.startswith("file:"):
        raise ConfigurationError(
            f"the path of the SQLite database is a 'file:' URI, whose parameters can switch its locks off: {path!r}; "
            "give the plain path ('./file:…' for a file of that name)"
        )
    if path.rsplit("/", 1)[-1] in ("", "."):
        raise ConfigurationError(f"the path of the SQLite database is a folder: {path!r}; name the file in it")
    if ".." in path.split("/"):
        raise ConfigurationError(f"the path of the SQLite database has a '..' segment: {path!r}; write it without")
    given = Path(path)
    try:
        os.fsencode(path)
        return Path(os.path.realpath(given.parent), given.name)
    except UnicodeError:
        raise ConfigurationError(f"the path of the SQLite database has a lone surrogate: {path!a}") from None
    except OSError as error:  # the current folder was removed
        raise ConfigurationError(f"the path of the SQLite database can't be found: {path}: {error.strerror}") from error


def expanded(path: str, what: str = "the path of the SQLite database") -> str:
    """The path with a leading ``~`` or ``~user`` replaced by that home folder.

    ConfigurationError for a ``~`` that can't be expanded: of an unknown user, or further on in the path, where no
    shell expands it and a folder of that name would be made. ``what`` is the path's name in the error.
    """
    if "~" not in path:
        return path
    first, *others = path.split("/")
    absolute = first == "" and others[0].startswith("~")
    if absolute or "~" in others:
        raise ConfigurationError(f"{what} has a '~' that is not at its start: {path!r}; write the folder's name")
    if not first.startswith("~"):
        return path
    if first == "~" and not os.environ.get("HOME", "/").startswith("/"):
        hint = "HOME is not an absolute path"
    else:
        try:
            return str(Path(first).expanduser().joinpath(*others))
        except RuntimeError:
            hint = f"there is no home folder of {first!r}"
    raise ConfigurationError(f"{what} has a '~' that can't be expanded: {path!r}; {hint} ('./~…' for that name)")


def look_only(path: Path) -> Found | None:
    """The file at this path as it is, whoever owns it; None if it does not exist. DatabaseUnavailable or
    ConfigurationError if it can't be read."""
    try:
        found = _regular(path, of_anybody=True)
    except OSError as error:
        raise refused(path, error) from error
    if found is not None and not os.access(path, os.R_OK):
        raise DatabaseUnavailable(f"the SQLite database {path} can't be read by this user")
    return found and Found(Identity(found.st_dev, found.st_ino), stat.S_IMODE(found.st_mode), found.st_size)


def look(path: Path) -> Found | None:
    """The file at this path, tightened to 0600 like those that SQLite keeps next to it; None if it does not exist.

    ConfigurationError for a link, a folder, a file with several names or of another user; DatabaseReadOnly for
    one that this user can't write.
    """
    try:
        found = _regular(path)
        if found is None:
            return None
        _tighten(path, found)
        for suffix in COMPANIONS:
            companion = path.with_name(path.name + suffix)
            beside = _regular(companion)
            if beside is not None:
                _tighten(companion, beside)
    except OSError as error:
        raise refused(path, error) from error
    if not os.access(path, os.R_OK | os.W_OK):
        raise DatabaseReadOnly(f"the SQLite database {path} can't be written by this user")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise DatabaseReadOnly(f"the folder of the SQLite database {path} can't be written: SQLite keeps its log in it")
    for suffix in COMPANIONS:
        # SQLite creates them with the permissions of the database, which may have been read-only then.
        companion = path.with_name(path.name + suffix)
        if companion.exists() and not os.access(companion, os.R_OK | os.W_OK):
            with suppress(OSError):
                companion.chmod(PRIVATE_FILE)
    return Found(Identity(found.st_dev, found.st_ino), stat.S_IMODE(found.st_mode), found.st_size)


def identity(path: Path) -> Identity | None:
    """The file at this path now; None if there is none, or one that must not be opened."""
    try:
        found = _regular(path, of_anybody=True)
    except (OSError, ConfigurationError):
        return None
    return Identity(found.st_dev, found.st_ino) if found is not None else None


def make_folder(folder: Path) -> None:
    """Create the folder and its parents, 0700; two processes may do so at the same time."""
    try:
        make_private_folder(folder)
    except OSError as error:
        raise refused(folder, error) from error


def make_file(path: Path) -> None:
    """An empty file, 0600. Only inside the gate: closing it would drop a lock that SQLite holds on it."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE))
    except FileExistsError:
        return  # another process was first; ``look`` checks whether it is ours
    except OSError as error:
        raise refused(path, error) from error


def uri(path: Path) -> str:
    """The path as a ``file:`` URI of our own: nothing in a name can become a parameter; it never creates."""
    return f"file:{quote(os.fsencode(path), safe='/')}?mode=rw"


def reading_uri(path: Path) -> str:
    """The same for reading only.

    In WAL mode SQLite needs an index beside the log (``-shm``), which it could not make in a folder that it can't
    write, and would leave behind in one that it can. Without a log nobody has the file open, so it is read as one that
    does not change. A file in another mode is read with its locks: a write may be going on, or have been interrupted.
    DatabaseUnavailable for a log without its index: reading it would make one.
    """
    log, index = (path.with_name(path.name + suffix) for suffix in ("-wal", "-shm"))
    in_use = log.exists() and (index.exists() or log.stat().st_size > 0)
    if in_use and not index.exists():
        raise DatabaseUnavailable(
            f"the SQLite database {path} has a log without its index (-shm), as after a copy: reading it would make "
            "files. Open it to write once ('diglot optimize')"
        )
    unchanging = not in_use and in_wal_mode(path)
    return uri(path).replace("?mode=rw", "?mode=ro&immutable=1" if unchanging else "?mode=ro")


def in_wal_mode(path: Path) -> bool:
    """Whether the file says so. Only while it has no log: closing it here drops every lock that this process has on it.
    OSError."""
    with path.open("rb") as file:
        return file.read(20)[19:20] == b"\x02"  # this field decides for SQLite, even in a damaged file


def refused(path: Path, error: OSError) -> DiglotError:
    """Turns an error of the operating system into ours."""
    said = f"{path}: {error.strerror or error}"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return DatabaseReadOnly(f"the SQLite database can't be created or written here: {said}")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DatabaseFull(f"the SQLite database can't be created, the disk is full: {said}")
    if error.errno == errno.EFBIG:
        return DatabaseFull(f"the SQLite database can't be written, a limit on the size of files is reached: {said}")
    if error.errno == errno.EIO:
        return DatabaseIOError(f"the disk under the SQLite database failed: {said}")
    if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG):
        return ConfigurationError(f"the path of the SQLite database can't be used: {said}")
    return DatabaseUnavailable(f"the SQLite database can't be opened: {said}")


def lock_refused(path: Path, error: OSError) -> DiglotError:
    """Turns an error of locking a file into ours, other than that the lock is held."""
    if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL):
        return DatabaseUnavailable(
            f"the file system can't lock the SQLite database: {path}: {error.strerror}; use a local disk, or PostgreSQL"
        )
    return refused(path, error)


# --- details -----------------------------------------------------------------------------------------------


def _regular(path: Path, *, of_anybody: bool = False) -> os.stat_result | None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    refuse_unsafe(found, f"the SQLite database {path}", of_anybody=of_anybody)
    return found


def _tighten(path: Path, found: os.stat_result) -> None:
    rights = tightened(found.st_mode)
    if rights is not None:
        with suppress(FileNotFoundError):  # another process has just closed the last connection: the log is gone
            path.chmod(rights)
