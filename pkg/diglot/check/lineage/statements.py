"""Statements: the sources of each, what it returns, and what it writes."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from diglot.check.lineage.expressions import Expressions
from diglot.check.lineage.values import INT, Output, Scope, Source, Value, columns_of, either, renamed, united


class Statements(Expressions):
    """Resolves names scope by scope against the catalog."""

    def statement(self, node: Any) -> list[Output]:
        scope = Scope(None, {})
        self._with(node, scope)
        if isinstance(node, exp.Insert):
            return self._insert(node, scope)
        if isinstance(node, exp.Update):
            return self._update(node, scope)
        if isinstance(node, exp.Delete):
            return self._delete(node, scope)
        return self.query(node, scope)

    def query(self, node: Any, parent: Scope) -> list[Output]:
        scope = Scope(parent, parent.ctes)
        self._with(node, scope)
        if isinstance(node, exp.Subquery | exp.Paren):
            return self.query(node.this, scope)
        if isinstance(node, exp.SetOperation):
            left, right = self.query(node.this, scope), self.query(node.expression, scope)
            self._limits(node, scope)
            return united(left, right)
        if isinstance(node, exp.Values):
            rows = [[self.value(each, scope) for each in row.expressions] for row in node.expressions]
            return [
                Output(f"column{i + 1}", either(list(column)), None)
                for i, column in enumerate(zip(*rows, strict=False))
            ]
        if isinstance(node, exp.Select):
            return self._select(node, scope)
        if isinstance(node, exp.Insert | exp.Update | exp.Delete):
            return self.statement(node)
        return []

    def _with(self, node: Any, scope: Scope) -> None:
        clause = node.args.get("with_")
        for cte in clause.expressions if clause else ():
            body, name = cte.this, cte.alias_or_name
            names = [column.name for column in cte.args["alias"].columns]
            if clause.args.get("recursive") and isinstance(body, exp.SetOperation):
                scope.ctes[name] = renamed(self.query(body.this, scope), names)
                for _ in range(2):  # what the recursive arm makes nullable is nullable in the next round
                    scope.ctes[name] = renamed(self.query(body, scope), names)
            else:
                scope.ctes[name] = renamed(self.query(body, scope), names)

    def _select(self, node: exp.Select, scope: Scope) -> list[Output]:
        clause = node.args.get("from_")
        if clause is not None:
            self._add(clause.this, scope)
        for join in node.args.get("joins") or ():
            before = list(scope.sources.values())
            added = self._add(join.this, scope)
            side = (join.side or "").upper()
            if side in ("LEFT", "FULL"):
                for source in added:
                    source.make_outer()
            if side in ("RIGHT", "FULL"):
                for source in before:
                    source.make_outer()
            if join.args.get("on") is not None:
                self.value(join.args["on"], scope)
                if not side:
                    self._narrow(join.args["on"], scope)
        where = node.args.get("where")
        if where is not None:
            self.value(where.this, scope)
            self._narrow(where.this, scope)
        group = node.args.get("group")
        for each in group.expressions if group else ():
            self.value(each, scope)
        outputs = [output for each in node.expressions for output in self._outputs(each, scope, grouped=bool(group))]
        if node.args.get("having"):
            self.value(node.args["having"].this, scope)
        order = node.args.get("order")
        aliases = {output.name for output in outputs}
        for each in order.expressions if order else ():
            if not (isinstance(each.this, exp.Column) and not each.this.table and each.this.name in aliases):
                self.value(each.this, scope)
        self._limits(node, scope)
        return outputs

    def _limits(self, node: Any, scope: Scope) -> None:
        for name in ("limit", "offset"):
            clause = node.args.get(name)
            limit = clause.args.get("expression") or clause.args.get("count") if clause is not None else None
            if limit is not None:
                self._meets(limit, Value(INT, None), name)
                self.value(limit, scope)

    def _insert(self, node: exp.Insert, scope: Scope) -> list[Output]:
        schema = node.this
        table = schema.this if isinstance(schema, exp.Schema) else schema
        source = self._table(table)
        listed = [each.name for each in schema.expressions] if isinstance(schema, exp.Schema) else []
        columns = listed or list(source.columns or ())
        self._writes(table.name, columns)
        body = node.args.get("expression")
        if isinstance(body, exp.Values):
            for row in body.expressions:
                for column, value in zip(columns, row.expressions, strict=False):
                    self._assign(table.name, source, column, value, scope)
        elif body is not None:
            inner = body.this if isinstance(body, exp.Subquery) else body
            if isinstance(inner, exp.Select):
                for column, value in zip(columns, inner.expressions, strict=False):
                    self._meets(value.unalias(), source.column(column), f"{table.name}.{column}", written=True)
            self.query(body, scope)
        scope.sources[table.alias_or_name] = source
        conflict = node.args.get("conflict")
        if conflict is not None:
            scope.sources["excluded"] = Source(source.columns)
            for each in conflict.expressions or ():
                self._assign(table.name, source, each.this.name, each.expression, scope)
                self._writes(table.name, [each.this.name])
            if conflict.args.get("where") is not None:
                self.value(conflict.args["where"].this, scope)
            del scope.sources["excluded"]
        return self._returning(node, scope)

    def _update(self, node: exp.Update, scope: Scope) -> list[Output]:
        table = node.this
        source = scope.sources[table.alias_or_name] = self._table(table)
        clause = node.args.get("from_")
        if clause is not None:
            self._add(clause.this, scope)
            for join in clause.this.args.get("joins") or ():
                self._add(join.this, scope)
                if join.args.get("on") is not None:
                    self.value(join.args["on"], scope)
        for each in node.expressions:
            targets = each.this.expressions if isinstance(each.this, exp.Tuple) else [each.this]
            values = each.expression.expressions if isinstance(each.expression, exp.Tuple) else [each.expression]
            for target, value in zip(targets, values, strict=False):
                self._assign(table.name, source, target.name, value, scope)
                self._writes(table.name, [target.name])
        self._where(node, scope)
        return self._returning(node, scope)

    def _delete(self, node: exp.Delete, scope: Scope) -> list[Output]:
        table = node.this
        scope.sources[table.alias_or_name] = self._table(table)
        self._writes(table.name, [])
        for each in node.args.get("using") or ():
            self._add(each, scope)
        self._where(node, scope)
        return self._returning(node, scope)

    def _where(self, node: Any, scope: Scope) -> None:
        where = node.args.get("where")
        if where is not None:
            self.value(where.this, scope)

    def _returning(self, node: Any, scope: Scope) -> list[Output]:
        clause = node.args.get("returning")
        return [o for each in clause.expressions for o in self._outputs(each, scope)] if clause else []

    # --- sources ---

    def _add(self, node: Any, scope: Scope) -> list[Source]:
        before = set(scope.sources)
        name = node.alias_or_name
        if isinstance(node, exp.Subquery):
            outputs = self.query(node.this, scope)
            names = [each.name for each in node.args["alias"].columns] if node.args.get("alias") else []
            scope.sources[name] = Source(columns_of(renamed(outputs, names)))
        elif isinstance(node, exp.Lateral):
            inner = node.this
            if isinstance(inner, exp.Subquery):
                scope.sources[name] = Source(columns_of(self.query(inner, scope)))
            else:
                scope.sources[name] = self._function(inner, scope)
        elif isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            if node.name in scope.ctes and not node.db:
                scope.sources[name] = Source(columns_of(scope.ctes[node.name]))
            else:
                scope.sources[name] = self._table(node)
        elif isinstance(node, exp.Values):
            names = [each.name for each in node.args["alias"].columns] if node.args.get("alias") else []
            scope.sources[name] = Source(columns_of(renamed(self.query(node, scope), names)))
        else:
            scope.sources[name] = self._function(node.this if isinstance(node, exp.Table) else node, scope)
        for join in node.args.get("joins") or () if isinstance(node, exp.Table) else ():
            self._add(join.this, scope)
        return [source for key, source in scope.sources.items() if key not in before]

    def _table(self, node: Any) -> Source:
        table = self.catalog.get(node.name)
        if table is None:
            return Source(None)
        self.read.setdefault(node.name, {})
        columns = {
            name: Value(column.kinds, column.nullable, frozenset({(node.name, name)})) for name, column in table.items()
        }
        return Source(columns, table=node.name)

    def _function(self, node: Any, scope: Scope) -> Source:
        """``json_each(:ids)`` and its like: ``value`` is an item of the list parameter."""
        self._children(node, scope)
        argument = next(iter(node.expressions), None) if isinstance(node, exp.Func) else None
        if node.name.lower() != "json_each" or not isinstance(argument, exp.Placeholder):
            return Source(None)
        parameter = self.parameters.get(argument.name)
        kinds = frozenset({parameter.type}) if parameter is not None and parameter.is_list else None
        return Source({"value": Value(kinds, False if kinds else None)})
