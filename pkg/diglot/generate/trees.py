"""The queries to generate code for: both trees as one, since they declare the same queries."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path

from diglot.errors import ConfigurationError, QueryFileError
from diglot.sql.file_names import RULE, is_file_name
from diglot.sql.header import QuerySource, read_queries
from diglot.sql.loader import claimed, read_text
from diglot.sql.session import DIALECTS, Dialect
from diglot.sql_folder import ENDING, SqlFolder, beside_dialects, read_folder

Subjects = dict[str, list[QuerySource]]
"""The queries of each file, by its name without ``.sql``."""


def read_trees(folder: Traversable | Path) -> Subjects:
    """The queries of ``folder/postgres`` and ``folder/sqlite``; queries of SQLite alone come last.

    QueryFileError if the trees declare a query differently, or for a file whose name a module can't have;
    ConfigurationError without query files.
    """
    if isinstance(folder, Path):
        claimed(SqlFolder({}, beside_dialects(folder)))
    trees = [_read(tree, dialect) for dialect in DIALECTS if (tree := folder / dialect).is_dir()]
    if not any(trees):
        raise ConfigurationError(f"{folder} has no query files: postgres/*.sql and sqlite/*.sql are looked for")
    merged: dict[str, dict[str, QuerySource]] = {}
    for found in trees:
        for source in _queries(found):
            known = merged.setdefault(source.subject, {}).setdefault(source.name, source)
            if _declared(known) != _declared(source):
                raise QueryFileError(
                    f"query {source.full_name} is declared differently in {known.file}:{known.line}: "
                    "'diglot check --only parity' shows the difference",
                    file=source.file,
                    line=source.line,
                    column=source.column,
                )
    return {subject: list(merged[subject].values()) for subject in sorted(merged)}


def _read(tree: Traversable, dialect: Dialect) -> Subjects:
    found = {}
    for name, file in claimed(read_folder(tree)).items():
        subject = name.removesuffix(ENDING)
        if not is_file_name(subject):
            raise QueryFileError(RULE, file=str(file))
        found[subject] = read_queries(read_text(file), subject, str(file), dialect)
    return found


def _queries(subjects: Subjects) -> Iterator[QuerySource]:
    for queries in subjects.values():
        yield from queries


def _declared(source: QuerySource) -> object:
    return source.suffix, source.parameters, source.returns, source.returns_nullable
