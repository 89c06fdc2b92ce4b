"""Derives an expression's kind, whether it can be null and what it copies; and which parameters meet columns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from sqlglot import exp

from diglot.check.catalog import Catalog, Kinds
from diglot.check.lineage.values import (
    BOOL,
    FLOAT,
    INT,
    TEXT,
    UNKNOWN,
    Output,
    Scope,
    Source,
    Value,
    all_null,
    any_null,
    either,
)
from diglot.sql.header import Parameter
from diglot.sql.session import Dialect


class Use(msgspec.Struct, frozen=True):
    """A parameter that meets a column; ``nullable`` says whether the column takes NULL, where it is written into it."""

    parameter: str
    kinds: Kinds
    column: str
    nullable: bool | None = None


_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
_STRICT_TEXT = (exp.Lower, exp.Upper, exp.Trim, exp.Substring, exp.Replace, exp.Concat, exp.DPipe)
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)
_CASTS: dict[str, frozenset[str]] = {
    **dict.fromkeys(("TEXT", "VARCHAR", "CHAR", "NVARCHAR"), TEXT),
    **dict.fromkeys(("INT", "BIGINT", "SMALLINT", "TINYINT"), INT),
    **dict.fromkeys(("DOUBLE", "FLOAT", "REAL"), FLOAT),
    **dict.fromkeys(("JSON", "JSONB"), frozenset({"json"})),
    **dict.fromkeys(("VARBINARY", "BLOB", "BINARY"), frozenset({"bytes"})),
    "BOOLEAN": BOOL,
    "TIMESTAMPTZ": frozenset({"timestamp"}),
}


class Expressions(ABC):
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

    @abstractmethod
    def query(self, node: Any, parent: Scope) -> list[Output]:
        """The columns that a query inside an expression returns."""

    def _outputs(self, node: Any, scope: Scope, *, grouped: bool = False) -> Iterator[Output]:
        inner = node.unalias()
        if isinstance(inner, exp.Star) or (isinstance(inner, exp.Column) and isinstance(inner.this, exp.Star)):
            wanted = inner.table if isinstance(inner, exp.Column) else ""
            for alias, source in scope.sources.items():
                if not wanted or alias == wanted:
                    for name in source.columns or ():
                        yield Output(name, self._column(source, name), _offset(node))
            return
        yield Output(node.alias_or_name, self.value(inner, scope, grouped=grouped), _offset(node))

    def value(self, node: Any, scope: Scope, *, grouped: bool = False) -> Value:
        """What is known about an expression; records what it reads and which parameters meet columns."""
        if isinstance(node, exp.Paren | exp.Alias):
            return self.value(node.this, scope, grouped=grouped)
        if isinstance(node, exp.Column):
            source, name = scope.find(node.name, node.table)
            return self._column(source, name) if source is not None else UNKNOWN
        if isinstance(node, exp.Placeholder):
            return self._parameter(node.name)
        if isinstance(node, exp.Literal):
            kinds = TEXT if node.is_string else FLOAT if not node.is_int else INT
            return Value(kinds, False)
        if isinstance(node, exp.Null):
            return Value(None, True)
        if isinstance(node, exp.Boolean):
            return Value(BOOL, False)
        if isinstance(node, exp.Exists):
            self.query(node.this, scope)
            return Value(BOOL, False)
        if isinstance(node, exp.Subquery | exp.Select | exp.SetOperation):
            outputs = self.query(node, scope)
            if len(outputs) != 1:
                return UNKNOWN
            never_empty = _is_plain_aggregate(node)
            return Value(outputs[0].value.kinds, outputs[0].value.nullable if never_empty else True)
        if isinstance(node, _COMPARISONS):
            return self._comparison(node, scope)
        if isinstance(node, exp.In | exp.Between):
            return self._membership(node, scope)
        if isinstance(node, exp.Is):
            self._children(node, scope)
            return Value(BOOL, False)
        if isinstance(node, exp.And | exp.Or | exp.Not):
            return Value(BOOL, any_null(self._children(node, scope)))
        return self._derived(node, scope, grouped)

    def _derived(self, node: Any, scope: Scope, grouped: bool) -> Value:
        values = self._children(node, scope)
        if isinstance(node, exp.Window):
            ranks = (exp.RowNumber, exp.Rank, exp.DenseRank)
            return Value(INT, False) if isinstance(node.this, ranks) else values[0]
        if isinstance(node, exp.RowNumber | exp.Rank | exp.DenseRank | exp.Count | exp.CountIf):
            return Value(INT, False)
        if isinstance(node, exp.Max | exp.Min):
            first = values[0] if values else UNKNOWN
            return Value(first.kinds, first.nullable if grouped else True)
        if isinstance(node, exp.Sum | exp.Avg):
            first = values[0] if values else UNKNOWN
            return Value(None, first.nullable if grouped else True)
        if isinstance(node, exp.AggFunc):
            return Value(None, None if grouped else True)
        if isinstance(node, exp.Coalesce):
            known = [value for value in values if value.kinds is not None]
            nullable = False if any(v.nullable is False for v in values) else all_null(values)
            return Value(known[0].kinds if known else None, nullable)
        if isinstance(node, exp.Case):
            branches = [self.value(each.args["true"], scope) for each in node.args["ifs"]]
            default = node.args.get("default")
            branches.append(self.value(default, scope) if default is not None else Value(None, True))
            return either(branches)
        if isinstance(node, exp.Cast):
            return Value(_CASTS.get(node.to.this.name), values[0].nullable if values else None)
        if isinstance(node, _STRICT_TEXT):
            return Value(TEXT, any_null(values))
        if isinstance(node, exp.Length):
            return Value(INT, any_null(values))
        if isinstance(node, _ARITHMETIC):
            kinds = {value.kinds for value in values}
            same = next(iter(kinds)) if len(kinds) == 1 else None
            return Value(same if same in (INT, FLOAT) else None, any_null(values))
        if isinstance(node, exp.Neg):
            return values[0]
        if isinstance(node, exp.CurrentTimestamp):
            return Value(frozenset({"timestamp"}) if self.dialect == "postgres" else TEXT, False)
        return UNKNOWN

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
        return Value(BOOL, any_null(values))

    def _membership(self, node: Any, scope: Scope) -> Value:
        value = self.value(node.this, scope)
        others = [node.args.get("low"), node.args.get("high"), *(node.args.get("expressions") or ())]
        query = node.args.get("query")
        if query is not None:
            outputs = self.query(query, scope)
            if outputs and value.kinds and outputs[0].value.kinds:
                self._list_meets(query, outputs[0].value.kinds, value, _text(node.this))
        for other in others:
            if other is not None:
                self._meets(other, value, _text(node.this))
                self._meets(node.this, self.value(other, scope), _text(other))
        return Value(BOOL, None)

    def _side(self, node: Any, scope: Scope) -> Value:
        """One side of a comparison; ``any(:ids)`` is one item of the list."""
        if isinstance(node, exp.Any | exp.All):
            inner = node.this.unnest()
            if isinstance(inner, exp.Placeholder):
                return UNKNOWN
        return self.value(node, scope)

    def _list_meets(self, query: Any, kinds: Kinds, value: Value, column: str) -> None:
        for placeholder in query.find_all(exp.Placeholder):
            parameter = self.parameters.get(placeholder.name)
            if parameter is not None and parameter.is_list and kinds == frozenset({parameter.type}):
                self.uses.append(Use(placeholder.name, value.kinds, column))

    def _assign(self, table: str, source: Source, column: str, value: Any, scope: Scope) -> None:
        self._meets(value, source.column(column), f"{table}.{column}", written=True)
        self.value(value, scope)

    def _meets(self, node: Any, other: Value, column: str, *, written: bool = False) -> None:
        node = node.unnest()
        if isinstance(node, exp.Any | exp.All):
            node = node.this.unnest()
        if isinstance(node, exp.Placeholder) and (other.kinds is not None or written):
            self.uses.append(Use(node.name, other.kinds, column, other.nullable if written else None))

    def _parameter(self, name: str) -> Value:
        parameter = self.parameters.get(name)
        if parameter is None or parameter.is_list:
            return UNKNOWN
        return Value(frozenset({parameter.type}), parameter.nullable and name not in self.not_null)

    def _column(self, source: Source, name: str) -> Value:
        value = source.column(name)
        for table, column in value.origins:
            self.read.setdefault(table, {})[column] = None
        return value

    def _writes(self, table: str, columns: Sequence[str]) -> None:
        written = self.written.setdefault(table, {})
        written.update(dict.fromkeys(columns))

    def _children(self, node: Any, scope: Scope) -> list[Value]:
        return [self.value(child, scope) for child in node.iter_expressions()]

    def _narrow(self, condition: Any, scope: Scope) -> None:
        """Records the columns that can't be null if this condition is true."""
        for each in condition.flatten() if isinstance(condition, exp.And) else [condition]:
            each = each.unnest()
            if isinstance(each, _COMPARISONS):
                sides = [each.this, each.expression]
            elif (test := _negated(each)) is not None:
                sides = [test.this] if isinstance(test.expression, exp.Null) else []
            elif isinstance(each, exp.In | exp.Between):
                sides = [each.this]
            else:
                sides = []
            for side in sides:
                for column in side.expressions if isinstance(side, exp.Tuple) else [side]:
                    if isinstance(column, exp.Column):
                        source, name = scope.find(column.name, column.table)
                        if source is not None:
                            source.not_null.add(name)
                            source.outer = False  # an outer join did not fill a row that has a value


def _negated(node: Any) -> Any:
    """The test of ``x is not …``, which has two forms; None for anything else."""
    inner = node.this.unnest() if isinstance(node, exp.Not) else node
    return inner if isinstance(inner, exp.Is) and (inner is not node or inner.args.get("negate")) else None


def _is_plain_aggregate(node: Any) -> bool:
    select = node.this if isinstance(node, exp.Subquery) else node
    return (
        isinstance(select, exp.Select)
        and not select.args.get("group")
        and bool(select.expressions and select.expressions[0].find(exp.AggFunc))
    )


def _offset(node: Any) -> int | None:
    """The place of the name by which a column is known: the alias, else the column."""
    best = node.args.get("alias") or node.unalias()
    for each in [best, *best.walk()] if not isinstance(best, str) else node.walk():
        if "start" in each.meta and not (isinstance(each, exp.Identifier) and each.arg_key == "table"):
            start: int = each.meta["start"]
            return start
    return next((each.meta["start"] for each in node.walk() if "start" in each.meta), None)


def _text(node: Any) -> str:
    text: str = node.sql()
    return text
