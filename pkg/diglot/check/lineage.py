"""Where each column of an answer comes from, and where each parameter goes: types and nullability by derivation.

sqlglot parses; the names are resolved here, scope by scope, against the catalog. What is not understood is unknown, and
nothing is claimed about it. Outer joins make a side nullable; a strict comparison or ``is not null`` in WHERE makes
its column not null; an aggregate without rows is null, a count is not.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import msgspec
import sqlglot
from sqlglot import exp

from diglot.check.catalog import Catalog, Kinds
from diglot.sql.header import Parameter
from diglot.stores.session import Dialect

Origin = tuple[str, str]


class Value(msgspec.Struct, frozen=True):
    """What is known of an expression. ``origins`` are the (table, column) that it is a plain copy of."""

    kinds: Kinds = None
    nullable: bool | None = None
    origins: frozenset[Origin] = frozenset()


class Output(msgspec.Struct, frozen=True):
    """A column of an answer; ``offset`` is where it stands in the text that was parsed, None where not known."""

    name: str
    value: Value
    offset: int | None


class Use(msgspec.Struct, frozen=True):
    """A parameter that meets a column; ``nullable`` says whether the column takes NULL, where it is written into it."""

    parameter: str
    kinds: Kinds
    column: str
    nullable: bool | None = None


class Lineage(msgspec.Struct):
    """What was derived of a statement; ``read`` and ``written`` are columns by table."""

    outputs: list[Output]
    uses: list[Use]
    read: dict[str, dict[str, None]]
    written: dict[str, dict[str, None]]


def derive(
    sql: str, dialect: Dialect, catalog: Catalog, parameters: Mapping[str, Parameter], not_null: Iterable[str] = ()
) -> Lineage | None:
    """The lineage of a statement with ``:name`` parameters, of which ``not_null`` are never null here.

    None for what sqlglot does not understand.
    """
    tree = _parsed(sql, dialect)
    if not isinstance(tree, exp.Query | exp.Insert | exp.Update | exp.Delete | exp.Values):
        return None
    resolver = _Resolver(catalog, dialect, parameters, frozenset(not_null))
    outputs = resolver.statement(tree)
    return Lineage(outputs, resolver.uses, resolver.read, resolver.written)


@lru_cache(maxsize=512)
def _parsed(sql: str, dialect: Dialect) -> Any:
    """The tree, which nobody changes; None for what sqlglot can't read. Parsing is most of the work of a check."""
    try:
        with _quiet():
            return sqlglot.parse_one(sql, dialect=dialect)
    except sqlglot.errors.SqlglotError:
        return None


@contextmanager
def _quiet() -> Iterator[None]:
    """Without sqlglot's remark that it does not know a statement: that is an answer here."""
    log = logging.getLogger("sqlglot")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


TEXT, INT, FLOAT, BOOL = (frozenset({kind}) for kind in ("text", "int", "float", "bool"))
UNKNOWN = Value()
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


class _Source:
    """A table, a subquery or a function of FROM; ``columns`` None where they are not known."""

    def __init__(self, columns: dict[str, Value] | None, *, table: str | None = None) -> None:
        self.columns = columns
        self.table = table
        self.outer = False
        self.not_null: set[str] = set()

    def column(self, name: str) -> Value:
        if self.columns is None:
            return UNKNOWN
        found = self.columns.get(name, UNKNOWN)
        if name in self.not_null:
            return Value(found.kinds, False, found.origins)
        return Value(found.kinds, True, found.origins) if self.outer else found

    def make_outer(self) -> None:
        """An outer join fills it up with nulls, whatever was known of it before."""
        self.outer = True
        self.not_null.clear()


class _Scope:
    """The sources that names are looked up in, innermost first."""

    def __init__(self, parent: _Scope | None, ctes: Mapping[str, list[Output]]) -> None:
        self.parent = parent
        self.ctes: dict[str, list[Output]] = dict(ctes)
        self.sources: dict[str, _Source] = {}

    def find(self, name: str, table: str) -> tuple[_Source | None, str]:
        scope: _Scope | None = self
        while scope is not None:
            if table:
                if table in scope.sources:
                    return scope.sources[table], name
            else:
                for source in scope.sources.values():
                    if source.columns is not None and name in source.columns:
                        return source, name
            scope = scope.parent
        return None, name


