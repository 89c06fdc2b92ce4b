"""Whether indexes can serve every query, in every combination of its conditional blocks, on both engines.

No query reads a whole table, sorts where it has a limit, or deletes rows whose references no index finds, unless its
header says why: ``-- plan: scan because …`` (or ``sort``, ``foreign key``, several with ``and``). It is judged on empty
tables: whether an index can serve, not what the planner would choose today. A reason for something that does not
happen is a finding too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, get_args

from diglot.check.finding import Finding
from diglot.check.nesting import FAULTS, deep_nesting, explained
from diglot.check.plans.plan import Kind, Plan, Problem, VariantPlan
from diglot.check.queries import readable_queries
from diglot.project import Project
from diglot.schema.read import read_schema
from diglot.sql.combinations import count
from diglot.sql.header import QuerySource, words
from diglot.sql.loader import read_text
from diglot.sql.query import Query
from diglot.sql.scanner import Kind as TokenKind
from diglot.sql.scanner import position
from diglot.sql.session import Dialect
from diglot.sql.statements import split
from diglot.stores.store import Store
from diglot.text_file import shown

CHECK = "plans"
ENGINES: dict[Dialect, str] = {"postgres": "PostgreSQL", "sqlite": "SQLite"}
KINDS: tuple[Kind, ...] = get_args(Kind)
_REASON = re.compile(r"(?P<kinds>.+?) because \S")
_PLANNED = frozenset({"select", "with", "values", "insert", "update", "delete", "merge", "replace"})
_LOCK_WAIT = 30.0


def check_plans(project: Project, postgres: Store | None, sqlite: Store | None) -> list[Finding]:
    """The findings about the plans of the project's queries on these migrated databases."""
    findings: list[Finding] = []
    for store in (postgres, sqlite):
        if store is not None:
            queries = list(readable_queries(project, store.dialect))
            for query, plan in zip(queries, explain_all(queries, store, text=False), strict=True):
                findings.extend(_findings(query.source, plan))
    return findings


def explain(query: Query, store: Store) -> Plan:
    """The plan of each combination of the query's conditional blocks on this migrated database."""
    return explain_all([query], store)[0]


def explain_all(queries: Iterable[Query], store: Store, *, text: bool = True) -> list[Plan]:
    """As ``explain``, on one connection; without the texts for people if they are not needed."""
    with _planner(store, text) as planner:
        return [Plan(q.source.full_name, store.dialect, tuple(_variants(q, planner))) for q in queries]


class _Planner(Protocol):
    def explain(self, text: str, parameters: int, given: tuple[str, ...]) -> VariantPlan: ...


@contextmanager
def _planner(store: Store, text: bool) -> Iterator[_Planner]:
    schema = read_schema(store) if store.dialect == "sqlite" else None
    with deep_nesting(), store.migration_connection(_LOCK_WAIT) as connection:
        if schema is None:
            from diglot.check.plans.postgres import PostgresPlanner

            yield PostgresPlanner(connection, text=text)
        else:
            from diglot.check.plans.sqlite import SQLitePlanner

            yield SQLitePlanner(connection, schema)
            connection.execute("pragma automatic_index = on").close()


def _variants(query: Query, planner: _Planner) -> Iterator[VariantPlan]:
    first = next(words([token for segment in query.source.segments for token in segment.tokens]), "")
    if query.source.suffix != "#" and first not in _PLANNED:
        return  # lock, notify, pragma …: the engines have no plan for them
    for variant in query.variants():
        if query.source.suffix == "#":
            for statement in split(variant.statement.text, query.source.file, query.dialect):
                if statement.words[0] in _PLANNED:
                    yield _explained(planner, statement.text, 0, variant.given)
        else:
            yield _explained(planner, variant.statement.text, len(variant.order), variant.given)


def _explained(planner: _Planner, text: str, parameters: int, given: tuple[str, ...]) -> VariantPlan:
    try:
        return planner.explain(text, parameters, given)
    except FAULTS as error:
        return VariantPlan(given, error=explained(error))


