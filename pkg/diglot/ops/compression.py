"""Files that are compressed if their name says so: .gz with the standard library, .zst with zstandard."""

from __future__ import annotations

import gzip
import io
import zlib
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, cast

from diglot.errors import ConfigurationError

_BUFFER = 1024 * 1024
_LEVEL = 3
"""gzip takes twice as long at its own level, for a tenth less."""


def compressed(raw: IO[bytes], path: Path) -> Any:
    """What to write into, so that ``raw`` gets what the name of the file says. ConfigurationError without zstandard."""
    if path.suffix == ".gz":
        return gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=_LEVEL, mtime=0)
    if path.suffix == ".zst":
        return _zstandard(path).open(raw, "wb")
    return raw


def decompressed(raw: IO[bytes], path: Path, stack: ExitStack) -> IO[bytes]:
    """The other way. ``stack`` closes what is opened."""
    if path.suffix == ".gz":
        return cast("IO[bytes]", stack.enter_context(gzip.GzipFile(fileobj=raw, mode="rb")))
    if path.suffix == ".zst":
        return io.BufferedReader(stack.enter_context(_zstandard(path).open(raw, "rb")), _BUFFER)
    return raw


def is_damage(error: Exception) -> bool:
    """Whether this is what a reader raises for data that it can't decompress."""
    return isinstance(error, EOFError | gzip.BadGzipFile | zlib.error) or type(error).__module__.startswith("zstandard")


def _zstandard(path: Path) -> Any:
    try:
        import zstandard
    except ImportError:
        raise ConfigurationError(
            f"{path} needs the package zstandard: pip install 'diglot[zstd]', or choose a name with .gz"
        ) from None
    return zstandard
