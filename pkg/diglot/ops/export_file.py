"""An export file: JSON Lines, one row per line, between a header and a footer. docs/export-format.md describes it.

It is compressed if its name ends in .gz or .zst. It appears under its name only when it is complete.
"""

from __future__ import annotations

import hashlib
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import msgspec

from diglot._version import __version__
from diglot.errors import ConfigurationError, ExportDamaged, ExportFailed, RowRefused
from diglot.ops.compression import compressed, decompressed, is_damage
from diglot.ops.content import INFINITY, spelled
from diglot.ops.forms import Form
from diglot.ops.private_files import give_name, room_for, temporary_file
from diglot.sql.session import Dialect, Row

FORMAT = 1
STREAM = Path("-")
"""Standard output, or standard input."""
_END = b'{"diglot_end":'
_REPORTED = 1000
"""Lines between two reports."""
_LONGEST = 256 * 1024 * 1024
"""The most bytes in a line: Diglot writes no longer lines."""
_encode = msgspec.json.Encoder().encode


class ExportedColumn(msgspec.Struct, frozen=True):
    name: str
    form: Form


class ExportedTable(msgspec.Struct, frozen=True):
    """A table in the file; the tables are in the order of their rows."""

    name: str
    columns: list[ExportedColumn]
    rows: int


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line."""

    diglot_export: int = FORMAT
    diglot: str = __version__
    created_at: datetime
    dialect: Dialect
    engine: str
    migrations: list[str]
    tables: list[ExportedTable]


class Footer(msgspec.Struct, frozen=True, kw_only=True):
    """The last line. ``sha256`` is that of all lines before it; ``rows`` is the number of rows by table name."""

    diglot_end: int = FORMAT
    rows: dict[str, int]
    sha256: str


class Line(msgspec.Struct, frozen=True):
    """A row: ``number`` is its line number in the file, ``size`` its bytes."""

    number: int
    table: str
    row: dict[str, Any]
    size: int


class Writer:
    """Writes lines and their checksum."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._rows: dict[str, int] = {}

    def header(self, header: Header) -> None:
        self._write(_encode(header) + b"\n")
        self._rows = {table.name: 0 for table in header.tables}

    def rows(self, table: ExportedTable, rows: list[Row]) -> None:
        names = [column.name for column in table.columns]
        start = b'{"table":' + _encode(table.name) + b',"row":'
        for row in rows:
            line = start + _encode(dict(zip(names, map(written, spelled(row)), strict=True))) + b"}\n"
            if len(line) > _LONGEST:
                raise RowRefused(f"{table.name}: a row has more than {_LONGEST // 2**20} MiB: use a backup or a copy")
            self._write(line)
        self._rows[table.name] += len(rows)

    def footer(self) -> None:
        self._file.write(_encode(Footer(rows=self._rows, sha256=self._digest.hexdigest())) + b"\n")

    def _write(self, data: bytes) -> None:
        self._digest.update(data)
        self._file.write(data)


_NESTED = {dict, list}


def written(value: Any) -> Any:
    """JSON has no bytes: they become base64 in an object."""
    return {"base64": value} if type(value) is bytes else value


def _read(value: Any) -> Any:
    if type(value) is list:
        raise ValueError("no value is a list")
    if type(value) is not dict:
        return value
    if value.keys() == {"real"}:
        return {"inf": INFINITY, "-inf": -INFINITY}[value["real"]]
    if value.keys() == {"base64"}:
        return msgspec.convert(value["base64"], bytes)
    raise ValueError("no value is such an object")


