"""Check 2: both trees declare the same: files, queries and their order, suffix, parameters, types and result."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

from diglot.check.finding import Finding
from diglot.check.sources import SourceFile, source_files
from diglot.project import Project
from diglot.sql.header import Parameter, QuerySource
from diglot.sql.session import DIALECTS

CHECK = "parity"


def check_parity(project: Project) -> list[Finding]:
    """Every difference between the two trees that no ``-- only:`` explains, at its place in one of them.

    ConfigurationError if one of the two folders is missing.
    """
    postgres, sqlite = ({file.subject: file for file in source_files(project, dialect)} for dialect in DIALECTS)
    findings: list[Finding] = []
    for here, there, other in ((postgres, sqlite, "sqlite"), (sqlite, postgres, "postgres")):
        for subject, file in here.items():
            findings += _missing(file, there.get(subject), other)
    for subject in postgres.keys() & sqlite.keys():
        findings += _order(postgres[subject], sqlite[subject])
        findings += _declarations(postgres[subject], sqlite[subject])
    return sorted(findings)


def _missing(file: SourceFile, facing: SourceFile | None, other: str) -> Iterator[Finding]:
    """Queries that the other tree lacks; a file that it lacks is one finding."""
    lacking = [query for query in file.queries if query.only is None and (not facing or query.name not in facing.names)]
    if facing is None and (lacking or not file.queries):
        message = f"the {other} tree has no file {file.subject}.sql"
        yield Finding(CHECK, file.shown, 1, 1, file.subject, message)
    elif facing is not None:
        for query in lacking:
            message = f"{facing.shown} has no such query: write it there, or add '-- only: {file.dialect} because …'"
            yield file.finding(CHECK, query, message)


def _order(postgres: SourceFile, sqlite: SourceFile) -> Iterator[Finding]:
    """The queries of SQLite's file that are in another place in PostgreSQL's."""
    left = [query.name for query in postgres.queries]
    queries = {query.name: query for query in sqlite.queries if query.name in left}
    left = [name for name in left if name in queries]
    right = list(queries)
    for kind, _, _, c, d in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        for name in right[c:d] if kind in ("insert", "replace") else []:
            at = left.index(name)
            where = f"after {left[at - 1]!r}" if at else "first"
            message = f"it is in another position than in {postgres.shown}: there it is {where}"
            yield sqlite.finding(CHECK, queries[name], message)


def _declarations(postgres: SourceFile, sqlite: SourceFile) -> Iterator[Finding]:
    facing = {query.name: query for query in postgres.queries}
    for query in sqlite.queries:
        other = facing.get(query.name)
        if other is not None:
            place = f"{postgres.shown}:{other.line}"
            yield from _differences(sqlite, query, other, place)


def _differences(file: SourceFile, query: QuerySource, other: QuerySource, place: str) -> Iterator[Finding]:
    if query.suffix != other.suffix:
        message = f"its suffix is {query.suffix or 'none'}, in {place} {other.suffix or 'none'}"
        yield file.finding(CHECK, query, message)
    if (query.returns, query.returns_nullable) != (other.returns, other.returns_nullable):
        message = f"it returns {_returns(query)}, in {place} {_returns(other)}"
        yield file.finding(CHECK, query, message, "returns")
    yield from _parameters(file, query, other, place)
    if set(query.conditions) != set(other.conditions):
        mine, theirs = (", ".join(sorted(q.conditions)) or "none" for q in (query, other))
        message = f"its conditional blocks depend on {mine}, in {place} on {theirs}"
        yield file.finding(CHECK, query, message)
    for key in ("differs", "idempotent"):
        if (getattr(query, key) is None) != (getattr(other, key) is None):
            having, lacking = ("postgres", "sqlite") if getattr(query, key) is None else ("sqlite", "postgres")
            message = f"'{key}:' is only on the {having} side ({place}): the {lacking} side needs it too"
            yield file.finding(CHECK, query, message, key)


def _parameters(file: SourceFile, query: QuerySource, other: QuerySource, place: str) -> Iterator[Finding]:
    mine: dict[str, Parameter] = {p.name: p for p in query.parameters}
    theirs: dict[str, Parameter] = {p.name: p for p in other.parameters}
    for name, parameter in mine.items():
        if name not in theirs:
            yield file.finding(CHECK, query, f"parameter {name!r} is not declared in {place}", f"param {name}")
        elif parameter != theirs[name]:
            message = f"parameter {name!r} is {parameter.declaration}, in {place} {theirs[name].declaration}"
            yield file.finding(CHECK, query, message, f"param {name}")
    for name in theirs:
        if name not in mine:
            yield file.finding(CHECK, query, f"parameter {name!r} of {place} is not declared here")
    common = [name for name in mine if name in theirs]
    if common != [name for name in theirs if name in mine]:
        yield file.finding(CHECK, query, f"its parameters are in another order than in {place}")


def _returns(query: QuerySource) -> str:
    return f"{query.returns}{'?' if query.returns_nullable else ''}" if query.returns else "nothing"
