"""Which files of a folder are its SQL files: those directly in it whose names end with ``.sql``.

Whatever reads a tree of queries or of migrations asks here. A file that looks like SQL and is not one of them would
be skipped in silence, so it is reported by its name: one with another ending (``.SQL``, ``.psql``, ``.sql.bak``), one
in a sub-folder, one beside the folders of the dialects. Hidden files and what an editor leaves are no part of a tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path

import msgspec

from diglot.errors import ConfigurationError
from diglot.text_file import shown

Folder = Path | Traversable

ENDING = ".sql"
# The file of a SQLite database (app.sqlite3) holds no statements.
_SQL_NAME = re.compile(r"\.(?:(?!sqlite)\w*sql\w*|ddl|dml)(?!\w)", re.IGNORECASE)


class Unclaimed(msgspec.Struct, frozen=True, order=True):
    """A file that nothing reads. ``message`` says why, and what to do."""

    path: str
    message: str


class SqlFolder(msgspec.Struct, frozen=True):
    """``files`` are in the order of their names."""

    files: dict[str, Folder]
    unclaimed: tuple[Unclaimed, ...]


def read_folder(folder: Folder) -> SqlFolder:
    """The SQL files of this one folder; ConfigurationError if it can't be read."""
    entries = _entries(folder)
    files = {entry.name: entry for entry in entries if _belongs(entry)}
    unclaimed = [
        found
        for entry in entries
        if entry.name not in files
        for found in (_below(entry, folder, ()) if entry.is_dir() else _not_read(entry, _instead(entry)))
    ]
    return SqlFolder(dict(sorted(files.items())), tuple(sorted(unclaimed)))


def beside_dialects(tree: Path) -> tuple[Unclaimed, ...]:
    """Files beside the folders ``postgres`` and ``sqlite`` of a tree. Other folders beside them are no part of it."""
    return tuple(
        sorted(
            found
            for entry in _entries(tree)
            if not entry.is_dir()
            for found in _not_read(entry, "move it to the folder postgres or sqlite beside it, or out of the tree")
        )
    )


def _belongs(entry: Folder) -> bool:
    return entry.name.endswith(ENDING) and not entry.name.startswith(".") and entry.is_file()


def _instead(entry: Folder) -> str:
    if not entry.is_file():
        return "it is not a file: restore what it links to, or remove it"
    if entry.name.startswith("."):
        return "its name begins with a dot: rename it, or remove it"
    return "its name does not end with .sql: rename it, or move it to another folder"


def _below(entry: Folder, folder: Folder, outer: tuple[Path, ...]) -> Iterator[Unclaimed]:
    """The SQL files of a sub-folder and of those in it."""
    if entry.name.startswith("."):
        return
    if isinstance(entry, Path):
        if entry.resolve() in outer:
            return  # a link that leads in a circle
        outer = (*outer, entry.resolve())
    for each in _entries(entry):
        if each.is_dir():
            yield from _below(each, folder, outer)
        else:
            yield from _not_read(each, f"only the files directly in {shown(str(folder))} are: move it there, or out")


def _not_read(entry: Folder, instead: str) -> Iterator[Unclaimed]:
    name = entry.name
    ignored = name.startswith(("#", ".")) or name.endswith(("#", "~"))
    if _SQL_NAME.search(name) and (not ignored or (name.endswith(ENDING) and entry.is_file())):
        yield Unclaimed(shown(str(entry)), f"nothing reads it: {instead}")


def _entries(folder: Folder) -> list[Folder]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise ConfigurationError(f"{shown(str(folder))} can't be read: {error.strerror}") from error
