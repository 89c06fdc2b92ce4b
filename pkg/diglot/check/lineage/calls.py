"""Calls of functions, aggregates and windows in an expression: finds out which it is, and of which rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from sqlglot import exp

from diglot.check.catalog import Catalog
from diglot.check.lineage.aggregates import aggregate, arguments, includes_current, is_aggregate, window_function
from diglot.check.lineage.functions import call as function
from diglot.check.lineage.values import INT, Output, Scope, Value
from diglot.sql.session import Dialect


class Calls(ABC):
    """Asks the catalog about a function by its name."""

    catalog: Catalog
    dialect: Dialect

    @abstractmethod
    def value(self, node: Any, scope: Scope) -> Value:
        """What is known about an expression."""

    @abstractmethod
    def query(self, node: Any, parent: Scope) -> list[Output]:
        """The columns that a query inside an expression returns."""

    @abstractmethod
    def children(self, node: Any, scope: Scope) -> list[Value]:
        """The values of the parts of an expression."""

    def call(self, node: Any, scope: Scope, *, filtered: bool = False) -> Value:
        name = node.name.lower()
        given = arguments(node)
        found = self.catalog.functions.find(name, len(given))
        if is_aggregate(name, found, self.dialect):
            has_rows = scope.rows == "group" and not filtered
            with scope.of_rows("each"):
                values = [self.value(each, scope) for each in given]
                self._reads(node, scope)
            return aggregate(name, found, values, self.dialect, has_rows=has_rows)
        if name == "array" and isinstance(given[0] if given else None, exp.Query):
            self.query(given[0], scope)
            return Value(None, False)
        if name in ("row", "grouping"):
            return Value(INT if name == "grouping" else None, False)
        return function(name, given, [self.value(each, scope) for each in given], self.catalog.functions, self.dialect)

    def over(self, node: Any, scope: Scope) -> Value:
        """``filter (where …)``, ``within group (…)`` and ``over (…)``, which may follow each other."""
        window, filtered = None, False
        inner = node
        while isinstance(inner, exp.Filter | exp.WithinGroup | exp.Window | exp.IgnoreNulls | exp.RespectNulls):
            window = inner if isinstance(inner, exp.Window) else window
            filtered = filtered or isinstance(inner, exp.Filter | exp.IgnoreNulls)
            with scope.of_rows("each"):
                for part in inner.iter_expressions():
                    if part is not inner.this:
                        self.value(part, scope)
            ordered = inner.expression if isinstance(inner, exp.WithinGroup) else None
            inner = inner.this
            if ordered is not None and isinstance(inner, exp.Anonymous):
                return self._ordered_set(inner, ordered, scope, filtered=filtered)
        if window is None:
            return self.call(inner, scope, filtered=filtered)
        frame = scope.windows.get(window.args["alias"].name) if window.args.get("alias") else window
        has_current = frame is not None and includes_current(frame) and not filtered
        name, given = inner.name.lower(), arguments(inner)
        found = self.catalog.functions.find(name, len(given))
        values = [self.value(each, scope) for each in given]
        if is_aggregate(name, found, self.dialect):
            return aggregate(name, found, values, self.dialect, has_rows=has_current)
        return window_function(name, values, has_current=has_current)

    def _ordered_set(self, node: Any, ordered: Any, scope: Scope, *, filtered: bool) -> Value:
        has_rows = scope.rows == "group" and not filtered
        name, given = node.name.lower(), arguments(node)
        with scope.of_rows("each"):
            values = [self.value(each.this, scope) for each in ordered.expressions]
            direct = [self.value(each, scope) for each in given]
        found = self.catalog.functions.find(name, len(values) + len(direct))
        if any(value.nullable is not False for value in direct):
            return Value(None, True)
        return aggregate(name, found, values, self.dialect, has_rows=has_rows)

    def _reads(self, node: Any, scope: Scope) -> None:
        """Records what the order of an aggregate reads."""
        for order in node.find_all(exp.Order):
            for each in order.expressions:
                self.value(each.this, scope)
