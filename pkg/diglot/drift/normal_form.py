"""From sqlglot's tree to a form, a nested tuple in which spellings that mean the same are the same.

Parentheses and casts that change nothing are removed, ``= any (array[…])`` and a chain of ``or`` are ``in``,
``between`` is two comparisons, ``not`` is moved to the leaves, and operands whose order does not matter are sorted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from sqlglot import exp

from diglot.drift.patterns import from_glob, from_like, from_regex
from diglot.drift.types import Kind
from diglot.drift.values import (
    LITERALS,
    NOW,
    NOW_TIME,
    NULL,
    TODAY,
    Form,
    array_literal,
    as_kind,
    joined,
    number_form,
    whole,
)
from diglot.sql.session import Dialect


class Scope(msgspec.Struct, frozen=True):
    """The classes of the columns that an expression refers to, by their names in lower case."""

    dialect: Dialect
    kinds: Mapping[str, Kind] = {}
    not_null: frozenset[str] = frozenset()


class Reader:
    """From sqlglot's tree to a form. One method for each construct; any other becomes its name and its parts."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._sqlite = scope.dialect == "sqlite"

    def form(self, node: Any) -> Form:
        read = next((_READERS[of] for of in type(node).__mro__ if of in _READERS), Reader._generic)
        found = read(self, node)
        # In some dialects sqlglot marks some constructs as negated instead of wrapping them in NOT.
        return self._negated(found) if isinstance(node, exp.Expression) and node.args.get("negate") else found

    def condition(self, node: Any) -> Form:
        found = self.form(node)
        if found[0] == "column" and self.kind(found) in ("boolean", "integer"):
            return ("=", found, number_form(1)) if self.kind(found) == "boolean" else ("<>", found, number_form(0))
        return found

    def kind(self, of: Form) -> Kind:
        """The kind of value of a form."""
        if of[0] == "column":
            return self._scope.kinds.get(of[1], "other")
        return _RESULTS.get(of[0], "other")

    # --- comparisons ---------------------------------------------------------------------------------------

    def compare(self, operator: str, left: Form, right: Form) -> Form:
        left, right = self._counted(left), self._counted(right)
        if (left[0] in LITERALS, repr(left)) > (right[0] in LITERALS, repr(right)):
            operator, left, right = _MIRRORED[operator], right, left
        of = self.kind(left)
        right = as_kind(right, of)
        if right[0] == "number" and left[0] in ("json_valid",) and operator in ("=", "<>"):
            return left if (right == number_form(1)) == (operator == "=") else ("not", left)
        if left[0] == "json_type" and right == ("text", "text") and self._sqlite:
            right = ("text", "string")
        if of == "boolean" and right[0] == "number" and operator == "<>":
            operator, right = "=", number_form(1 - int(Decimal(right[1])))
        if of == "text" and operator == "<>" and right == ("text", ""):
            operator, left, right, of = ">=", ("length", left), number_form(1), "integer"
        if of == "integer" and right[0] == "number":
            operator, right = whole(operator, Decimal(right[1]))
            if left[0] == "length" and operator == "<>" and right == number_form(0):
                operator, right = ">=", number_form(1)
        return (operator, left, right)

    def _counted(self, of: Form) -> Form:
        """PostgreSQL writes ``(quantity)::numeric > 0.5``; the whole number serves to compare, add and multiply."""
        return tuple(of[2]) if of[:2] == ("cast", "number") and self.kind(of[2]) == "integer" else of

    def _comparison(self, node: exp.Binary) -> Form:
        operator = _OPERATORS[type(node)]
        right: Any = node.expression
        everything = isinstance(right, exp.Anonymous) and right.name.upper() == "ALL"
        if isinstance(right, exp.Any) or everything:
            array = self.form(right.expressions[0] if everything else right.this)
            if array[0] == "array" and (operator, everything) in (("=", False), ("<>", True)):
                forms = [self.compare(operator, self.form(node.this), item) for item in array[1]]
                return joined("and" if everything else "or", forms)
            return ("all" if everything else "any", operator, self.form(node.this), array)
        return self.compare(operator, self.form(node.this), self.form(right))

    def _is(self, node: exp.Binary) -> Form:
        left, right = self.form(node.this), self.form(node.expression)
        negated = isinstance(node, exp.NullSafeNEQ)
        if right == NULL or left == NULL:
            found: Form = ("is null", left if right == NULL else right)
        elif left[0] == "column" and left[1] in self._scope.not_null and right[0] in LITERALS:
            found = self.compare("=", left, right)
        else:
            found = ("is", *sorted((left, as_kind(right, self.kind(left))), key=repr))
        return self._negated(found) if negated else found

    def _in(self, node: exp.In) -> Form:
        if not node.expressions:
            return self._generic(node)
        subject = self.form(node.this)
        return joined("or", [self.compare("=", subject, self.form(each)) for each in node.expressions])

    def _between(self, node: exp.Between) -> Form:
        subject = self.form(node.this)
        low = self.compare(">=", subject, self.form(node.args["low"]))
        return joined("and", [low, self.compare("<=", subject, self.form(node.args["high"]))])

    def _connector(self, node: exp.Connector) -> Form:
        word = "and" if isinstance(node, exp.And) else "or"
        return joined(word, [self.condition(node.this), self.condition(node.expression)])

    def _not(self, node: exp.Not) -> Form:
        return self._negated(self.condition(node.this))

    def _negated(self, of: Form) -> Form:
        """``not`` at the leaves; these are equivalent in three-valued logic too."""
        if of[0] in ("and", "or"):
            return joined("or" if of[0] == "and" else "and", [self._negated(each) for each in of[1]])
        if of[0] == "not":
            return tuple(of[1])
        if of[0] in _NEGATED:
            return self.compare(_NEGATED[of[0]], of[1], of[2])
        if of[0] == "in":
            return joined("and", [self.compare("<>", of[1], value) for value in of[2]])
        return ("not", of)

    # --- patterns ------------------------------------------------------------------------------------------

    def _pattern(self, node: exp.Expression) -> Form:
        escape = None
        if isinstance(node, exp.Escape):
            escape, node = self.form(node.expression)[1], node.this
        subject, pattern = self.form(node.this), self.form(node.expression)
        if pattern[0] != "text":
            return self._generic(node)
        text: str = pattern[1]
        folded = isinstance(node, exp.ILike | exp.RegexpILike) or (self._sqlite and type(node) is exp.Like)
        if isinstance(node, exp.RegexpLike | exp.RegexpILike):
            found = from_regex(text)
        elif isinstance(node, exp.Glob):
            found = from_glob(text)
        else:
            found = from_like(text, escape if escape is not None else (None if self._sqlite else "\\"))
        if folded and found == found.swapcase():
            folded = False
        of: Form = ("matches", subject, found.lower() if folded else found, "any case" if folded else "")
        return of

    # --- values --------------------------------------------------------------------------------------------

    def _column(self, node: exp.Column) -> Form:
        name = node.name.lower() if self._sqlite or not node.this.quoted else node.name
        name = name.lower()
        if self._sqlite and node.this.quoted and self._scope.kinds and name not in self._scope.kinds:
            return ("text", node.name)  # SQLite reads "a word" that is not a column as a string
        return ("column", name)

    def _word(self, node: exp.Expression) -> Form:
        return ("word", node.name.lower())

    def _inner(self, node: exp.Expression) -> Form:
        return self.form(node.this)

    def _constant(self, node: exp.Expression) -> Form:
        return _CONSTANTS[type(node)]

    def _escaped(self, node: exp.ByteString) -> Form:
        return ("text", node.this.encode().decode("unicode_escape"))

    def _boolean(self, node: exp.Boolean) -> Form:
        return number_form(int(node.this))

    def _blob(self, node: exp.HexString) -> Form:
        return ("blob", node.this.lower())

    def _literal(self, node: exp.Literal) -> Form:
        return ("text", node.this) if node.is_string else number_form(node.this)

    def _negative(self, node: exp.Neg) -> Form:
        inner = self.form(node.this)
        return number_form(-Decimal(inner[1])) if inner[0] == "number" else ("-", inner)

    def _array(self, node: exp.Array) -> Form:
        return ("array", tuple(self.form(each) for each in node.expressions))

    def _cast(self, node: exp.Cast) -> Form:
        inner, target = self.form(node.this), node.to
        if not isinstance(target, exp.DataType) or target.this == exp.DataType.Type.USERDEFINED:
            return inner
        if target.this == exp.DataType.Type.ARRAY:
            return array_literal(inner[1]) if inner[0] == "text" else inner
        written = getattr(target.this, "name", str(target.this))  # sqlglot has no type for regclass and its like
        name = _CASTS.get(written, "")
        if not name:
            return inner if inner[0] in LITERALS else ("cast", written.lower(), inner)
        if inner in (NOW, TODAY, ("text", "now")):
            return {"date": TODAY, "time": NOW, "time of day": NOW_TIME}.get(name, inner)
        if inner[0] in LITERALS:
            return as_kind(inner, name)  # type: ignore[arg-type]
        of = self.kind(inner)
        if name == of or (name, of) in _NO_OPS or inner[0] == "array":
            return inner
        return ("cast", name, inner)

    def _json_path(self, node: exp.Expression) -> Form:
        word = "json text" if isinstance(node, exp.JSONExtractScalar) else "json"
        subject, path = self.form(node.this), node.args.get("expression")
        if isinstance(path, exp.JSONPath):
            keys = [("text", str(part.this)) for part in path.expressions if isinstance(part, exp.JSONPathKey)]
            keys += [number_form(part.this) for part in path.expressions if isinstance(part, exp.JSONPathSubscript)]
        else:
            keys = [self.form(path)]
        if subject[0] == "json":
            return (word, subject[1], (*subject[2], *keys))
        return (word, subject, tuple(keys))

    # --- functions -----------------------------------------------------------------------------------------

    def _call(self, node: exp.Anonymous) -> Form:
        name = str(node.this).lower()
        arguments = [self.form(each) for each in node.expressions]
        return self._named(_FUNCTIONS.get(name, name), arguments)

    def _named(self, name: str, arguments: list[Form]) -> Form:
        if name == "octet_length" and arguments and self.kind(arguments[0]) == "blob":
            name = "length"
        if name == "timezone" and arguments[:1] and str(arguments[0][-1]).upper() == "UTC" and arguments[1:] == [NOW]:
            return ("now", "utc")
        return (name, *arguments)

    def _qualified(self, node: exp.Dot) -> Form:
        return self.form(node.expression)

    def _json_type_of(self, node: exp.JSONType) -> Form:
        return ("json_type", self.form(node.this))

    def _lower_hex(self, node: exp.LowerHex) -> Form:
        return ("lower", ("hex", self.form(node.this)))

    def _length(self, node: exp.Length) -> Form:
        return ("length", self.form(node.this))

    def _at_time_zone(self, node: exp.AtTimeZone) -> Form:
        return self._named("timezone", [self.form(node.args["zone"]), self.form(node.this)])

    def _strftime(self, node: exp.TimeToStr) -> Form:
        inner = node.this.this if isinstance(node.this, exp.TsOrDsToTimestamp) else node.this
        return ("strftime", self.form(node.args["format"]), self.form(inner))

    def _case(self, node: exp.Expression) -> Form:
        if isinstance(node, exp.If):
            branches, default = [node], node.args.get("false")
        else:
            branches, default = node.args["ifs"], node.args.get("default")
        subject = node.args.get("this") if isinstance(node, exp.Case) else None
        pairs = []
        for branch in branches:
            when = self.condition(branch.this)
            if subject is not None:
                when = self.compare("=", self.form(subject), self.form(branch.this))
            pairs.append(("when", when, self.form(branch.args["true"])))
        return ("case", tuple(pairs), self.form(default) if default is not None else NULL)

    def _commutative(self, node: exp.Binary) -> Form:
        parts: list[Form] = []
        for each in (self._counted(self.form(node.this)), self._counted(self.form(node.expression))):
            parts.extend(each[1] if each[0] == node.key else [each])
        return (node.key, tuple(sorted(parts, key=repr)))

    def _collate(self, node: exp.Collate) -> Form:
        name = node.expression.name.lower()
        inner = self.form(node.this)
        return inner if name in BINARY_COLLATIONS else ("collate", name, inner)

    def _generic(self, node: Any) -> Form:
        if not isinstance(node, exp.Expression):
            return ("word", str(node).lower())
        parts: list[Form] = []
        for name, value in sorted(node.args.items()):
            if name in ("_type", "safe", "negate") or value is None or value is False or value == []:
                continue
            parts.extend(map(self.form, value if isinstance(value, list) else [value]))
        return (node.key, *parts)


