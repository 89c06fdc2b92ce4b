"""The queries of a project that can be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from diglot.errors import QueryFileError
from diglot.project import Project
from diglot.sql.adapters import ADAPTERS
from diglot.sql.header import QuerySource, read_queries
from diglot.sql.loader import read_text
from diglot.sql.query import Query
from diglot.sql.session import Dialect


def readable_queries(project: Project, dialect: Dialect) -> Iterator[Query]:
    """The queries of every file that can be read, in order; ``headers`` reports what is wrong with the others."""
    adapter = ADAPTERS[dialect]()
    for file in project.query_files(dialect):
        for source in _sources(file, dialect):
            yield Query(source, adapter)


def _sources(file: Path, dialect: Dialect) -> list[QuerySource]:
    try:
        return read_queries(read_text(file), file.stem, str(file), dialect)
    except QueryFileError:
        return []
