"""Loads a tree of query files into typed query objects, file by file in the order of their names.

The queries are aiosql's: a subclass of its ``QueryLoader`` reads a file with our scanner (its regular expressions break
on dollar quotes, slices and comments), and its ``Queries`` hold the result. Only public names of aiosql are used.
``queries.tasks.get_task`` is the query ``get_task`` of the file ``tasks.sql``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, cast

from aiosql.queries import Queries
from aiosql.query_loader import QueryLoader
from aiosql.types import QueryDatum, SQLOperationType
from aiosql.utils import SQLLoadException

from diglot.errors import ConfigurationError, QueryFileError
from diglot.sql.adapters import ADAPTERS, PositionalAdapter
from diglot.sql.decoding import Decoders
from diglot.sql.encoding import MAX_DOCUMENT
from diglot.sql.file_names import FORM
from diglot.sql.header import BASE_TYPES, QuerySource, read_queries
from diglot.sql.models import Models
from diglot.sql.query import Query, make_query
from diglot.sql.session import Dialect
from diglot.sql_folder import ENDING, Folder, SqlFolder, read_folder
from diglot.text_file import NotText, decoded

_OPERATIONS = {
    "": SQLOperationType.SELECT,
    "^": SQLOperationType.SELECT_ONE,
    "$": SQLOperationType.SELECT_VALUE,
    "!": SQLOperationType.INSERT_UPDATE_DELETE,
    "*!": SQLOperationType.INSERT_UPDATE_DELETE_MANY,
    "#": SQLOperationType.SCRIPT,
}


class QueryFile(Queries):
    """The queries of one file, each an attribute; iterating yields them in the order of the file."""

    def __init__(self, subject: str, adapter: PositionalAdapter) -> None:
        super().__init__(adapter)
        self._subject = subject
        self._adapter = adapter
        self._in_order: dict[str, Query] = {}

    def load(self, sources: Mapping[str, QuerySource], data: list[QueryDatum], decoders: Decoders) -> QueryFile:
        for datum in data:
            source = sources[datum.query_name]
            query = make_query(source, self._adapter, decoders)
            try:
                self.add_query(datum.query_name, cast(Callable[..., Any], query))
            except SQLLoadException as error:
                message = f"a query can't be named {source.name!r}: aiosql uses this name itself"
                raise QueryFileError(message, file=source.file, line=source.line, column=source.column) from error
            self._in_order[datum.query_name] = query
        return self

    def __iter__(self) -> Iterator[Query]:
        return iter(self._in_order.values())

    def __getattr__(self, name: str) -> Query:
        raise AttributeError(f"no query {name!r} in {self._subject}.sql")


class QuerySet(Queries):
    """All files of a tree, each an attribute by its name without ``.sql``."""

    def __iter__(self) -> Iterator[Query]:
        for subject in self._files:
            yield from self._files[subject]

    def __init__(self, adapter: PositionalAdapter) -> None:
        super().__init__(adapter)
        self._adapter = adapter
        self._files: dict[str, QueryFile] = {}

    @property
    def subjects(self) -> list[str]:
        """The files by their names without ``.sql``."""
        return list(self._files)

    @property
    def max_document(self) -> int:
        """The most bytes that a value may have."""
        return self._adapter.max_document

    def add_file(self, subject: str, queries: QueryFile, file: str) -> None:
        if not FORM.fullmatch(subject):
            raise QueryFileError("a query file is named in lower case with underscores", file=file)
        try:
            self.add_child_queries(subject, queries)
        except SQLLoadException as error:
            raise QueryFileError(
                f"a query file can't be named {subject!r}: aiosql uses it itself", file=file
            ) from error
        self._files[subject] = queries

    def query(self, full_name: str) -> Query:
        """The query called ``subject.name``. KeyError if there is none."""
        subject, _, name = full_name.partition(".")
        return self._files[subject]._in_order[name]

    def __getattr__(self, name: str) -> QueryFile:
        raise AttributeError(f"no query file {name}.sql")


class _TypedLoader(QueryLoader):
    """aiosql's loader with our way of reading a file: the same queries, found by a scanner instead of patterns."""

    def __init__(self, adapter: PositionalAdapter, subject: str, models: Models) -> None:
        super().__init__(adapter, None)
        self._subject = subject
        self._dialect = adapter.dialect
        self._models = models
        self.sources: dict[str, QuerySource] = {}

    def load_query_data_from_sql(self, sql: str, ns_parts: list[str], fname: Path | str = "<text>") -> list[QueryDatum]:
        data: list[QueryDatum] = []
        for source in read_queries(sql, self._subject, str(fname), self._dialect):
            if source.returns and source.returns not in BASE_TYPES and source.returns not in self._models:
                known = ", ".join([*self._models, *BASE_TYPES])
                message = f"'returns: {source.returns}' is neither a model nor a type: use one of {known}"
                raise QueryFileError(message, file=source.file, line=source.line, column=source.column)
            self.sources[source.name] = source
            data.append(
                QueryDatum(
                    query_name=source.name,
                    doc_comments=source.doc,
                    operation_type=_OPERATIONS[source.suffix],
                    sql=source.sql,
                    record_class=None,
                    signature=None,
                    floc=(fname, source.line),
                    attributes=None,
                    parameters=[parameter.name for parameter in source.parameters],
                )
            )
        return data


def load_queries(
    folder: Traversable | Path, dialect: Dialect, models: Models | None = None, *, max_document: int = MAX_DOCUMENT
) -> QuerySet:
    """The queries of ``folder/*.sql``. ``models`` are the structs that ``-- returns:`` may name.

    A query refuses a text, JSON or bytes value of more than ``max_document`` bytes with TooLarge.
    QueryFileError, with file, line and column, for a mistake in a file, and for one that is not read;
    ConfigurationError for a folder without query files.
    """
    adapter, models = ADAPTERS[dialect](max_document), models or {}
    decoders = Decoders(dialect, models)
    files = claimed(read_folder(folder))
    if not files:
        raise ConfigurationError(f"{folder} has no query files (*.sql)")
    queries = QuerySet(adapter)
    for name, file in files.items():
        subject = name.removesuffix(ENDING)
        found = _load(read_text(file), subject, str(file), adapter, models, decoders)
        queries.add_file(subject, found, str(file))
    return queries


def load_text(
    text: str,
    dialect: Dialect,
    models: Models | None = None,
    *,
    subject: str = "text",
    max_document: int = MAX_DOCUMENT,
) -> QueryFile:
    """The queries of a text, as if it were the file ``subject.sql``."""
    models = models or {}
    return _load(text, subject, f"{subject}.sql", ADAPTERS[dialect](max_document), models, Decoders(dialect, models))


def _load(
    text: str, subject: str, file: str, adapter: PositionalAdapter, models: Models, decoders: Decoders
) -> QueryFile:
    loader = _TypedLoader(adapter, subject, models)
    data = loader.load_query_data_from_sql(text, [], file)
    return QueryFile(subject, adapter).load(loader.sources, data, decoders)


def claimed(folder: SqlFolder) -> dict[str, Folder]:
    """The query files by their names. QueryFileError if the folder has a file that nothing would read."""
    for each in folder.unclaimed:
        raise QueryFileError(each.message, file=each.path)
    return folder.files


def read_text(file: Traversable | Path) -> str:
    """The text of a query file. QueryFileError, with the place, if it is not UTF-8."""
    try:
        return decoded(file.read_bytes())
    except NotText as error:
        raise QueryFileError("the file is not UTF-8", file=str(file), line=error.line, column=error.column) from error
