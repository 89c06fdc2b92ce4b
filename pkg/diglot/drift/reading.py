"""What every part of the reader knows: the columns that an expression refers to, and the kinds of its values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import msgspec
from sqlglot import exp

from diglot.drift.types import Kind
from diglot.drift.values import Form, as_kind
from diglot.sql.session import Dialect


class Scope(msgspec.Struct, frozen=True):
    """The classes of the columns that an expression refers to, by their names in lower case.

    ``typed``: the columns are SQLite's and have a PostgreSQL type on the other side, so a date in a text is a date.
    ``reals``: SQLite's columns of REAL affinity, in which every number is stored with a fraction.
    """

    dialect: Dialect
    kinds: Mapping[str, Kind] = {}
    not_null: frozenset[str] = frozenset()
    typed: bool = False
    reals: frozenset[str] = frozenset()


class Reading:
    """The ground of the reader: ``form`` is defined on top, where all of its parts are together."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._sqlite = scope.dialect == "sqlite"

    def form(self, node: Any) -> Form:
        raise NotImplementedError

    def compare(self, operator: str, left: Form, right: Form) -> Form:
        raise NotImplementedError

    def condition(self, node: Any) -> Form:
        raise NotImplementedError

    def counted(self, of: Form) -> Form:
        raise NotImplementedError

    def generic(self, node: Any) -> Form:
        """Any other construct: its name and its parts."""
        if not isinstance(node, exp.Expression):
            return ("word", str(node).lower())
        parts: list[Form] = []
        for name, value in sorted(node.args.items()):
            if name in ("_type", "safe", "negate") or value is None or value is False or value == []:
                continue
            parts.extend(map(self.form, value if isinstance(value, list) else [value]))
        return (node.key, *parts)

    def as_kind(self, of: Form, kind: Kind) -> Form:
        """A literal as this dialect reads it beside values of this kind."""
        return as_kind(of, kind, self._scope.dialect)

    def kind(self, of: Form) -> Kind:
        """The kind of value of a form."""
        if of[0] == "column":
            return self._scope.kinds.get(of[1], "other")
        if of[0] == "cast":
            return of[1] if of[1] in _KINDS else "other"
        if of[0] in ("coalesce", "nullif"):
            return next((found for found in map(self.kind, of[1:]) if found != "other"), "other")
        if of[0] in _ARITHMETIC:
            if of[1] in ("real", "either"):
                return "number"
            parts = of[1] if of[0] in ("add", "mul") else of[-2:]
            return "integer" if all(each[0] == "number" or self.kind(each) == "integer" for each in parts) else "number"
        return _RESULTS.get(of[0], "other")


_ARITHMETIC = frozenset(("add", "mul", "sub", "div", "mod"))
_KINDS = frozenset(get_args(Kind))
_RESULTS: dict[str, Kind] = {
    **dict.fromkeys(("length", "octet_length", "json_array_length", "strposition"), "integer"),
    **dict.fromkeys(("lower", "upper", "trim", "ltrim", "rtrim", "substring", "replace", "left", "right"), "text"),
    **dict.fromkeys(("dpipe", "json text", "text"), "text"),
    "date": "date",
}
