"""Queries: ``with``, ``select``, set operations and ``values``; and the views that are made of them."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from diglot.check.lineage.aggregates import arguments, is_aggregate
from diglot.check.lineage.conditions import Conditions
from diglot.check.lineage.parsing import parsed
from diglot.check.lineage.values import INT, Output, Scope, Value, either, renamed, united
from diglot.check.lineage.writes import Writes

_GROUPINGS = (exp.Rollup, exp.Cube, exp.GroupingSets)


class Statements(Writes):
    """Resolves names scope by scope against the catalog."""

    def statement(self, node: Any, parent: Scope | None = None) -> list[Output]:
        scope = Scope(parent, parent.ctes if parent is not None else {})
        self._with(node, scope)
        if isinstance(node, exp.Insert | exp.Update | exp.Delete | exp.Merge):
            return self.write(node, scope)
        return self.query(node, scope)

    def query(self, node: Any, parent: Scope) -> list[Output]:
        scope = Scope(parent, parent.ctes)
        self._with(node, scope)
        if isinstance(node, exp.Subquery | exp.Paren):
            return self.query(node.this, scope)
        if isinstance(node, exp.SetOperation):
            left, right = self.query(node.this, scope), self.query(node.expression, scope)
            self._limits(node, scope)
            return united(left, right, node.key)
        if isinstance(node, exp.Values):
            rows = [[self.value(each, scope) for each in row.expressions] for row in node.expressions]
            return [Output(f"column{i + 1}", either(list(column))) for i, column in enumerate(zip(*rows, strict=False))]
        if isinstance(node, exp.Select):
            return self._select(node, scope)
        if isinstance(node, exp.Insert | exp.Update | exp.Delete | exp.Merge):
            return self.statement(node, parent)
        return []

    def view(self, name: str) -> list[Output] | None:
        derived = self.catalog.derived
        if name not in derived:
            derived[name] = None  # one that is made of itself can't be
            tree = parsed(self.catalog.views[name].strip().rstrip(";"), self.dialect)
            query = tree.expression if isinstance(tree, exp.Create) else tree
            if isinstance(query, exp.Query):
                derived[name] = Statements(self.catalog, self.dialect, {}, frozenset()).statement(query)
        found: list[Output] | None = derived[name]
        return found

    def _with(self, node: Any, scope: Scope) -> None:
        clause = node.args.get("with_")
        for cte in clause.expressions if clause else ():
            body, name = cte.this, cte.alias_or_name
            names = [column.name for column in cte.args["alias"].columns]
            if isinstance(body, exp.SetOperation) and _names(body, name):
                scope.ctes[name] = renamed(self.query(body.this, scope), names)
                for _ in range(2):  # what the recursive arm makes nullable is nullable in the next round
                    scope.ctes[name] = renamed(self.query(body, scope), names)
            else:
                scope.ctes[name] = renamed(self.query(body, scope), names)

    def _select(self, node: exp.Select, scope: Scope) -> list[Output]:
        self.from_clause(node, scope)
        where = node.args.get("where")
        if where is not None:
            self.value(where.this, scope)
            scope.not_null |= Conditions(scope, self.catalog.functions).if_true(where.this)
        for window in node.args.get("windows") or ():
            scope.windows[window.name] = window
        rows = "each"
        group = node.args.get("group")
        if group is not None:
            rows = self._group(group, scope)
        elif self._aggregates(node):
            rows = "whole"
        with scope.of_rows(rows):
            having = node.args.get("having")
            if having is not None:
                self.value(having.this, scope)
            outputs = [output for each in node.expressions for output in self._outputs(each, scope)]
            self._order(node, outputs, scope)
        for window in scope.windows.values():
            self.children(window, scope)
        self._limits(node, scope)
        return outputs

    def _group(self, group: Any, scope: Scope) -> str:
        """With grouping sets there is a row for no rows, and what is not grouped by is null in it."""
        for each in group.expressions:
            self.children(each, scope) if isinstance(each, _GROUPINGS) else self.value(each, scope)
        if not any(isinstance(each, _GROUPINGS) for each in group.expressions):
            return "group"
        for source in scope.sources.values():
            scope.make_outer(source)
        return "each"

    def _order(self, node: Any, outputs: list[Output], scope: Scope) -> None:
        order = node.args.get("order")
        aliases = {output.name for output in outputs}
        for each in order.expressions if order else ():
            if not (isinstance(each.this, exp.Column) and not each.this.table and each.this.name in aliases):
                self.value(each.this, scope)

    def _limits(self, node: Any, scope: Scope) -> None:
        for name in ("limit", "offset"):
            clause = node.args.get(name)
            limit = clause.args.get("expression") or clause.args.get("count") if clause is not None else None
            if limit is not None:
                self._meets(limit, Value(INT, None), name)
                self.value(limit, scope)

    def one_row(self, node: Any) -> bool:
        select = node.this if isinstance(node, exp.Subquery) else node
        if not isinstance(select, exp.Select) or any(
            select.args.get(part) for part in ("group", "having", "limit", "offset")
        ):
            return False
        return self._aggregates(select) or not (select.args.get("from_") or select.args.get("where"))

    def _aggregates(self, select: Any) -> bool:
        """Whether it is one row of all rows: an aggregate of its own, not of a window or of a query in it."""
        parts = [*select.expressions, *([select.args["having"]] if select.args.get("having") else [])]
        return any(self._is_aggregate(each) for part in parts for each in part.find_all(exp.Anonymous)
                   if each.parent_select is select)  # fmt: skip

    def _is_aggregate(self, node: Any) -> bool:
        parent = node.parent
        ordered = 0
        while isinstance(parent, exp.Filter | exp.WithinGroup | exp.IgnoreNulls):
            ordered += len(parent.expression.expressions) if isinstance(parent, exp.WithinGroup) else 0
            parent = parent.parent
        if isinstance(parent, exp.Window):
            return False
        found = self.catalog.functions.find(node.name.lower(), len(arguments(node)) + ordered)
        return is_aggregate(node.name.lower(), found, self.dialect)


def _names(node: Any, table: str) -> bool:
    return any(found.name == table and not found.db for found in node.find_all(exp.Table))
