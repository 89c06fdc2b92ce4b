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
"""At its default level gzip takes twice as long, to save a tenth."""


def compressed(raw: IO[bytes], path: Path) -> Any:
    """A file that compresses into ``raw`` as the name says. Raises ConfigurationError if zstandard is missing."""
    if path.suffix == ".gz":
        return gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=_LEVEL, mtime=0)
    if path.suffix == ".zst":
        return _zstandard(path).open(raw, "wb")
    return raw


def decompressed(raw: IO[bytes], path: Path, stack: ExitStack) -> IO[bytes]:
    """A file that decompresses ``raw`` as the name says. ``stack`` closes what is opened."""
    if path.suffix == ".gz":
        return cast("IO[bytes]", stack.enter_context(gzip.GzipFile(fileobj=raw, mode="rb")))
    if path.suffix == ".zst":
        return io.BufferedReader(stack.enter_context(_zstandard(path).open(raw, "rb")), _BUFFER)
    return raw


def is_damage(error: Exception) -> bool:
    """Whether a reader raises this for data that it can't decompress."""
    return isinstance(error, EOFError | gzip.BadGzipFile | zlib.error) or type(error).__module__.startswith("zstandard")


def _zstandard(path: Path) -> Any:
    try:
        import zstandard
    except ImportError:
        raise ConfigurationError(
            f"{path} needs the package zstandard: pip install 'diglot[zstd]', or choose a name with .gz"
        ) from None
    return zstandard
