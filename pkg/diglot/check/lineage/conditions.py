"""What a condition rules out: the columns that are not null where it is true, and where it is false."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from diglot.check.lineage.never_null import SQLITE
from diglot.check.lineage.values import Fact, Scope
from diglot.schema.functions import Functions

COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
MATCHES = (exp.Like, exp.ILike, exp.SimilarTo, exp.RegexpLike, exp.RegexpILike, exp.Glob)
_STRICT = (
    *(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.Cast, exp.Collate, exp.Paren, exp.AtTimeZone),
    *(exp.JSONExtract, exp.JSONExtractScalar),
)


class Conditions:
    """Names are looked up in a scope; ``functions`` says what is strict on PostgreSQL."""

    def __init__(self, scope: Scope, functions: Functions) -> None:
        self._scope = scope
        self._functions = functions

    def if_true(self, node: Any) -> set[Fact]:
        """The columns that are not null in the rows for which the condition is true."""
        node = node.unnest()
        if isinstance(node, exp.And):
            return self.if_true(node.this) | self.if_true(node.expression)
        if isinstance(node, exp.Or):
            return self.if_true(node.this) & self.if_true(node.expression)
        if isinstance(node, exp.Not):
            return self.if_false(node.this)
        if isinstance(node, exp.In | exp.Between):
            return self._of(node.this)
        if isinstance(node, exp.Is):
            wanted = exp.Null if node.args.get("negate") else exp.Boolean
            return self._of(node.this) if isinstance(node.expression, wanted) else set()
        return self._compared(node, when=True)

    def if_false(self, node: Any) -> set[Fact]:
        """The columns that are not null in the rows for which the condition is false, not null."""
        node = node.unnest()
        if isinstance(node, exp.And):
            return self.if_false(node.this) & self.if_false(node.expression)
        if isinstance(node, exp.Or):
            return self.if_false(node.this) | self.if_false(node.expression)
        if isinstance(node, exp.Not):
            return self.if_true(node.this)
        if isinstance(node, exp.Is):
            wanted = exp.Boolean if node.args.get("negate") else exp.Null
            return self._of(node.this) if isinstance(node.expression, wanted) else set()
        if isinstance(node, exp.Between):
            return self._of(node.this)
        if isinstance(node, exp.In):
            others = node.expressions
            is_list = bool(others) and not any(isinstance(each, exp.Query | exp.Values) for each in others)
            return self._of(node.this) if is_list and node.args.get("query") is None else set()
        return self._compared(node, when=False)

    def _compared(self, node: Any, *, when: bool) -> set[Fact]:
        if isinstance(node, exp.Column):
            return self._of(node)
        if isinstance(node, exp.Escape):
            return self._compared(node.this, when=when)
        if not isinstance(node, COMPARISONS + MATCHES):
            return set()
        left, right = node.this.unnest(), node.expression.unnest()
        if isinstance(right, exp.All) or (isinstance(right, exp.Any) and not when):
            return set()  # over no rows it is true, or false, of null too
        if isinstance(left, exp.Tuple) and isinstance(right, exp.Tuple):
            return self._rows(node, left.expressions, right.expressions, when=when)
        return self._of(left) | self._of(right)

    def _rows(self, node: Any, left: list[Any], right: list[Any], *, when: bool) -> set[Fact]:
        """Of two rows, the first columns decide if they differ; the others may then be null."""
        if isinstance(node, exp.EQ) and when:
            return {fact for each in (*left, *right) for fact in self._of(each)}
        if isinstance(node, exp.EQ | exp.NEQ):
            return set()
        return self._of(left[0]) | self._of(right[0])

    def _of(self, node: Any) -> set[Fact]:
        """The columns of which an expression is null if one of them is."""
        if isinstance(node, exp.Tuple):
            return set()
        if isinstance(node, exp.Column):
            found = self._scope.find(node.name, node.table)
            return {found} if isinstance(found, tuple) else set()
        if isinstance(node, _STRICT):
            parts = [node.this, node.args.get("expression")]
            return {fact for part in parts if isinstance(part, exp.Expr) for fact in self._of(part)}
        if isinstance(node, exp.Anonymous):
            return {fact for part in node.expressions for fact in self._of(part)} if self._is_strict(node) else set()
        return set()

    def _is_strict(self, node: Any) -> bool:
        """Whether the engine, or for SQLite our own list, says that a function is null if an argument is."""
        known = self._functions.find(node.name, len(node.expressions))
        listed = SQLITE.get(node.name, ("", None))[0] == "strict"
        return bool(known) and all(
            each.kind == "plain" and (each.strict or (each.strict is None and each.builtin and listed))
            for each in known
        )
