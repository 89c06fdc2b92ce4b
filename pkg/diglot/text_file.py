"""The text of a file that a person wrote, on any system: UTF-8, with or without a byte order mark, any line ends.

Every file that Diglot reads (queries, migrations, checksums, settings, ``.env``, traces) is decoded here, so that what
an editor adds is accepted in all of them or in none.
"""

from __future__ import annotations

import codecs
from pathlib import Path


class NotText(ValueError):
    """The bytes are not UTF-8. ``line`` and ``column`` of the first that is wrong, both from 1, the column in bytes."""

    def __init__(self, data: bytes, place: int) -> None:
        self.line = data.count(b"\n", 0, place) + 1
        self.column = place - data.rfind(b"\n", 0, place)
        super().__init__(f"not UTF-8 (at line {self.line}, column {self.column})")


def decoded(data: bytes) -> str:
    """The text of a file's bytes, without a byte order mark and with LF line ends. NotText."""
    try:
        return normalised(data.decode())
    except UnicodeDecodeError as error:
        raise NotText(data, error.start) from error


def normalised(text: str) -> str:
    """Without a byte order mark and with LF line ends."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n")


def normalised_bytes(data: bytes) -> bytes:
    """The same for bytes whose encoding does not matter, as for a checksum."""
    return data.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n")


def shown(path: Path | str) -> str:
    """The path relative to the current folder where it is in there, else as it is."""
    path = Path(path)
    try:
        return path.absolute().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.as_posix()
