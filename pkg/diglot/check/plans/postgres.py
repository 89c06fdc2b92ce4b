"""Whether PostgreSQL has the indexes that a query needs, according to its plan on empty tables.

Sequential and index-only scans, hash and merge joins are switched off, sorts at first too, and the plan is the generic
one. Then an index is taken wherever one can serve, whatever the planner would think of the tables' sizes: a sequential
scan, an index that is read from end to end, or a sort below a limit that is still there means that no index can.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

from diglot.check.plans.plan import Problem, VariantPlan
from diglot.check.plans.references import Reference, unindexed
from diglot.check.query_text import StatementText
from diglot.schema.statements import statement

SETTINGS = (
    "set enable_seqscan = off",
    "set enable_incremental_sort = off",
    "set enable_hashjoin = off",
    "set enable_mergejoin = off",
    "set enable_indexonlyscan = off",
    "set max_parallel_workers_per_gather = 0",
    "set jit = off",
    "set plan_cache_mode = force_generic_plan",
)
_FIRST = "set enable_sort = off; set enable_indexscan = on"
_SORTS = "set enable_sort = on; set enable_indexscan = on"
_SORTS_BITMAPS = "set enable_sort = on; set enable_indexscan = off"


class Index(NamedTuple):
    """``first`` is its first column or expression as PostgreSQL writes it."""

    first: str
    method: str
    partial: bool


class PostgresPlanner:
    """Explains on a psycopg connection in autocommit whose settings it changes."""

    def __init__(self, connection: Any, *, text: bool) -> None:
        """``text``: also return the plans for people, which takes half as long again."""
        import psycopg

        self._text = text

        self._driver = psycopg
        self._connection = connection
        for setting in SETTINGS:
            self._run(setting)
        self._indexes = {name: Index(*rest) for name, *rest in self._run(statement("postgres", "index_starts").text)[0]}
        self._references = [Reference(*row) for row in self._run(statement("postgres", "references").text)[0]]

    def explain(self, text: str, parameters: int, given: tuple[str, ...]) -> VariantPlan:
        """The plan of a statement with ``$1`` … placeholders."""
        try:
            found, shown = self._plan(text, parameters, _FIRST)
            for more in (_SORTS, _SORTS_BITMAPS) if found.problems else ():
                # An index that provides the order may have won over one that finds the rows: allow a sort, and compare.
                other, text_of_other = self._plan(text, parameters, more)
                if len(other.scans) < len(found.scans):
                    found, shown = other, text_of_other
                if not found.scans:
                    break
        except self._driver.Error as error:
            self._run("deallocate all")
            return VariantPlan(given, error=error.diag.message_primary or str(error))
        problems = [*found.problems, *unindexed(self._references, found.deleted)]
        return VariantPlan(given, shown, tuple(sorted(found.indexes)), tuple(dict.fromkeys(problems)))

    def _plan(self, text: str, parameters: int, how: str) -> tuple[_Reading, str]:
        values = f"({', '.join(['null'] * parameters)})" if parameters else ""
        # One round trip: a query may have thousands of combinations.
        answers = self._run(
            f"{how}; prepare diglot_plan as {text}\n; "
            f"explain (verbose, costs off, format json) execute diglot_plan{values}; "
            + (f"explain (costs off) execute diglot_plan{values}; " if self._text else "")
            + "deallocate diglot_plan"
        )
        reading = _Reading(self._indexes, StatementText(text, "postgres"))
        document = answers[0][0][0]
        tree = msgspec.json.decode(document) if isinstance(document, bytes | str) else document
        reading.node(tree[0]["Plan"], None, limited=False, bounded=False)
        return reading, "\n".join(line for rows in answers[1:] for (line,) in rows)

    def _run(self, text: str) -> list[list[Any]]:
        """The rows of each statement that returns rows."""
        with self._driver.Cursor(self._connection, row_factory=self._driver.rows.tuple_row) as cursor:
            cursor.execute(text.encode(), prepare=False)
            found = [cursor.fetchall()] if cursor.description else []
            while cursor.nextset():
                if cursor.description:
                    found.append(cursor.fetchall())
            return found


class _Reading:
    """Walks one plan from its root."""

    def __init__(self, indexes: dict[str, Index], statement: StatementText) -> None:
        self._known = indexes
        self._statement = statement
        self.indexes: set[str] = set()
        self.deleted: set[str] = set()
        self.problems: list[Problem] = []

    @property
    def scans(self) -> set[str]:
        """The tables that are read from end to end."""
        return {problem.table for problem in self.problems if problem.kind == "scan"}

    def node(self, node: dict[str, Any], above: dict[str, Any] | None, *, limited: bool, bounded: bool) -> None:
        """``limited``: a limit is above it; ``bounded``: it returns no more rows than that limit allows."""
        kind = node["Node Type"]
        self.indexes.update(node.get("Conflict Arbiter Indexes", ()))
        if kind == "ModifyTable" and node["Operation"] == "Delete":
            self.deleted.add(node["Relation Name"])
        elif kind == "Seq Scan":
            if "Filter" in node or not bounded:
                self._problem("scan", node, _filter(node))
        elif kind in ("Index Scan", "Index Only Scan", "Bitmap Index Scan"):
            self._index(node, above if kind == "Bitmap Index Scan" and above else node, bounded)
        elif kind in ("Sort", "Incremental Sort") and limited:
            self.problems.append(Problem("sort", _table_below(node), f"by {', '.join(map(_plain, node['Sort Key']))}"))
        for child in node.get("Plans", ()):
            inside = child["Parent Relationship"] in ("InitPlan", "SubPlan")
            self.node(
                child,
                _heap(node, above),
                limited=not inside and (limited or kind == "Limit"),
                bounded=self._stops(child) if inside else kind == "Limit" or (bounded and _passes_on(node, child)),
            )

    def _stops(self, subquery: dict[str, Any]) -> bool:
        """Whether it belongs to an ``exists``, which takes one row."""
        return "Alias" in subquery and self._statement.stops(subquery["Alias"])

    def _index(self, node: dict[str, Any], heap: dict[str, Any], bounded: bool) -> None:
        name = node["Index Name"]
        self.indexes.add(name)
        index = self._known.get(name, Index("", "btree", False))
        condition = node.get("Index Cond", "")
        if _finds(condition, heap.get("Alias", ""), index):
            return
        # From end to end: right for the first rows of a limit, and for an index of just the wanted rows.
        if condition or "Filter" in heap or not (bounded or index.partial):
            self._problem("scan", heap, _filter(heap))

    def _problem(self, kind: Any, node: dict[str, Any], detail: str) -> None:
        self.problems.append(Problem(kind, node.get("Relation Name", "?"), detail))


def _heap(node: dict[str, Any], above: dict[str, Any] | None) -> dict[str, Any] | None:
    """The Bitmap Heap Scan is above BitmapAnd and BitmapOr."""
    return above if node["Node Type"] in ("BitmapAnd", "BitmapOr") else node


def _finds(condition: str, alias: str, index: Index) -> bool:
    """Whether the condition narrows down where in the index to look: a B-tree needs its first column for that."""
    if not condition or index.method != "btree":
        return bool(condition)
    quoted = alias if re.fullmatch(r"[a-z_][a-z0-9_]*", alias) else '"' + alias.replace('"', '""') + '"'
    if re.fullmatch(r'"(?:[^"]|"")+"|\w+', index.first):
        return re.search(rf"(?<![\w.\"]){re.escape(f'{quoted}.{index.first}')}(?!\w)", condition) is not None
    return _plain(index.first) in _plain(condition.replace(f"{quoted}.", ""))


def _passes_on(node: dict[str, Any], child: dict[str, Any]) -> bool:
    """Whether the node asks this child for about as many rows as it gives."""
    if "Filter" in node or "Join Filter" in node:
        return False
    kind = node["Node Type"]
    if kind == "Nested Loop":
        inner = next(each for each in node["Plans"] if each["Parent Relationship"] == "Inner")
        return child["Parent Relationship"] == "Outer" and ("Filter" not in inner or node["Join Type"] == "Left")
    return kind in ("Limit", "LockRows", "Result", "Subquery Scan", "Append", "Merge Append", "ProjectSet", "Memoize")


def _table_below(node: dict[str, Any]) -> str:
    if "Relation Name" in node:
        return str(node["Relation Name"])
    return next((found for child in node.get("Plans", ()) if (found := _table_below(child)) != "?"), "?")


def _filter(node: dict[str, Any]) -> str:
    condition = node.get("Filter") or node.get("Index Cond") or node.get("Recheck Cond")
    return f"for {_plain(condition)}" if condition else "for all its rows"


def _plain(expression: str) -> str:
    """Without casts and outer parentheses, as a person would write it."""
    text = re.sub(r"::[a-z][\w ]*(?:\[\])?(?:\(\d+(?:,\d+)?\))?(?=\W|$)", "", expression)
    text = re.sub(r"\((\w+(?:\.\w+)?)\)", r"\1", text)
    return text[1:-1] if text.startswith("(") and text.endswith(")") and text.count("(") == 1 else text