BINARY_COLLATIONS = ("c", "posix", "c.utf-8", "c.utf8", "ucs_basic", "pg_c_utf8", "binary")
"""Collations that sort by bytes, in lower case."""


_MIRRORED = {"=": "=", "<>": "<>", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_NEGATED = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_OPERATORS: dict[type, str] = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
_RESULTS: dict[str, Kind] = {
    "length": "integer",
    "octet_length": "integer",
    "json_array_length": "integer",
    "mod": "integer",
    **dict.fromkeys(("lower", "upper", "trim", "substring", "replace", "dpipe", "json text", "text", "left"), "text"),
}
_CASTS = {
    **dict.fromkeys(("TEXT", "VARCHAR", "CHAR", "BPCHAR", "NAME", "NVARCHAR", "NCHAR"), "text"),
    **dict.fromkeys(("INT", "BIGINT", "SMALLINT", "TINYINT"), "integer"),
    **dict.fromkeys(("DECIMAL", "DOUBLE", "FLOAT"), "number"),
    **dict.fromkeys(("TIMESTAMPTZ", "TIMESTAMP", "DATETIME"), "time"),
    **dict.fromkeys(("JSON", "JSONB"), "json"),
    **dict.fromkeys(("VARBINARY", "BINARY", "BLOB"), "blob"),
    "TIME": "time of day",
    "TIMETZ": "time of day",
    "DATE": "date",
    "BOOLEAN": "boolean",
    "UUID": "uuid",
}
_NO_OPS = {
    ("text", "enum"),
    ("text", "uuid"),
    ("json", "array"),
}
_FUNCTIONS = {
    "char_length": "length",
    "character_length": "length",
    "jsonb_typeof": "json_type",
    "json_typeof": "json_type",
    "jsonb_array_length": "json_array_length",
    "transaction_timestamp": "now",
    "statement_timestamp": "now",
    "uuid_generate_v4": "gen_random_uuid",
    "uuidv4": "gen_random_uuid",
    "btrim": "trim",
    "printf": "format",
}
_CONSTANTS: dict[type, Form] = {
    exp.Null: NULL,
    exp.CurrentTimestamp: NOW,
    exp.CurrentDate: TODAY,
    exp.CurrentTime: NOW_TIME,
    exp.Uuid: ("gen_random_uuid",),
}
_READERS: dict[type, Callable[[Reader, Any], Form]] = {
    exp.Paren: Reader._inner,
    exp.Column: Reader._column,
    exp.Identifier: Reader._word,
    exp.Var: Reader._word,
    exp.Literal: Reader._literal,
    exp.ByteString: Reader._escaped,
    exp.Boolean: Reader._boolean,
    exp.Null: Reader._constant,
    exp.HexString: Reader._blob,
    exp.Neg: Reader._negative,
    exp.Array: Reader._array,
    exp.Cast: Reader._cast,
    exp.And: Reader._connector,
    exp.Or: Reader._connector,
    exp.Not: Reader._not,
    exp.EQ: Reader._comparison,
    exp.NEQ: Reader._comparison,
    exp.LT: Reader._comparison,
    exp.LTE: Reader._comparison,
    exp.GT: Reader._comparison,
    exp.GTE: Reader._comparison,
    exp.Is: Reader._is,
    exp.NullSafeEQ: Reader._is,
    exp.NullSafeNEQ: Reader._is,
    exp.In: Reader._in,
    exp.Between: Reader._between,
    exp.Like: Reader._pattern,
    exp.ILike: Reader._pattern,
    exp.Escape: Reader._pattern,
    exp.Glob: Reader._pattern,
    exp.RegexpLike: Reader._pattern,
    exp.RegexpILike: Reader._pattern,
    exp.Length: Reader._length,
    exp.JSONType: Reader._json_type_of,
    exp.JSONExtract: Reader._json_path,
    exp.JSONExtractScalar: Reader._json_path,
    exp.Anonymous: Reader._call,
    exp.Dot: Reader._qualified,
    exp.AtTimeZone: Reader._at_time_zone,
    exp.CurrentTimestamp: Reader._constant,
    exp.CurrentDate: Reader._constant,
    exp.CurrentTime: Reader._constant,
    exp.Uuid: Reader._constant,
    exp.TimeToStr: Reader._strftime,
    exp.If: Reader._case,
    exp.Case: Reader._case,
    exp.Add: Reader._commutative,
    exp.Mul: Reader._commutative,
    exp.Collate: Reader._collate,
    exp.LowerHex: Reader._lower_hex,
}
