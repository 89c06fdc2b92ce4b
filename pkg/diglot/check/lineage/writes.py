"""Insert, update, delete: what they write, and what ``returning`` returns of it."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import msgspec
from sqlglot import exp

from diglot.check.lineage.conditions import Conditions
from diglot.check.lineage.sources import Sources
from diglot.check.lineage.values import Fact, Output, Scope, Source, Value, either, unknown

Written = dict[str, Value]
"""What is stored in each column."""


class Writes(Sources):
    """Follows values into the columns that they are stored in."""

    @abstractmethod
    def statement(self, node: Any, parent: Scope | None = None) -> list[Output]:
        """The columns that a statement returns."""

    def write(self, node: Any, scope: Scope) -> list[Output]:
        if isinstance(node, exp.Insert):
            return self._insert(node, scope)
        if isinstance(node, exp.Update):
            return self._update(node, scope)
        if isinstance(node, exp.Merge):
            return self._merge(node, scope)
        return self._delete(node, scope)

    def _insert(self, node: exp.Insert, scope: Scope) -> list[Output]:
        schema = node.this
        table = schema.this if isinstance(schema, exp.Schema) else schema
        source = self.table(table, scope)
        listed = [each.name for each in schema.expressions] if isinstance(schema, exp.Schema) else []
        keys = listed or list(source.columns or ())
        self._note(table, source, keys)
        stored = self._inserted(node.args.get("expression"), table, source, keys, scope)
        scope.add(table.alias_or_name, source)
        conflict = node.args.get("conflict")
        if conflict is not None and conflict.expressions:
            updated = self._conflict(conflict, table, source, stored, scope)
            stored = {key: either([value, updated.get(key) or scope.column(source, key)])
                      for key, value in stored.items()}  # fmt: skip
        self._store(table, source, stored, scope)
        return self._returning(node, scope)

    def _inserted(self, body: Any, table: Any, source: Source, keys: list[str], scope: Scope) -> Written:
        if isinstance(body, exp.Values):
            rows = [
                [
                    self._assign(table, source, key, value, scope)
                    for key, value in zip(keys, row.expressions, strict=False)
                ]
                for row in body.expressions
            ]
            columns = zip(*rows, strict=False)
            return {key: either(list(column)) for key, column in zip(keys, columns, strict=False)}
        if body is None:
            return {}
        inner = body.this if isinstance(body, exp.Subquery) else body
        if isinstance(inner, exp.Select):
            for key, value in zip(keys, inner.expressions, strict=False):
                self._meets(value.unalias(), scope.column(source, key), self._shown(table, source, key), written=True)
        outputs = self.query(body, scope)
        if len(outputs) != len(keys):
            return {}
        return {key: output.value for key, output in zip(keys, outputs, strict=True)}

    def _conflict(self, conflict: Any, table: Any, source: Source, stored: Written, scope: Scope) -> Written:
        """``do update``: the row that was there before, and what is set in it."""
        excluded = Source(source.columns, source.why)
        scope.sources["excluded"] = excluded
        for key, value in stored.items():
            scope.set[excluded, key] = self._into(source, key, value)
        updated: Written = {}
        for each in conflict.expressions:
            updated |= self._assignment(each, table, source, scope)
        if conflict.args.get("where") is not None:
            self.value(conflict.args["where"].this, scope)
        del scope.sources["excluded"]
        return updated

    def _update(self, node: exp.Update, scope: Scope) -> list[Output]:
        table = node.this
        source = scope.add(table.alias_or_name, self.table(table, scope))
        self.from_clause(node, scope)
        where = self._where(node, scope)
        stored: Written = {}
        with scope.knowing(where):
            for each in node.expressions:
                stored |= self._assignment(each, table, source, scope)
        scope.not_null |= where
        self._store(table, source, stored, scope)
        return self._returning(node, scope)

    def _delete(self, node: exp.Delete, scope: Scope) -> list[Output]:
        table = node.this
        source = scope.add(table.alias_or_name, self.table(table, scope))
        self._note(table, source, [])
        for each in node.args.get("using") or ():
            self.add(each, scope)
        scope.not_null |= self._where(node, scope)
        return self._returning(node, scope)

    def _merge(self, node: exp.Merge, scope: Scope) -> list[Output]:
        """Only what it reads and writes: which of its branches made a row is not known."""
        table = node.this
        source = scope.add(table.alias_or_name, self.table(table, scope))
        self._note(table, source, [])
        self.add(node.args["using"], scope)
        self.value(node.args["on"], scope)
        for when in node.args["whens"].expressions:
            then = when.args.get("then")
            if isinstance(then, exp.Update):
                for each in then.expressions:
                    self._assignment(each, table, source, scope)
            elif isinstance(then, exp.Insert) and isinstance(then.this, exp.Tuple):
                self._note(table, source, [each.name for each in then.this.expressions])
        for each in scope.sources.values():
            if each is not source:
                scope.make_outer(each)
        return self._returning(node, scope)

    # --- parts ---

    def _assignment(self, node: Any, table: Any, source: Source, scope: Scope) -> Written:
        """``a = 1``, ``(a, b) = (1, 2)`` or ``(a, b) = (select …)``."""
        targets = [each.name for each in (node.this.expressions if isinstance(node.this, exp.Tuple) else [node.this])]
        self._note(table, source, targets)
        if isinstance(node.expression, exp.Tuple):
            values = node.expression.expressions
        elif len(targets) > 1:
            outputs = self.query(node.expression, scope)
            found = [Value(output.value.kinds, True) for output in outputs]  # over no row they are null
            return dict(zip(targets, found, strict=False))
        else:
            values = [node.expression]
        return {key: self._assign(table, source, key, value, scope)
                for key, value in zip(targets, values, strict=False)}  # fmt: skip

    def _assign(self, table: Any, source: Source, key: str, value: Any, scope: Scope) -> Value:
        column = Source(source.columns, source.why)  # as it is declared, whatever the conditions say
        self._meets(value, scope.column(column, key), self._shown(table, source, key), written=True)
        if value.name == "default" and isinstance(value, exp.Column | exp.Var):
            return scope.column(column, key)
        return self.value(value, scope)

    def _store(self, table: Any, source: Source, stored: Written, scope: Scope) -> None:
        """From now on, the columns have these values: unless a trigger may have changed them."""
        changed = self.real_name(table.name) in self.catalog.triggered
        for key, value in stored.items():
            scope.set[source, key] = self._into(source, key, Value(nullable=True) if changed else value)

    def _into(self, source: Source, key: str, value: Value) -> Value:
        """The value in its column: of the column's type, and not null if the column takes no null."""
        if source.columns is None or key not in source.columns:
            return unknown(source.why)
        declared = source.columns[key].value
        if declared.nullable is False:
            return declared
        return msgspec.structs.replace(declared, nullable=value.nullable, why=value.why)

    def _where(self, node: Any, scope: Scope) -> set[Fact]:
        where = node.args.get("where")
        if where is None:
            return set()
        self.value(where.this, scope)
        return Conditions(scope, self.catalog.functions).if_true(where.this)

    def _returning(self, node: Any, scope: Scope) -> list[Output]:
        clause = node.args.get("returning")
        return [o for each in clause.expressions for o in self._outputs(each, scope)] if clause else []

    def _note(self, table: Any, source: Source, keys: list[str]) -> None:
        columns = source.columns or {}
        self._writes(self.real_name(table.name) or table.name,
                     [columns[key].name if key in columns else key for key in keys])  # fmt: skip

    def _shown(self, table: Any, source: Source, key: str) -> str:
        column = (source.columns or {}).get(key)
        return f"{self.real_name(table.name) or table.name}.{column.name if column is not None else key}"
