"""What is checked: a tree of queries, a tree of migrations, or both, anybody's, each with a folder a dialect."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from diglot.errors import ConfigurationError, QueryFileError
from diglot.sql.adapters import ADAPTERS
from diglot.sql.header import QuerySource, read_queries
from diglot.sql.loader import read_text
from diglot.sql.query import Query
from diglot.stores.session import DIALECTS, Dialect


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """The two trees; ``queries`` and ``migrations`` have the folders ``postgres`` and ``sqlite`` in them.

    ``models`` are the structs that ``-- returns:`` may name, None where they are not known: then what a query gives is
    compared between the dialects only. ``dialects`` are those to look at.
    """

    queries: Path | None = None
    migrations: Path | None = None
    models: dict[str, type[Any]] | None = None
    dialects: tuple[Dialect, ...] = DIALECTS

    def query_files(self, dialect: Dialect) -> list[Path]:
        """The query files of a dialect in the order of their names; ConfigurationError where the folder is missing."""
        return sorted(_folder(self.queries, dialect, "queries").glob("*.sql"))

    def migration_folder(self, dialect: Dialect) -> Path:
        """The migrations of a dialect; ConfigurationError where the folder is missing."""
        return _folder(self.migrations, dialect, "migrations")


def readable_queries(project: Project, dialect: Dialect) -> Iterator[Query]:
    """The queries of every file that can be read, in order; what is wrong with the others is said by ``headers``."""
    adapter = ADAPTERS[dialect]()
    for file in project.query_files(dialect):
        for source in _sources(file, dialect):
            yield Query(source, adapter)


def shown(path: Path | str) -> str:
    """The path relative to the working directory where it is in there, else as it is."""
    path = Path(path)
    try:
        return path.absolute().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.as_posix()


def _sources(file: Path, dialect: Dialect) -> list[QuerySource]:
    try:
        return read_queries(read_text(file), file.stem, str(file), dialect)
    except QueryFileError:
        return []


def _folder(tree: Path | None, dialect: Dialect, what: str) -> Path:
    if tree is None:
        raise ConfigurationError(f"this needs {what}: name their folder with --{what}")
    folder = tree / dialect
    if not folder.is_dir():
        raise ConfigurationError(
            f"there is no folder {shown(folder)}: the folder of --{what} has a folder postgres and a folder sqlite"
        )
    return folder
