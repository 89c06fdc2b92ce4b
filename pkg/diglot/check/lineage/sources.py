"""What FROM offers: tables, views, subqueries, functions and joins of them, nested and in brackets."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from sqlglot import exp

from diglot.check.lineage.conditions import Conditions
from diglot.check.lineage.expressions import Expressions
from diglot.check.lineage.functions import call
from diglot.check.lineage.parsing import fold
from diglot.check.lineage.values import (
    INT,
    JSON,
    TEXT,
    Output,
    Scope,
    Source,
    Value,
    coalesced,
    renamed,
    unknown,
)

_JSON_EACH = {
    "key": Value(None, True, untyped="a key is a text or a number"),
    "value": Value(None, True, untyped="it has the type of the value in the document"),
    "type": Value(TEXT, False),
    "atom": Value(None, True, untyped="it has the type of the value in the document"),
    "id": Value(INT, False),
    "parent": Value(INT, True),
    "fullkey": Value(TEXT, False),
    "path": Value(TEXT, False),
}
_ELEMENTS, _TEXTS = (Output("value", Value(JSON, False)),), (Output("value", Value(TEXT, True)),)
_KEY = Output("key", Value(TEXT, False))
_SET_FUNCTIONS: dict[str, tuple[Output, ...]] = {
    "json_array_elements": _ELEMENTS,
    "jsonb_array_elements": _ELEMENTS,
    "json_array_elements_text": _TEXTS,
    "jsonb_array_elements_text": _TEXTS,
    "json_each": (_KEY, *_ELEMENTS),
    "jsonb_each": (_KEY, *_ELEMENTS),
    "json_each_text": (_KEY, *_TEXTS),
    "jsonb_each_text": (_KEY, *_TEXTS),
    "regexp_split_to_table": (Output("value", Value(TEXT, False)),),
}
"""PostgreSQL's functions that return rows. One column has the name of the alias."""


