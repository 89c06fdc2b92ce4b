"""Derives an expression's kind, whether it can be null and what it copies; and which parameters meet columns."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from sqlglot import exp

from diglot.check.catalog import Catalog, Kinds
from diglot.check.lineage import operators
from diglot.check.lineage.calls import Calls
from diglot.check.lineage.conditions import COMPARISONS, Conditions
from diglot.check.lineage.parsing import label, text
from diglot.check.lineage.values import BOOL, INT, Output, Scope, Source, Value, either, strict, unknown
from diglot.sql.header import Parameter
from diglot.sql.session import Dialect

_SYSTEM_COLUMNS: dict[Dialect, tuple[str, ...]] = {
    "postgres": ("ctid", "tableoid", "xmin", "xmax", "cmin", "cmax"),
    "sqlite": ("rowid", "oid", "_rowid_"),
}


class Use(msgspec.Struct, frozen=True):
    """A parameter that meets a column; ``nullable`` says whether the column takes NULL, where it is written into it."""

    parameter: str
    kinds: Kinds
    column: str
    nullable: bool | None = None


class Expressions(Calls):
    """Records what is read, written and met; subclasses handle a query inside an expression."""

    def __init__(
        self, catalog: Catalog, dialect: Dialect, parameters: Mapping[str, Parameter], not_null: frozenset[str]
    ) -> None:
        self.catalog = catalog
        self.dialect = dialect
        self.parameters = parameters
        self.not_null = not_null
        self.uses: list[Use] = []
        self.read: dict[str, dict[str, None]] = {}
        self.written: dict[str, dict[str, None]] = {}
        self.bool = BOOL if dialect == "postgres" else BOOL | INT
        self.system = INT if dialect == "sqlite" else None

    @abstractmethod
    def query(self, node: Any, parent: Scope) -> list[Output]:
        """The columns that a query inside an expression returns."""

    @abstractmethod
    def one_row(self, node: Any) -> bool:
        """Whether a query always returns a row."""

    def _outputs(self, node: Any, scope: Scope) -> Iterator[Output]:
        inner = node.unalias()
        if isinstance(inner, exp.Star):
            for source, key in scope.layout:
                yield self._starred(source, key, scope, node)
        elif isinstance(inner, exp.Column) and isinstance(inner.this, exp.Star):
            source = scope.sources.get(inner.table)
            for key in source.columns or () if source is not None else ():
                yield self._starred(source, key, scope, node)
        else:
            yield Output(label(node, self.dialect), self.value(inner, scope), _offset(node))

    def _starred(self, source: Source | None, key: str, scope: Scope, node: Any) -> Output:
        if source is None:
            return Output(key, scope.merged[key], _offset(node))
        assert source.columns is not None  # noqa: S101 - the layout has known columns alone
        return Output(source.columns[key].name, self._column(source, key, scope), _offset(node))

    def value(self, node: Any, scope: Scope) -> Value:
        """What is known about an expression; records what it reads and which parameters meet columns."""
        if isinstance(node, exp.Paren | exp.Alias | exp.Collate):
            return self.value(node.this, scope)
        if isinstance(node, exp.Column):
            return self._named(node, scope)
        if isinstance(node, exp.Placeholder):
            return self._parameter(node.name)
        if isinstance(node, exp.Exists):
            self.query(node.this, scope)
            return Value(self.bool, False)
        if isinstance(node, exp.Subquery | exp.Query):
            return self._scalar(node, scope)
        if isinstance(node, COMPARISONS):
            return self._comparison(node, scope)
        if isinstance(node, exp.In | exp.Between):
            return self._membership(node, scope)
        if isinstance(node, exp.And | exp.Or):
            return self._connected(node, scope)
        if isinstance(node, exp.Case):
            return self._case(node, scope)
        if isinstance(node, exp.Filter | exp.WithinGroup | exp.Window):
            return self.over(node, scope)
        if isinstance(node, exp.Anonymous):
            return self.call(node, scope)
        if isinstance(node, exp.Dot) and node.this.name == "pg_catalog" and isinstance(node.expression, exp.Anonymous):
            return self.call(node.expression, scope)
        return operators.value(node, self.children(node, scope), self.dialect)

    # --- names ---

    def _named(self, node: Any, scope: Scope) -> Value:
        found = scope.find(node.name, node.table)
        if isinstance(found, Value):
            if found.why and not node.table and node.name in _SYSTEM_COLUMNS[self.dialect] and scope.sources:
                return Value(self.system, any(source.outer for source in scope.sources.values()))
            return found
        source, key = found
        if key in _SYSTEM_COLUMNS[self.dialect] and source.columns is not None and key not in source.columns:
            return Value(self.system, source.outer)
        value = self._column(source, key, scope)
        if scope.rows == "whole" and source in scope.sources.values():  # any row's, and there may be none
            return msgspec.structs.replace(value, nullable=True, why="")
        return value

    def _column(self, source: Source, key: str, scope: Scope) -> Value:
        value = scope.column(source, key)
        for table, column in source.columns[key].value.origins if source.columns and key in source.columns else ():
            self.read.setdefault(table, {})[column] = None
        return value

    def _parameter(self, name: str) -> Value:
        parameter = self.parameters.get(name)
        if parameter is None or parameter.is_list:
            return unknown(f":{name} is a list" if parameter else f":{name} is not declared")
        return Value(frozenset({parameter.type}), parameter.nullable and name not in self.not_null)

    # --- queries, conditions, branches ---

    def _scalar(self, node: Any, scope: Scope) -> Value:
        outputs = self.query(node, scope)
        if len(outputs) != 1:
            return unknown(f"the columns of {text(node)} are not known")
        value = outputs[0].value
        if self.one_row(node):
            return Value(value.kinds, value.nullable, why=value.why, untyped=value.untyped)
        return Value(value.kinds, True, untyped=value.untyped)

    def _comparison(self, node: Any, scope: Scope) -> Value:
        left, right = node.this, node.expression
        if isinstance(left, exp.Tuple) and isinstance(right, exp.Tuple):
            pairs = list(zip(left.expressions, right.expressions, strict=False))
        else:
            pairs = [(left, right)]
        values: list[Value] = []
        for a, b in pairs:
            found = self._side(a, scope), self._side(b, scope)
            values += found
            self._meets(a, found[1], _text(b))
            self._meets(b, found[0], _text(a))
        return strict(self.bool, values)

    def _membership(self, node: Any, scope: Scope) -> Value:
        items = node.this.expressions if isinstance(node.this, exp.Tuple) else [node.this]
        values = [self.value(each, scope) for each in items]
        value = values[0]
        others = [node.args.get("low"), node.args.get("high"), *(node.args.get("expressions") or ())]
        query = node.args.get("query")
        if query is None and not any(others):
            values.append(unknown(f"the items of {text(node)} are not known"))
        if query is not None:
            outputs = self.query(query, scope)
            if outputs and value.kinds and outputs[0].value.kinds:
                self._list_meets(query, outputs[0].value.kinds, value, _text(node.this))
            values += [output.value for output in outputs] or [unknown(f"the columns of {text(query)} are not known")]
        for other in others:
            if isinstance(other, exp.Query | exp.Values):
                values += [output.value for output in self.query(other, scope)]
            elif other is not None:
                self._meets(other, value, _text(node.this))
                found = self.value(other, scope)
                values.append(found)
                self._meets(node.this, found, _text(other))
        return strict(self.bool, values)

    def _side(self, node: Any, scope: Scope) -> Value:
        """One side of a comparison; ``any(…)`` is any item of a list."""
        if not isinstance(node, exp.Any | exp.All):
            return self.value(node, scope)
        inner = node.this.unnest()
        if isinstance(inner, exp.Placeholder):
            return Value(None, self._is_nullable(inner.name), untyped=f":{inner.name} is a list")
        if isinstance(inner, exp.Query):
            return strict(None, [output.value for output in self.query(inner, scope)])
        if isinstance(inner, exp.Array):
            return strict(None, self.children(inner, scope))
        self.value(inner, scope)
        return unknown(f"an item of {text(inner)} may be null")

    def _is_nullable(self, name: str) -> bool:
        parameter = self.parameters.get(name)
        return parameter is None or (parameter.nullable and name not in self.not_null)

    def _connected(self, node: Any, scope: Scope) -> Value:
        """``n is not null and n > 1`` is never null: where n is, the first is false."""
        conditions = Conditions(scope, self.catalog.functions)
        parts = list(node.flatten())
        values: list[Value] = []
        facts: set[tuple[Source, str]] = set()
        for part in parts:
            with scope.knowing(facts):
                value = self.value(part, scope)
            values.append(value)
            if value.nullable is False:
                facts |= conditions.if_true(part) if isinstance(node, exp.And) else conditions.if_false(part)
        return strict(self.bool, values)

    def _case(self, node: Any, scope: Scope) -> Value:
        """Each branch knows that its condition is true, and that those before it are not."""
        conditions = Conditions(scope, self.catalog.functions)
        if node.this is not None:
            self.value(node.this, scope)
        branches: list[Value] = []
        not_before: set[tuple[Source, str]] = set()
        for each in node.args["ifs"]:
            certain = self.value(each.this, scope).nullable is False and node.this is None
            facts = conditions.if_true(each.this) if node.this is None else set()
            with scope.knowing(not_before | facts):
                branches.append(self.value(each.args["true"], scope))
            if certain:
                not_before = not_before | conditions.if_false(each.this)
        default = node.args.get("default")
        with scope.knowing(not_before):
            branches.append(self.value(default, scope) if default is not None else Value(None, True))
        return msgspec.structs.replace(either(branches), origins=frozenset())

    # --- parameters ---

    def _list_meets(self, query: Any, kinds: Kinds, value: Value, column: str) -> None:
        for placeholder in query.find_all(exp.Placeholder):
            parameter = self.parameters.get(placeholder.name)
            if parameter is not None and parameter.is_list and kinds == frozenset({parameter.type}):
                self.uses.append(Use(placeholder.name, value.kinds, column))

    def _meets(self, node: Any, other: Value, column: str, *, written: bool = False) -> None:
        node = node.unnest()
        if isinstance(node, exp.Any | exp.All):
            node = node.this.unnest()
        if isinstance(node, exp.Placeholder) and (other.kinds is not None or written):
            self.uses.append(Use(node.name, other.kinds, column, other.nullable if written else None))

    def children(self, node: Any, scope: Scope) -> list[Value]:
        return [self.value(child, scope) for child in node.iter_expressions()]

    def _writes(self, table: str, columns: Sequence[str]) -> None:
        written = self.written.setdefault(table, {})
        written.update(dict.fromkeys(columns))


def _offset(node: Any) -> int | None:
    """The place of the name by which a column is known: the alias, else the column."""
    best = node.args.get("alias") or node.unalias()
    for each in [best, *best.walk()] if not isinstance(best, str) else node.walk():
        if "start" in each.meta and not (isinstance(each, exp.Identifier) and each.arg_key == "table"):
            start: int = each.meta["start"]
            return start
    return next((each.meta["start"] for each in node.walk() if "start" in each.meta), None)


def _text(node: Any) -> str:
    found: str = node.sql()
    return found