class _Resolver:
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

    # --- statements ---

    def statement(self, node: Any) -> list[Output]:
        scope = _Scope(None, {})
        self._with(node, scope)
        if isinstance(node, exp.Insert):
            return self._insert(node, scope)
        if isinstance(node, exp.Update):
            return self._update(node, scope)
        if isinstance(node, exp.Delete):
            return self._delete(node, scope)
        return self.query(node, scope)

    def query(self, node: Any, parent: _Scope) -> list[Output]:
        scope = _Scope(parent, parent.ctes)
        self._with(node, scope)
        if isinstance(node, exp.Subquery | exp.Paren):
            return self.query(node.this, scope)
        if isinstance(node, exp.SetOperation):
            left, right = self.query(node.this, scope), self.query(node.expression, scope)
            self._limits(node, scope)
            return _united(left, right)
        if isinstance(node, exp.Values):
            rows = [[self.value(each, scope) for each in row.expressions] for row in node.expressions]
            return [
                Output(f"column{i + 1}", _either(list(column)), None)
                for i, column in enumerate(zip(*rows, strict=False))
            ]
        if isinstance(node, exp.Select):
            return self._select(node, scope)
        if isinstance(node, exp.Insert | exp.Update | exp.Delete):
            return self.statement(node)
        return []

    def _with(self, node: Any, scope: _Scope) -> None:
        clause = node.args.get("with_")
        for cte in clause.expressions if clause else ():
            body, name = cte.this, cte.alias_or_name
            names = [column.name for column in cte.args["alias"].columns]
            if clause.args.get("recursive") and isinstance(body, exp.SetOperation):
                scope.ctes[name] = _renamed(self.query(body.this, scope), names)
                for _ in range(2):  # what the recursive arm makes nullable is so in its next round
                    scope.ctes[name] = _renamed(self.query(body, scope), names)
            else:
                scope.ctes[name] = _renamed(self.query(body, scope), names)

    def _select(self, node: exp.Select, scope: _Scope) -> list[Output]:
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

    def _limits(self, node: Any, scope: _Scope) -> None:
        for name in ("limit", "offset"):
            clause = node.args.get(name)
            limit = clause.args.get("expression") or clause.args.get("count") if clause is not None else None
            if limit is not None:
                self._meets(limit, Value(INT, None), name)
                self.value(limit, scope)

    def _insert(self, node: exp.Insert, scope: _Scope) -> list[Output]:
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
            scope.sources["excluded"] = _Source(source.columns)
            for each in conflict.expressions or ():
                self._assign(table.name, source, each.this.name, each.expression, scope)
                self._writes(table.name, [each.this.name])
            if conflict.args.get("where") is not None:
                self.value(conflict.args["where"].this, scope)
            del scope.sources["excluded"]
        return self._returning(node, scope)

    def _update(self, node: exp.Update, scope: _Scope) -> list[Output]:
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

    def _delete(self, node: exp.Delete, scope: _Scope) -> list[Output]:
        table = node.this
        scope.sources[table.alias_or_name] = self._table(table)
        self._writes(table.name, [])
        for each in node.args.get("using") or ():
            self._add(each, scope)
        self._where(node, scope)
        return self._returning(node, scope)

    def _where(self, node: Any, scope: _Scope) -> None:
        where = node.args.get("where")
        if where is not None:
            self.value(where.this, scope)

    def _returning(self, node: Any, scope: _Scope) -> list[Output]:
        clause = node.args.get("returning")
        return [o for each in clause.expressions for o in self._outputs(each, scope)] if clause else []

    # --- sources ---

    def _add(self, node: Any, scope: _Scope) -> list[_Source]:
        before = set(scope.sources)
        name = node.alias_or_name
        if isinstance(node, exp.Subquery):
            outputs = self.query(node.this, scope)
            names = [each.name for each in node.args["alias"].columns] if node.args.get("alias") else []
            scope.sources[name] = _Source(_columns(_renamed(outputs, names)))
        elif isinstance(node, exp.Lateral):
            inner = node.this
            if isinstance(inner, exp.Subquery):
                scope.sources[name] = _Source(_columns(self.query(inner, scope)))
            else:
                scope.sources[name] = self._function(inner, scope)
        elif isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            if node.name in scope.ctes and not node.db:
                scope.sources[name] = _Source(_columns(scope.ctes[node.name]))
            else:
                scope.sources[name] = self._table(node)
        elif isinstance(node, exp.Values):
            names = [each.name for each in node.args["alias"].columns] if node.args.get("alias") else []
            scope.sources[name] = _Source(_columns(_renamed(self.query(node, scope), names)))
        else:
            scope.sources[name] = self._function(node.this if isinstance(node, exp.Table) else node, scope)
        for join in node.args.get("joins") or () if isinstance(node, exp.Table) else ():
            self._add(join.this, scope)
        return [source for key, source in scope.sources.items() if key not in before]

    def _table(self, node: Any) -> _Source:
        table = self.catalog.get(node.name)
        if table is None:
            return _Source(None)
        self.read.setdefault(node.name, {})
        columns = {
            name: Value(column.kinds, column.nullable, frozenset({(node.name, name)})) for name, column in table.items()
        }
        return _Source(columns, table=node.name)

    def _function(self, node: Any, scope: _Scope) -> _Source:
        """``json_each(:ids)`` and its like: ``value`` is an item of the list parameter."""
        self._children(node, scope)
        argument = next(iter(node.expressions), None) if isinstance(node, exp.Func) else None
        if node.name.lower() != "json_each" or not isinstance(argument, exp.Placeholder):
            return _Source(None)
        parameter = self.parameters.get(argument.name)
        kinds = frozenset({parameter.type}) if parameter is not None and parameter.is_list else None
        return _Source({"value": Value(kinds, False if kinds else None)})

    # --- expressions ---

    def _outputs(self, node: Any, scope: _Scope, *, grouped: bool = False) -> Iterator[Output]:
        inner = node.unalias()
        if isinstance(inner, exp.Star) or (isinstance(inner, exp.Column) and isinstance(inner.this, exp.Star)):
            wanted = inner.table if isinstance(inner, exp.Column) else ""
            for alias, source in scope.sources.items():
                if not wanted or alias == wanted:
                    for name in source.columns or ():
                        yield Output(name, self._column(source, name), _offset(node))
            return
        yield Output(node.alias_or_name, self.value(inner, scope, grouped=grouped), _offset(node))

    def value(self, node: Any, scope: _Scope, *, grouped: bool = False) -> Value:
        """What is known of an expression; notes what it reads and which parameters meet columns."""
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
            return Value(BOOL, _any_null(self._children(node, scope)))
        return self._derived(node, scope, grouped)

    def _derived(self, node: Any, scope: _Scope, grouped: bool) -> Value:
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
            nullable = False if any(v.nullable is False for v in values) else _all_null(values)
            return Value(known[0].kinds if known else None, nullable)
        if isinstance(node, exp.Case):
            branches = [self.value(each.args["true"], scope) for each in node.args["ifs"]]
            default = node.args.get("default")
            branches.append(self.value(default, scope) if default is not None else Value(None, True))
            return _either(branches)
        if isinstance(node, exp.Cast):
            return Value(_CASTS.get(node.to.this.name), values[0].nullable if values else None)
        if isinstance(node, _STRICT_TEXT):
            return Value(TEXT, _any_null(values))
        if isinstance(node, exp.Length):
            return Value(INT, _any_null(values))
        if isinstance(node, _ARITHMETIC):
            kinds = {value.kinds for value in values}
            same = next(iter(kinds)) if len(kinds) == 1 else None
            return Value(same if same in (INT, FLOAT) else None, _any_null(values))
        if isinstance(node, exp.Neg):
            return values[0]
        if isinstance(node, exp.CurrentTimestamp):
            return Value(frozenset({"timestamp"}) if self.dialect == "postgres" else TEXT, False)
        return UNKNOWN

    def _comparison(self, node: Any, scope: _Scope) -> Value:
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
        return Value(BOOL, _any_null(values))

    def _membership(self, node: Any, scope: _Scope) -> Value:
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

    def _side(self, node: Any, scope: _Scope) -> Value:
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

    def _assign(self, table: str, source: _Source, column: str, value: Any, scope: _Scope) -> None:
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

    def _column(self, source: _Source, name: str) -> Value:
        value = source.column(name)
        for table, column in value.origins:
            self.read.setdefault(table, {})[column] = None
        return value

    def _writes(self, table: str, columns: Sequence[str]) -> None:
        written = self.written.setdefault(table, {})
        written.update(dict.fromkeys(columns))

    def _children(self, node: Any, scope: _Scope) -> list[Value]:
        return [self.value(child, scope) for child in node.iter_expressions()]

    def _narrow(self, condition: Any, scope: _Scope) -> None:
        """Notes the columns that can't be null where this condition is true."""
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
                            source.outer = False  # a row with a value in it is none of those filled up


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


