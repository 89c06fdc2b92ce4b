"""Whether SQLite has the indexes that a query needs, told from EXPLAIN QUERY PLAN without statistics.

Nothing is known of the tables' sizes then, so the plan depends on the schema alone. Indexes that SQLite would make for
one run are switched off: where it wants one, one is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from diglot.check.plan import Problem, VariantPlan
from diglot.check.plan_text import StatementText
from diglot.check.plans_postgres import Reference, unindexed
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
    """Explains on a connection of the driver."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._run("pragma automatic_index = off")
        schema = self._run("select type, name, tbl_name, coalesce(sql, '') from sqlite_schema")
        self._tables = {name.lower() for kind, name, _, _ in schema if kind == "table"}
        self._indexes = {name: sql for kind, name, _, sql in schema if kind == "index"}
        self._references = [r for kind, name, _, _ in schema if kind == "table" for r in self._references_of(name)]

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
            predicate = _predicate(self._indexes.get(scan["index"], ""))
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
        if found and found[1] in self._indexes:
            yield found[1]

    def _references_of(self, table: str) -> Iterator[Reference]:
        rows = self._run(
            'select id, "table", "from", on_delete from pragma_foreign_key_list(?) order by id, seq', (table,)
        )
        for id in dict.fromkeys(row[0] for row in rows):
            own = [row for row in rows if row[0] == id]
            columns = [row[2].lower() for row in own]
            yield Reference(
                name=f"the foreign key to {own[0][1]}",
                child=table.lower(),
                parent=own[0][1].lower(),
                columns=", ".join(columns),
                cascades=own[0][3] == "CASCADE",
                indexed=self._is_indexed(table, set(columns)),
            )

    def _is_indexed(self, table: str, columns: set[str]) -> bool:
        for name, partial in self._run("select name, partial from pragma_index_list(?)", (table,)):
            if partial and not _only_not_null(_predicate(self._indexes.get(name, "")), columns):
                continue
            first = [row[0] for row in self._run("select name from pragma_index_info(?) order by seqno", (name,))]
            if {str(column).lower() for column in first[: len(columns)]} == columns:
                return True
        keys = self._run("select name, type, pk from pragma_table_info(?) where pk > 0", (table,))
        return len(keys) == 1 and columns == {keys[0][0].lower()} and keys[0][1].lower() == "integer"

    def _run(self, text: str, values: tuple[Any, ...] = ()) -> list[Any]:
        return list(self._connection.execute(text, values).fetchall())


def _predicate(sql: str) -> str:
    """What stands behind ``where`` in a ``create index``."""
    return next(iter(re.findall(r"\)\s*where\b(.*)$", sql, re.IGNORECASE | re.DOTALL)), "")


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
