"""The last write that failed on a full disk or with an I/O error, remembered until writes work again."""

from __future__ import annotations

import resource
from pathlib import Path

from diglot.errors import DatabaseError, DatabaseFull, DatabaseIOError
from diglot.stores.sqlite.path import COMPANIONS

NEAR = 64 * 1024
"""A file this close to its size limit reaches it with the next write: more than a page and its frame, in bytes."""


class Trouble:
    """``failed`` is the last failure of this kind, or None."""

    __slots__ = ("_files", "failed")

    def __init__(self, path: Path | None) -> None:
        """``path`` is the database file; None for a database in memory."""
        self._files = [path, *(path.with_name(path.name + suffix) for suffix in COMPANIONS)] if path is not None else []
        self.failed: DatabaseError | None = None

    def noted(self, error: Exception) -> Exception:
        """The error, remembered if it is of this kind.

        A file-size limit that is reached is an I/O error to SQLite; it becomes DatabaseFull.
        """
        if isinstance(error, DatabaseIOError):
            limit = self._file_size_limit()
            if limit is not None:
                error = DatabaseFull(
                    f"a file of the database has reached this process's limit of {limit:,} bytes (ulimit -f): raise it",
                    query=error.query,
                )
        if isinstance(error, DatabaseFull | DatabaseIOError):
            self.failed = error
        return error

    def _file_size_limit(self) -> int | None:
        """RLIMIT_FSIZE in bytes if a file of the database has reached it."""
        limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        if limit == resource.RLIM_INFINITY:
            return None
        for file in self._files:
            try:
                if file.stat().st_size + NEAR > limit:
                    return limit
            except OSError:
                continue
        return None