def _united(left: list[Output], right: list[Output]) -> list[Output]:
    if len(left) != len(right):
        return left
    return [Output(a.name, _either([a.value, b.value]), a.offset) for a, b in zip(left, right, strict=True)]


def _renamed(outputs: list[Output], names: list[str]) -> list[Output]:
    if len(names) != len(outputs):
        return outputs
    return [Output(name, output.value, output.offset) for name, output in zip(names, outputs, strict=True)]


def _columns(outputs: list[Output]) -> dict[str, Value]:
    return {output.name: output.value for output in outputs}


def _either(values: list[Value]) -> Value:
    """One of several: of all their kinds, nullable if one of them is."""
    known = [value.kinds for value in values if value.kinds is not None]
    certain = all(value.kinds is not None or value.nullable is True for value in values)
    kinds = frozenset[str]().union(*known) if known and certain else None
    origins = (
        values[0].origins if values and all(value.origins == values[0].origins for value in values) else frozenset()
    )
    return Value(kinds, _any_null(values), origins)


def _any_null(values: list[Value]) -> bool | None:
    if any(value.nullable is True for value in values):
        return True
    return None if any(value.nullable is None for value in values) else False


def _all_null(values: list[Value]) -> bool | None:
    return True if all(value.nullable is True for value in values) else None


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
