"""The file of rows that an import sets aside: one JSON object per line, with the row as it is in the export.

{"line":7,"table":"books","reason":"a check of the database refused the values: ck_books_pages","row":{…}}
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from diglot.errors import ConfigurationError
from diglot.ops.content import INFINITY
from diglot.ops.export_file import Line, written
from diglot.ops.private_files import give_name, temporary_file

_encode = msgspec.json.Encoder().encode


class Aside:
    """Rows on their way into the file. The file appears before the other rows are committed: whenever the import is
    interrupted, no row is missing from both places."""

    def __init__(self, temporary: Path, name: Path, file: IO[bytes]) -> None:
        self._temporary = temporary
        self._name = name
        self._file = file
        self.published = False

    def add(self, line: Line, reason: str) -> None:
        row = {name: _spelled(value) for name, value in line.row.items()}
        self._file.write(_encode({"line": line.number, "table": line.table, "reason": reason, "row": row}) + b"\n")

    def restart(self) -> None:
        """Forget the rows: the import starts over."""
        self._file.seek(0)
        self._file.truncate()

    def publish(self) -> None:
        """Give the file its name, on the disk, if it has a row. Raises ConfigurationError, OSError."""
        self._file.flush()
        if self._file.tell():
            give_name(self._temporary, self._name)
            self.published = True

    def withdraw(self) -> None:
        """Remove the file: the import was rolled back."""
        if self.published:
            self._name.unlink(missing_ok=True)


def _spelled(value: object) -> object:
    return {"real": str(value)} if value in (INFINITY, -INFINITY) else written(value)


@contextmanager
def setting_aside(name: Path | None) -> Iterator[Aside | None]:
    """A new file, which is removed after an exception. Raises ConfigurationError if the name is taken."""
    if name is None:
        yield None
        return
    if name.exists():
        raise ConfigurationError(f"{name} already exists: choose another name, or remove it")
    if not name.parent.is_dir():
        raise ConfigurationError(f"there is no folder {name.parent}: create it first")
    with temporary_file(name) as temporary, temporary.open("wb") as file:
        aside = Aside(temporary, name, file)
        try:
            yield aside
        except BaseException:
            aside.withdraw()
            raise
