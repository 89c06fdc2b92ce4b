"""Whether SQLite has the indexes that a query needs, according to EXPLAIN QUERY PLAN without statistics.

Without them SQLite does not know the tables' sizes, so the plan depends on the schema alone. Automatic indexes are
switched off: if SQLite needs one, an index is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from diglot.check.plans.plan import Problem, VariantPlan
from diglot.check.plans.references import Reference, unindexed
from diglot.check.query_text import StatementText
from diglot.schema.model import Schema, Table
from diglot.stores.sqlite.library import library


class Step(NamedTuple):
    """A line of the plan; ``parent`` is 0 at the top."""

    parent: int
    detail: str


_SCAN = re.compile(r"SCAN (?P<name>\S+)(?: USING (?:COVERING )?INDEX (?P<index>\S+))?(?P<virtual> VIRTUAL TABLE)?")
_SEARCH = re.compile(r"SEARCH (?P<name>\S+) USING (?:COVERING )?INDEX (?P<index>\S+) \((?P<how>.*)\)")
_SORT = re.compile(r"USE TEMP B-TREE FOR (?:(?:LAST|RIGHT).* OF )?ORDER BY")
_NOT_NULL = re.compile(r"[\s\w\"]+ is not null(?: and [\s\w\"]+ is not null)*\s*", re.IGNORECASE)


class SQLitePlanner:
    """Explains on a connection of the driver to a database with this schema."""

    def __init__(self, connection: Any, schema: Schema) -> None:
        self._connection = connection
        self._run("pragma automatic_index = off")
        self._tables = {table.name.lower() for table in schema.tables}
        self._predicates = dict(_predicates(schema))
        self._references = [r for table in schema.tables for r in _references(table)]

    def explain(self, text: str, parameters: int, given: tuple[str, ...]) -> VariantPlan:
        """The plan of a statement with ``?`` placeholders."""
        try:
            rows = self._run(f"explain query plan {text}", (None,) * parameters)
        except library().Error as error:
            return VariantPlan(given, error=str(error))
        statement = StatementText(text, "sqlite")
        steps = [Step(parent, detail) for _, parent, _, detail in rows]
        problems = [
            *(problem for step in steps for problem in self._problems(step, statement, steps)),
            *unindexed(self._references, {name for name in statement.deleted if name in self._tables}),
        ]
        return VariantPlan(
            given=given,
            text=_indented(rows),
            indexes=tuple(sorted({index for step in steps for index in self._named(step)})),
            problems=tuple(dict.fromkeys(problems)),
        )

    def _problems(self, step: Step, statement: StatementText, steps: list[Step]) -> Iterator[Problem]:
        scan, search = _SCAN.match(step.detail), _SEARCH.match(step.detail)
        if scan and not scan["virtual"]:
            table = statement.table(scan["name"])
            sorted_here = any(_SORT.match(other.detail) for other in steps if other.parent == step.parent)
            predicate = self._predicates.get(scan["index"], "")
            if table not in self._tables or (statement.stops(scan["name"]) and not sorted_here):
                return
            if not (predicate and statement.wants_no_more_than(scan["name"], predicate)):
                yield Problem("scan", table, step.detail.lower())
        elif search and search["how"].startswith("ANY("):
            yield Problem("scan", statement.table(search["name"]), step.detail.lower())
        elif _SORT.match(step.detail) and statement.sorts_for_limit(nested=step.parent != 0):
            yield Problem("sort", statement.first_table, step.detail.lower())

    def _named(self, step: Step) -> Iterator[str]:
        found = re.search(r" INDEX (\S+)", step.detail)
        if found and found[1] in self._predicates:
            yield found[1]

    def _run(self, text: str, values: tuple[Any, ...] = ()) -> list[Any]:
        return list(self._connection.execute(text, values).fetchall())


def _predicates(schema: Schema) -> Iterator[tuple[str, str]]:
    """Every index by the name that plans give it, with its predicate or an empty text."""
    for table in schema.tables:
        if table.primary_key is not None and table.primary_key.plan_name is not None:
            yield table.primary_key.plan_name, ""
        for index in table.indexes:
            yield index.plan_name or index.name or "", index.predicate or ""


def _references(table: Table) -> Iterator[Reference]:
    for key in table.foreign_keys:
        columns = [column.lower() for column in key.columns]
        yield Reference(
            name=key.name or f"the foreign key to {key.table}",
            child=table.name.lower(),
            parent=key.table.lower(),
            columns=", ".join(columns),
            cascades=key.on_delete == "cascade",
            indexed=_is_indexed(table, set(columns)),
        )


def _is_indexed(table: Table, columns: set[str]) -> bool:
    """An index that leaves out the rows without a value serves too: a row without one refers to none."""
    found = [index.keys for index in table.indexes if not index.predicate or _only_not_null(index.predicate, columns)]
    starts = [[(key.column or "").lower() for key in keys[: len(columns)]] for keys in found]
    if table.primary_key is not None:
        starts.append([column.lower() for column in table.primary_key.columns[: len(columns)]])
    return any(set(start) == columns for start in starts)


def _only_not_null(predicate: str, columns: set[str]) -> bool:
    if not _NOT_NULL.fullmatch(predicate):
        return False
    return {name.strip('" \n').lower() for name in re.findall(r"([\w\"]+)\s+is not null", predicate, re.I)} <= columns


def _indented(rows: list[Any]) -> str:
    depth = {0: -1}
    lines = []
    for id, parent, _, detail in rows:
        depth[id] = depth.get(parent, -1) + 1
        lines.append("  " * depth[id] + detail)
    return "\n".join(lines)