@contextmanager
def writing(path: Path) -> Iterator[Writer]:
    """Writes a new file, mode 0600, completely or not at all. Raises ConfigurationError if it exists, ExportFailed if
    there is no space for it."""
    if path == STREAM:
        yield Writer(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    if path.exists():
        raise ConfigurationError(f"{path} already exists: choose another name, or remove it")
    if not path.parent.is_dir():
        raise ConfigurationError(f"there is no folder {path.parent}: create it first")
    with room_for(path, ExportFailed), temporary_file(path) as file:
        with ExitStack() as stack:
            raw = stack.enter_context(file.open("wb"))
            yield Writer(stack.enter_context(compressed(raw, path)))
        give_name(file, path)


class Reader:
    """Reads the lines of a file and checks each. ``bytes_read`` counts bytes on disk, so compressed bytes."""

    def __init__(self, path: Path, file: IO[bytes], raw: IO[bytes]) -> None:
        self._path = path
        self._file = file
        self._raw = raw
        self._digest = hashlib.sha256()
        self._number = 0
        self.header = self._header()

    @property
    def bytes_read(self) -> int:
        return self._raw.tell() if self._raw.seekable() else 0

    def lines(self) -> Iterator[Line]:
        """All rows. Raises ExportDamaged, with the line number, at the first error or at the end."""
        tables = {table.name: {column.name for column in table.columns} for table in self.header.tables}
        rows = dict.fromkeys(tables, 0)
        decode = msgspec.json.Decoder().decode
        while True:
            text = self._next()
            try:
                value = decode(text)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise self._wrong(f"it is not JSON: {error}") from None
            if type(value) is not dict:
                raise self._wrong("it is not a row")
            if "diglot_end" in value:
                self._footer(value, rows)
                return
            self._digest.update(text)
            table, row = value.get("table"), value.get("row")
            columns = tables.get(table) if type(table) is str else None
            if columns is None or type(row) is not dict or row.keys() != columns:
                raise self._wrong("it is not a row of a table that the header names")
            if not _NESTED.isdisjoint(map(type, row.values())):
                row = self._nested(row)
            yield Line(self._number, value["table"], row, len(text))
            rows[value["table"]] += 1

    def _nested(self, row: dict[str, Any]) -> dict[str, Any]:
        try:
            return {name: _read(item) for name, item in row.items()}
        except (LookupError, TypeError, ValueError, msgspec.MsgspecError):
            raise self._wrong("it has a value that is not in the export format") from None

    def is_whole(self, report: Callable[[], None]) -> bool:
        """Whether the checksum at the end matches the lines before it. ``lines`` takes longer, but names the line."""
        digest = self._digest
        try:
            for number, text in enumerate(iter(self._readline, b""), 2):
                if text.startswith(_END):
                    return msgspec.json.decode(text, type=Footer).sha256 == digest.hexdigest() and not self._readline()
                digest.update(text)
                if number % _REPORTED == 0:
                    report()
        except (ExportDamaged, msgspec.MsgspecError, UnicodeDecodeError):
            return False
        return False

    def _header(self) -> Header:
        text = self._next()
        try:
            if msgspec.json.decode(text, type=_Version).diglot_export > FORMAT:
                raise ExportDamaged(f"{self._path}:1: the format of a newer Diglot: this version reads up to {FORMAT}")
            self._digest.update(text)
            return msgspec.json.decode(text, type=Header)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._wrong(f"it is not the header of an export: {error}") from None

    def _footer(self, value: Any, rows: dict[str, int]) -> None:
        try:
            footer = msgspec.convert(value, Footer)
        except msgspec.MsgspecError as error:
            raise self._wrong(f"it is not the footer of an export: {error}") from None
        promised = {table.name: table.rows for table in self.header.tables}
        if not rows == footer.rows == promised:
            raise self._wrong("it does not have as many rows as were written")
        if footer.sha256 != self._digest.hexdigest():
            raise self._wrong("the lines before it are not as they were written: their checksum does not match")
        if self._readline():
            raise self._wrong("something follows the end of the export")

    def _next(self) -> bytes:
        text = self._readline()
        self._number += 1
        if not text.endswith(b"\n"):
            what = "the line is too long" if len(text) >= _LONGEST else "the file ends here: it is truncated"
            raise self._wrong(what)
        return text

    def _readline(self) -> bytes:
        try:
            return self._file.readline(_LONGEST)
        except Exception as error:
            if is_damage(error):
                raise self._wrong(f"the compressed data is damaged: {error}") from None
            raise

    def _wrong(self, problem: str) -> ExportDamaged:
        return ExportDamaged(f"{self._path}:{max(1, self._number)}: {problem}")


class _Version(msgspec.Struct):
    diglot_export: int


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """Opens an export and reads its header. Raises ExportDamaged, OSError."""
    with ExitStack() as stack:
        if path == STREAM:
            raw: IO[bytes] = sys.stdin.buffer
        else:
            raw = stack.enter_context(path.open("rb"))
        yield Reader(path, decompressed(raw, path, stack), raw)


def size_of(path: Path) -> int | None:
    """The file's size; None for standard input and for what can be read only once (a pipe, a device)."""
    if path == STREAM:
        return None
    found = path.stat()
    return found.st_size if stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode) else None