class Sources(Expressions):
    """Adds what FROM names to a scope."""

    @abstractmethod
    def view(self, name: str) -> list[Output] | None:
        """The columns of a view; None if its query is not understood."""

    def from_clause(self, node: Any, scope: Scope) -> None:
        clause = node.args.get("from_")
        if clause is not None:
            self.add(clause.this, scope)
        for join in node.args.get("joins") or ():
            self.join(join, scope)

    def join(self, join: Any, scope: Scope) -> None:
        before = list(scope.sources.values())
        layout = len(scope.layout)
        added = self.add(join.this, scope)
        side = (join.side or "").upper()
        on = join.args.get("on")
        names = [each.name for each in join.args.get("using") or ()]
        if (join.args.get("method") or "").upper() == "NATURAL":
            right = {key for _, key in scope.layout[layout:]}
            names = list(dict.fromkeys(key for _, key in scope.layout[:layout] if key in right))
        pairs = {name: self._pair(name, before, added, scope) for name in names}
        for source in added if side in ("LEFT", "FULL") else ():
            scope.make_outer(source)
        if side in ("RIGHT", "FULL"):
            for source in before:
                scope.make_outer(source)
            for name, value in scope.merged.items():
                scope.merged[name] = Value(value.kinds, True, untyped=value.untyped)
        scope.merged |= {name: _merged(side, *pair) for name, pair in pairs.items()}
        if names:
            rest = [place for place in scope.layout if place[1] not in names]
            scope.layout = [*((None, name) for name in names), *rest]
        if on is not None:
            self.value(on, scope)
            if not side:
                scope.not_null |= Conditions(scope, self.catalog.functions).if_true(on)

    def _pair(self, name: str, before: list[Source], added: list[Source], scope: Scope) -> tuple[Value, Value]:
        left = scope.merged.get(name) or self._first(name, before, scope)
        return left, self._first(name, added, scope)

    def _first(self, name: str, sources: list[Source], scope: Scope) -> Value:
        for source in sources:
            if source.columns is not None and name in source.columns:
                return self._column(source, name, scope)
        return unknown(f"{name} is not a column that is known")

    def add(self, node: Any, scope: Scope) -> list[Source]:
        """Adds a table, or all that a bracket joins; these are the sources that came with it."""
        before = set(scope.sources)
        alias = node.args.get("alias")
        if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table | exp.Subquery) and not _is_query(node):
            if alias is None:
                self.add(node.this, scope)
            else:
                scope.add(node.alias_or_name, self._bracket(node, scope))
        elif isinstance(node, exp.Lateral) and not isinstance(node.this, exp.Subquery):
            scope.add(node.alias_or_name, self._function(node.this, alias, scope))
        elif isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            scope.add(node.alias_or_name, self._aliased(self.table(node, scope), alias))
        elif isinstance(node, exp.Subquery | exp.Lateral | exp.Values):
            query = node if isinstance(node, exp.Values) else node.this
            outputs = renamed(self.query(query, scope), [column.name for column in alias.columns] if alias else [])
            scope.add(node.alias_or_name, self.source(outputs, f"the columns of {node.alias_or_name} are not known"))
        else:
            function = node.this if isinstance(node, exp.Table) else node
            scope.add(node.alias_or_name or function.name.lower(), self._function(function, alias, scope))
        for join in node.args.get("joins") or ():
            self.join(join, scope)
        return [source for key, source in scope.sources.items() if key not in before]

    def _bracket(self, node: Any, scope: Scope) -> Source:
        """``(a join b on …) as c``: one source."""
        inner = Scope(scope, scope.ctes)
        self.add(node.this, inner)
        outputs = [self._starred(source, key, inner, node) for source, key in inner.layout]
        return self._aliased(self.source(outputs, "the columns of the join are not known"), node.args["alias"])

    def table(self, node: Any, scope: Scope) -> Source:
        """A table, a view, or the result of a ``with`` query."""
        name = node.name
        if name in scope.ctes and not node.db:
            return self.source(scope.ctes[name], f"the columns of {name} are not known")
        real = self.real_name(name)
        if real is None:
            return Source(None, f"the table {name} is not in the catalog")
        self.read.setdefault(real, {})
        derived = self.view(real) if real in self.catalog.views else None
        outputs = []
        for i, (column, known) in enumerate(self.catalog.tables[real].items()):
            value = Value(known.kinds, known.nullable)
            if derived is not None and i < len(derived):
                inner = derived[i].value
                kinds = known.kinds if self.dialect == "postgres" or inner.kinds is None else inner.kinds
                value = Value(kinds, inner.nullable, why=inner.why, untyped=inner.untyped)
            why = f"the query of the view {real} is not understood" if value.nullable is None else ""
            outputs.append(
                Output(
                    column,
                    Value(
                        value.kinds,
                        value.nullable,
                        frozenset({(real, column)}),
                        value.why or why,
                        value.untyped or self._untyped(real, column),
                    ),
                )
            )
        return self.source(outputs, f"{real} has no columns")

    def _untyped(self, table: str, column: str) -> str:
        """Why the type that SQLite has for a column is not the whole truth."""
        known = self.catalog.tables[table][column]
        if self.dialect == "postgres" or (known.kinds is not None and len(known.kinds) == 1) or known.is_flag:
            return ""
        if known.kinds is None:
            return f"{table}.{column} is declared {known.declared or 'without a type'}, which can hold any value"
        kinds = " or ".join(sorted(known.kinds))
        return f"{table}.{column} is {known.declared}, and no CHECK says whether that is {kinds}"

    def real_name(self, name: str) -> str | None:
        """The table's name as the catalog has it."""
        if name in self.catalog.tables:
            return name
        return next((each for each in self.catalog.tables if fold(each, self.dialect, quoted=True) == name), None)

    def source(self, outputs: list[Output], why: str) -> Source:
        keyed = {fold(output.name, self.dialect, quoted=True): output for output in outputs}
        return Source(keyed or None, why)

    def _aliased(self, source: Source, alias: Any) -> Source:
        """``t as a (x, y)``: the columns under other names."""
        names = [column.name for column in alias.columns] if alias is not None else []
        if not names or source.columns is None:
            return source
        return self.source(renamed(list(source.columns.values()), names), source.why)

    # --- functions ---

    def _function(self, node: Any, alias: Any, scope: Scope) -> Source:
        """``json_each(:ids)``, ``unnest(:ids)`` and their like: one item a row."""
        name = "unnest" if isinstance(node, exp.Unnest) else node.name.lower()
        values = self.children(node, scope)
        names = [column.name for column in alias.columns] if alias is not None else []
        argument = next(iter(node.expressions), None)
        item = self._item(argument)
        if self.dialect == "sqlite" and name in ("json_each", "json_tree"):
            columns = dict(_JSON_EACH)
            if item is not None and name == "json_each":
                columns["value"] = item
            return self.source([Output(key, value) for key, value in columns.items()], "")
        outputs = _SET_FUNCTIONS.get(name)
        if name == "unnest" and item is not None and len(node.expressions) == 1:
            outputs = (Output(name, item),)
        elif name == "generate_series":
            outputs = (Output(name, call(name, node.expressions, values, self.catalog.functions, self.dialect)),)
        if outputs is None or self.dialect == "sqlite":
            return Source(None, f"the columns of {name}() are not known")
        if len(outputs) == 1 and alias is not None and alias.name and not names:
            names = [alias.name]
        return self.source(renamed([*outputs, Output("ordinality", Value(INT, False))], names), "")

    def _item(self, argument: Any) -> Value | None:
        """An item of a list parameter."""
        parameter = self.parameters.get(argument.name) if isinstance(argument, exp.Placeholder) else None
        return Value(frozenset({parameter.type}), False) if parameter is not None and parameter.is_list else None


def _merged(side: str, left: Value, right: Value) -> Value:
    """The column that ``using`` makes of two."""
    if side == "LEFT":
        return left
    if side == "RIGHT":
        return right
    if side == "FULL":
        found = coalesced([left, right])
        both = left.nullable is False and right.nullable is False
        return Value(found.kinds, not both, why="", untyped=found.untyped)
    return Value(left.kinds, False, untyped=left.untyped)


def _is_query(node: Any) -> bool:
    """Whether a bracket has a query in it, and no join."""
    inner = node.this
    while isinstance(inner, exp.Subquery):
        if inner.args.get("joins") or inner.args.get("alias"):
            return False
        inner = inner.this
    return isinstance(inner, exp.Query) and not isinstance(inner, exp.Table)
