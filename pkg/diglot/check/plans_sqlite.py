"""Whether SQLite has the indexes that a query needs, told from EXPLAIN QUERY PLAN without statistics.

Nothing is known of the tables' sizes then, so the plan depends on the schema alone. Indexes that SQLite would make for
one run are switched off: where it wants one, one is missing. What the plan doesn't say (which select has a limit, what
an alias stands for) is read from the text with sqlglot.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from diglot.check.plan import Problem, VariantPlan
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
        statement = _Text(text)
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

    def _problems(self, step: Step, statement: _Text, steps: list[Step]) -> Iterator[Problem]:
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


class _Text:
    """What a statement's text says beside its plan; parsed when it is asked."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _tree(self) -> Any:
        try:
            return parse_one(self._text, dialect="sqlite")
        except SqlglotError:
            return exp.Expression()

    @cached_property
    def _tables(self) -> list[exp.Table]:
        return list(self._tree.find_all(exp.Table))

    @property
    def deleted(self) -> set[str]:
        """The tables that it deletes from, in lower case."""
        if "delete" not in self._text.lower():
            return set()
        return {found.this.name.lower() for found in self._tree.find_all(exp.Delete) if found.this}

    @property
    def first_table(self) -> str:
        return self._tables[0].name if self._tables else "?"

    def table(self, alias: str) -> str:
        """The table behind a name of the plan, in lower case."""
        return next((t.name for t in self._named(alias)), alias).lower()

    def sorts_for_limit(self, *, nested: bool) -> bool:
        """Whether the select of this sort has a limit: the outermost, or one inside."""
        limited = [one for one in self._tree.find_all(exp.Query) if one.args.get("order") and one.args.get("limit")]
        if not nested and self._tree.args.get("order"):
            return self._tree in limited
        return any(one is not self._tree for one in limited)

    def stops(self, alias: str) -> bool:
        """Whether the select that reads the table takes its first rows, whatever they are, and no more."""
        tables = self._named(alias)
        return bool(tables) and all(_takes_the_first(table.parent_select) for table in tables)

    def wants_no_more_than(self, alias: str, predicate: str) -> bool:
        """Whether the select that reads the table asks of its columns only those that the predicate speaks of."""
        named = set(re.findall(r"\w+", predicate.lower()))
        wheres = [t.parent_select.args.get("where") for t in self._named(alias) if t.parent_select is not None]
        return all(c.name.lower() in named for where in wheres if where for c in where.find_all(exp.Column))

    def _named(self, alias: str) -> list[exp.Table]:
        return [table for table in self._tables if table.alias_or_name.lower() == alias.lower()]


def _takes_the_first(select: Any) -> bool:
    if not isinstance(select, exp.Select):
        return False
    if any(select.args.get(part) for part in ("joins", "group", "distinct", "having", "windows")):
        return False
    where = select.args.get("where")
    if where is not None and where.find(exp.Column, exp.Subquery, exp.Exists):
        return False
    if any(found.parent_select is select for found in select.find_all(exp.AggFunc)):
        return False
    return bool(select.args.get("limit")) or isinstance(select.parent, exp.Exists)


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