# --- findings ----------------------------------------------------------------------------------------------


def _findings(source: QuerySource, plan: Plan) -> Iterator[Finding]:
    allowed = allowed_kinds(source.plan)
    if allowed is None:
        known = ", ".join(KINDS)
        text = f"'plan: {source.plan}' can't be read: write '-- plan: scan because …' ({known}; several with 'and')"
        yield _finding(source, text, None)
        allowed = frozenset(KINDS)
    found: dict[tuple[Kind, str], list[VariantPlan]] = {}
    first: dict[tuple[Kind, str], Problem] = {}
    for variant in sorted(plan.variants, key=lambda variant: len(variant.given)):
        for problem in variant.problems:
            what = problem.kind, problem.table
            found.setdefault(what, []).append(variant)
            first.setdefault(what, problem)
    for what, variants in found.items():
        if what[0] not in allowed:
            text = f"{_said(first[what], plan.dialect)}{_when(source, variants)}: {_advice(first[what])}"
            yield _finding(source, text, first[what])
    failed = [variant for variant in plan.variants if variant.error is not None]
    if failed:
        text = f"{ENGINES[plan.dialect]} can't plan it{_when(source, failed)}: {failed[0].error}"
        yield _finding(source, text, None)
    elif allowed_kinds(source.plan):
        for kind in sorted(allowed - {kind for kind, _ in found}):
            text = f"'plan: {source.plan}' is no longer needed: {ENGINES[plan.dialect]} has no {kind} here; remove it"
            yield _finding(source, text, None)


def allowed_kinds(reason: str | None) -> frozenset[Kind] | None:
    """What a ``-- plan:`` line allows; None if it can't be read."""
    if reason is None:
        return frozenset()
    found = _REASON.match(reason)
    if found is None:
        return None
    named = {part.strip() for part in re.split(r",|\band\b", found["kinds"])}
    return frozenset(kind for kind in KINDS if kind in named) if named <= set(KINDS) else None


def _said(problem: Problem, dialect: Dialect) -> str:
    engine = ENGINES[dialect]
    if problem.kind == "scan":
        return f"{engine} reads the whole table {problem.table} ({problem.detail})"
    if problem.kind == "sort":
        return f"{engine} sorts all rows of {problem.table} before the limit ({problem.detail})"
    return f"{engine} has no index on {problem.table} for {problem.detail}, and this delete looks there for every row"


def _advice(problem: Problem) -> str:
    if problem.kind == "sort":
        return "add an index in that order, or say why with '-- plan: sort because …'"
    return f"add an index, or say why with '-- plan: {problem.kind} because …'"


def _when(source: QuerySource, variants: list[VariantPlan]) -> str:
    """Which combinations; empty if there is only one, or if it is all."""
    conditions = source.conditions
    if not conditions or len({variant.given for variant in variants}) == count(len(conditions)):
        return ""
    first = min(variants, key=lambda variant: len(variant.given)).given
    given = f"with :{' and :'.join(first)}" if first else f"without :{' and :'.join(conditions)}"
    more = f" and in {len(variants) - 1} more combinations" if len(variants) > 2 else ""
    return f" {given}{more}"


def _finding(source: QuerySource, message: str, problem: Problem | None) -> Finding:
    line, column = _place(source, problem)
    return Finding(CHECK, shown(source.file), line, column, source.full_name, message)


def _place(source: QuerySource, problem: Problem | None) -> tuple[int, int]:
    """The place of the table, the order or the delete in the SQL; the name line if none can be found."""
    if problem is None:
        return source.line, source.column
    wanted = {"scan": rf"\b{re.escape(problem.table)}\b", "sort": r"\border\s+by\b", "foreign key": r"\bdelete\b"}
    pattern = re.compile(wanted[problem.kind], re.IGNORECASE)
    for segment in source.segments:
        for token in segment.tokens:
            found = pattern.search(token.text) if token.kind in (TokenKind.CODE, TokenKind.IDENTIFIER) else None
            if found:
                return position(read_text(Path(source.file)), token.start + found.start())
    return source.line, source.column
