"""Check 1: every query file is as docs/queries.md requires, and no reason in it is out of date."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from pathlib import Path

from diglot.check.finding import Finding
from diglot.check.same_text import same_text
from diglot.check.sources import SourceFile, source_files
from diglot.project import Project
from diglot.sql.adapters import ADAPTERS
from diglot.sql.file_names import RESERVED, RULE, is_file_name
from diglot.sql.header import BASE_TYPES, QuerySource
from diglot.sql.models import Models
from diglot.sql.query import Query
from diglot.sql.row_limits import row_limits
from diglot.sql.session import DIALECTS

CHECK = "headers"
_ONLY = re.compile(r"(?P<dialect>\w+)\s+because\s+\S")


def check_headers(project: Project) -> list[Finding]:
    """All mistakes in the headers of all files; ConfigurationError if a folder is missing."""
    trees = {dialect: source_files(project, dialect) for dialect in project.dialects}
    models = project.row_models()
    findings = [finding for files in trees.values() for file in files for finding in _of_file(file, models)]
    if set(trees) == set(DIALECTS):
        findings += _stale_differs(trees["postgres"], trees["sqlite"])
    return sorted(set(findings + _unclaimed(project)))


def _unclaimed(project: Project) -> list[Finding]:
    """Files of the trees that nothing reads, so that no query of theirs is checked."""
    return [
        Finding(CHECK, each.path, 1, 1, Path(each.path).name, each.message)
        for dialect in project.dialects
        for each in project.query_folder(dialect).unclaimed
    ]


def _of_file(file: SourceFile, models: Models | None) -> Iterator[Finding]:
    if not is_file_name(file.subject):
        yield Finding(CHECK, file.shown, 1, 1, file.subject, RULE)
    for problem in file.problems:
        name = file.name_at(problem.line)
        yield Finding(CHECK, file.shown, problem.line, problem.column, name, problem.problem)
    for query in file.queries:
        yield from _names(file, query)
        if not query.doc:
            yield file.finding(CHECK, query, "it has no documentation: say below the name line what it is for")
        yield from _returns(file, query, models)
        yield from _row_limits(file, query)
        yield from _reasons(file, query)


def _names(file: SourceFile, query: QuerySource) -> Iterator[Finding]:
    if query.name in RESERVED:
        yield file.finding(CHECK, query, f"a query can't be named {query.name!r}: aiosql uses this name itself")
    if keyword.iskeyword(query.name):
        yield file.finding(CHECK, query, f"a query can't be named {query.name!r}: it is a keyword of Python")
    for parameter in query.parameters:
        if keyword.iskeyword(parameter.name):
            message = f"a parameter can't be named {parameter.name!r}: it is a keyword of Python"
            yield file.finding(CHECK, query, message, f"param {parameter.name}")


def _row_limits(file: SourceFile, query: QuerySource) -> Iterator[Finding]:
    limits = row_limits(query)
    for parameter in query.parameters:
        limit = limits.get(parameter.name)
        if limit is not None and parameter.nullable and not limit.guarded:
            message = (
                f"'{limit.keyword} :{parameter.name}' with null is all rows on PostgreSQL and an error on SQLite: "
                f"declare it '{parameter.type}', or write /* if :{parameter.name} */ … /* end */ around it"
            )
            yield file.finding(CHECK, query, message, f"param {parameter.name}")


def _returns(file: SourceFile, query: QuerySource, models: Models | None) -> Iterator[Finding]:
    if query.returns is None or query.returns in BASE_TYPES:
        return
    if models is not None and query.returns not in models:
        known = ", ".join([*models, *BASE_TYPES])
        message = f"'returns: {query.returns}' is neither a model nor a type: use one of {known}"
        yield file.finding(CHECK, query, message, "returns")
    if query.returns_nullable:
        message = f"'returns: {query.returns}?': a row is never null ('^' says that there may be none): remove the '?'"
        yield file.finding(CHECK, query, message, "returns")


def _reasons(file: SourceFile, query: QuerySource) -> Iterator[Finding]:
    if query.only is not None:
        found = _ONLY.match(query.only)
        if found is None or found["dialect"] not in DIALECTS:
            message = f"'only: {query.only}' reads '-- only: {file.dialect} because …'"
            yield file.finding(CHECK, query, message, "only")
        elif found["dialect"] != file.dialect:
            message = f"'only: {found['dialect']}' is in the {file.dialect} tree"
            yield file.finding(CHECK, query, message, "only")
    if query.idempotent is not None and not _writes(query, file):
        message = "a read may always be sent again: 'idempotent:' is for writes, remove it"
        yield file.finding(CHECK, query, message, "idempotent")


def _stale_differs(postgres: list[SourceFile], sqlite: list[SourceFile]) -> Iterator[Finding]:
    """``differs:`` if both dialects are the same, and ``only:`` if the other dialect has the query too."""
    facing = {query.full_name: query for file in postgres for query in file.queries}
    for here, there in ((postgres, sqlite), (sqlite, postgres)):
        others = {query.full_name: query for file in there for query in file.queries}
        for file in here:
            for query in file.queries:
                other = others.get(query.full_name)
                if other is None:
                    continue
                if query.differs is not None and same_text(facing[query.full_name], _of(query, other, facing)):
                    message = "both dialects are the same: 'differs:' no longer explains anything, remove it"
                    yield file.finding(CHECK, query, message, "differs")
                if query.only is not None:
                    message = f"the {there[0].dialect} tree has this query too: 'only:' no longer applies, remove it"
                    yield file.finding(CHECK, query, message, "only")


def _of(query: QuerySource, other: QuerySource, facing: dict[str, QuerySource]) -> QuerySource:
    """The SQLite side of the two."""
    return other if facing[query.full_name] is query else query


def _writes(query: QuerySource, file: SourceFile) -> bool:
    """Whether they are the same with all of their blocks, or with none."""
    variants = list(Query(query, ADAPTERS[file.dialect]()).variants())
    return variants[0].statement.writes or variants[-1].statement.writes
