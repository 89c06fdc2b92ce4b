"""The part of the reader that reads values: columns, literals, casts, arithmetic, function calls."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from sqlglot import exp

from diglot.drift.json_paths import JsonPaths
from diglot.drift.values import LITERALS, NOW, NOW_TIME, NULL, TODAY, Form, array_literal, number_form

Precision = Literal["whole", "real", "either"]
"""Whether a division cuts off the fraction: ``either`` if that depends on the stored value, as in a NUMERIC column."""


class Operands(JsonPaths):
    """Values. A call that both engines have under two names gets one."""

    def read_column(self, node: exp.Column) -> Form:
        name = node.name.lower()
        if self._sqlite and node.this.quoted and self._scope.kinds and name not in self._scope.kinds:
            return ("text", node.name)  # SQLite reads "a word" that is not a column as a string
        return ("column", name)

    def read_word(self, node: exp.Expression) -> Form:
        return ("word", node.name.lower())

    def read_inner(self, node: exp.Expression) -> Form:
        return self.form(node.this)

    def read_constant(self, node: exp.Expression) -> Form:
        return _CONSTANTS[type(node)]

    def read_escaped(self, node: exp.ByteString) -> Form:
        return ("text", node.this.encode().decode("unicode_escape"))

    def read_boolean(self, node: exp.Boolean) -> Form:
        return number_form(int(node.this))

    def read_blob(self, node: exp.HexString) -> Form:
        return ("blob", node.this.lower())

    def read_literal(self, node: exp.Literal) -> Form:
        return ("text", node.this) if node.is_string else number_form(node.this)

    def read_array(self, node: exp.Array) -> Form:
        return ("array", tuple(self.form(each) for each in node.expressions))

    def read_cast(self, node: exp.Cast) -> Form:
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
        of = self.kind(inner)
        if inner[0] in LITERALS:
            found = self.as_kind(inner, name)  # type: ignore[arg-type]
            # SQLite makes a number of any text: cast('12abc' as integer) is 12.
            number_of_text = self._sqlite and name in ("integer", "number") and found[0] == "text"
            return ("cast", name, inner) if number_of_text else found
        if name == of or (name, of) in _NO_OPS or inner[0] == "array":
            return inner
        if self._sqlite and (of, name) == ("number", "integer"):
            inner = ("trunc", inner)  # PostgreSQL rounds
        if name == "integer" and inner[0] == "strftime" and inner[1] in _PARTS and self._is_day(inner[2]):
            return ("extract", inner[2], _PARTS[inner[1]])
        return ("cast", name, inner)

    # --- arithmetic ----------------------------------------------------------------------------------------

    def read_negative(self, node: exp.Neg) -> Form:
        inner = self.form(node.this)
        return number_form(-Decimal(inner[1])) if inner[0] == "number" else ("-", inner)

    def read_commutative(self, node: exp.Binary) -> Form:
        parts: list[Form] = []
        for each in (self.counted(self.form(node.this)), self.counted(self.form(node.expression))):
            parts.extend(each[1] if each[0] == node.key else [each])
        return (node.key, tuple(sorted(parts, key=repr)))

    def read_ordered(self, node: exp.Binary) -> Form:
        return (node.key, self.counted(self.form(node.this)), self.counted(self.form(node.expression)))

    def read_division(self, node: exp.Binary) -> Form:
        """``/`` and ``%``, with whether the fraction is cut off."""
        precision, parts = self._precision(node), (self.form(node.this), self.form(node.expression))
        return (node.key, precision, *(map(self.counted, parts) if precision == "real" else parts))

    def counted(self, of: Form) -> Form:
        """PostgreSQL writes ``(quantity)::numeric > 0.5``; the whole number serves to compare, add and multiply."""
        return tuple(of[2]) if of[:2] == ("cast", "number") and self.kind(of[2]) == "integer" else of

    def _precision(self, node: Any) -> Precision:
        if isinstance(node, exp.Paren | exp.Neg):
            return self._precision(node.this)
        if isinstance(node, exp.Literal):
            return "whole" if not node.is_string and node.this.isdigit() else "real"
        if isinstance(node, exp.Binary):
            parts = {self._precision(node.this), self._precision(node.expression)}
            return "real" if "real" in parts else "either" if "either" in parts else "whole"
        found = self.form(node)
        if found[0] == "column" and found[1] in self._scope.reals:
            return "real"
        kind = self.kind(found)
        if kind == "number":
            return "either" if self._sqlite and found[0] == "column" else "real"
        return "whole" if kind in ("integer", "boolean") else "either"

    # --- functions -----------------------------------------------------------------------------------------

    def read_call(self, node: exp.Anonymous) -> Form:
        name = str(node.this).lower()
        arguments = [self.form(each) for each in node.expressions]
        found = self.read_json_call(name, arguments)
        return self._named(_FUNCTIONS.get(name, name), arguments) if found is None else found

    def _named(self, name: str, arguments: list[Form]) -> Form:
        if name == "octet_length" and arguments and self.kind(arguments[0]) == "blob":
            name = "length"
        if name == "timezone" and arguments[:1] and str(arguments[0][-1]).upper() == "UTC" and arguments[1:] == [NOW]:
            return ("now", "utc")
        if name == "json_valid" and len(arguments) == 2 and _is_strict(arguments[1]):
            arguments = arguments[:1]
        return (name, *arguments)

    def read_trim(self, node: exp.Trim) -> Form:
        """PostgreSQL writes ``trim(x)`` as ``TRIM(BOTH FROM x)``; both engines remove spaces by default."""
        name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(str(node.args.get("position") or "").upper(), "trim")
        characters = self.form(node.expression) if node.expression else ("text", " ")
        return (name, self.form(node.this), *([] if characters == ("text", " ") else [characters]))

    def read_coalesce(self, node: exp.Coalesce) -> Form:
        forms = [self.form(each) for each in (node.this, *node.expressions)]
        kind = self.kind(("coalesce", *forms))
        return ("coalesce", *(self.as_kind(each, kind) for each in forms))

    def read_nullif(self, node: exp.Nullif) -> Form:
        subject = self.form(node.this)
        return ("nullif", subject, self.as_kind(self.form(node.expression), self.kind(subject)))

    def read_substring(self, node: exp.Substring) -> Form:
        """From the end of the text, or before its beginning, each engine counts in its own way."""
        parts = [self.form(each) for each in (node.this, node.args.get("start"), node.args.get("length")) if each]
        start = parts[1] if node.args.get("start") else number_form(1)
        forward = start[0] == "number" and Decimal(start[1]) > 0
        return ("substring" if forward or not self._sqlite else "substring of SQLite", *parts)

    def read_replace(self, node: exp.Replace) -> Form:
        return ("replace", self.form(node.this), self.form(node.expression), self.form(node.args["replacement"]))

    def read_date(self, node: exp.Expression) -> Form:
        if node.args.get("this") is None or node.expressions or node.args.get("zone"):
            return self.generic(node)
        return self._day(("date", self.form(node.this)))

    def _is_day(self, of: Form) -> bool:
        return self.kind(of) == "date" and self._scope.typed

    def _day(self, of: Form) -> Form:
        """``date(x)`` of a date is the date itself, of a time its day: always on PostgreSQL, and on SQLite if the text
        is one for sure."""
        kind = self.kind(of[1])
        if not (self._scope.typed or not self._sqlite):
            return of
        return tuple(of[1]) if kind == "date" else ("cast", "date", of[1]) if kind == "time" else of

    def read_strftime(self, node: exp.TimeToStr) -> Form:
        inner = node.this.this if isinstance(node.this, exp.TsOrDsToTimestamp) else node.this
        pattern, subject = self.form(node.args["format"]), self.form(inner)
        if pattern in (("text", "%Y-%m-%d"), ("text", "%F")) and self._day(("date", subject)) != ("date", subject):
            return self._day(("date", subject))
        return ("strftime", pattern, subject)

    def read_qualified(self, node: exp.Dot) -> Form:
        return self.form(node.expression)

    def read_lower_hex(self, node: exp.LowerHex) -> Form:
        return ("lower", ("hex", self.form(node.this)))

    def read_length(self, node: exp.Length) -> Form:
        inner = self.form(node.this)
        return ("octet_length", inner[2]) if inner[:2] == ("cast", "blob") else ("length", inner)

    def read_at_time_zone(self, node: exp.AtTimeZone) -> Form:
        return self._named("timezone", [self.form(node.args["zone"]), self.form(node.this)])

    def read_concatenation(self, node: exp.DPipe) -> Form:
        parts: list[Form] = []
        for each in (self.form(node.this), self.form(node.expression)):
            parts.extend(each[1:] if each[0] == "dpipe" else [each])
        return ("dpipe", *parts)

    def read_case(self, node: exp.Expression) -> Form:
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

    def read_collate(self, node: exp.Collate) -> Form:
        name = node.expression.name.lower()
        inner = self.form(node.this)
        return inner if name in BINARY_COLLATIONS else ("collate", name, inner)


def _is_strict(flags: Form) -> bool:
    """Flags of json_valid that take RFC 8259 text (1) or well-formed JSONB (8), but neither JSON5 (2) nor what only
    looks like JSONB (4)."""
    return flags[0] == "number" and flags[1] in ("1", "8", "9")


BINARY_COLLATIONS = ("c", "posix", "c.utf-8", "c.utf8", "ucs_basic", "pg_c_utf8", "binary")
"""Collations that sort by bytes, in lower case."""
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
    "jsonb_array_length": "json_array_length",
    "transaction_timestamp": "now",
    "statement_timestamp": "now",
    "uuid_generate_v4": "gen_random_uuid",
    "uuidv4": "gen_random_uuid",
    "printf": "format",
}
_PARTS: dict[Form, Form] = {
    ("text", "%Y"): ("word", "year"),
    ("text", "%m"): ("word", "month"),
    ("text", "%d"): ("word", "day"),
}
_CONSTANTS: dict[type, Form] = {
    exp.Null: NULL,
    exp.CurrentTimestamp: NOW,
    exp.CurrentDate: TODAY,
    exp.CurrentTime: NOW_TIME,
    exp.Uuid: ("gen_random_uuid",),
}
