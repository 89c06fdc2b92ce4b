"""The part of the reader that reads what is true or false: comparisons, IN, BETWEEN, connectors, patterns."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlglot import exp

from diglot.drift.patterns import from_glob, from_like, from_regex
from diglot.drift.reading import Reading
from diglot.drift.values import LITERALS, NULL, Form, is_scalar, joined, number_form, whole


class Predicates(Reading):
    """Comparisons with the literal on the right, ``not`` at the leaves, one form for all patterns."""

    def condition(self, node: Any) -> Form:
        found = self.form(node)
        if found[0] == "column" and self.kind(found) in ("boolean", "integer"):
            return ("=", found, number_form(1)) if self.kind(found) == "boolean" else ("<>", found, number_form(0))
        return found

    def compare(self, operator: str, left: Form, right: Form) -> Form:
        left, right = self.counted(left), self.counted(right)
        if (left[0] in LITERALS, repr(left)) > (right[0] in LITERALS, repr(right)):
            operator, left, right = _MIRRORED[operator], right, left
        of = self.kind(left)
        if of == "enum" and operator in _BY_ORDER and not self._sqlite:
            operator = f"{operator} by the order of labels"
        right = self._compared(left, self.as_kind(right, of))
        if right[0] == "number" and left[0] == "json_valid" and operator in ("=", "<>"):
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

    def _compared(self, left: Form, right: Form) -> Form:
        """SQLite's ``->>`` gives numbers and booleans as numbers, which are equal to no text."""
        if self._sqlite and left[0] == "json text" and right[0] == "text":
            return ("no number", right[1]) if is_scalar(right[1]) else right
        return right

    def read_comparison(self, node: exp.Binary) -> Form:
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

    def read_is(self, node: exp.Binary) -> Form:
        left, right = self.form(node.this), self.form(node.expression)
        negated = isinstance(node, exp.NullSafeNEQ)
        if right == NULL or left == NULL:
            found: Form = ("is null", left if right == NULL else right)
        elif left[0] == "column" and left[1] in self._scope.not_null and right[0] in LITERALS:
            found = self.compare("=", left, right)
        else:
            found = ("is", *sorted((left, self.as_kind(right, self.kind(left))), key=repr))
        return self.negated(found) if negated else found

    def read_in(self, node: exp.In) -> Form:
        if not node.expressions:
            return self.generic(node)
        subject = self.form(node.this)
        return joined("or", [self.compare("=", subject, self.form(each)) for each in node.expressions])

    def read_between(self, node: exp.Between) -> Form:
        subject = self.form(node.this)
        low = self.compare(">=", subject, self.form(node.args["low"]))
        return joined("and", [low, self.compare("<=", subject, self.form(node.args["high"]))])

    def read_connector(self, node: exp.Connector) -> Form:
        word = "and" if isinstance(node, exp.And) else "or"
        return joined(word, [self.condition(node.this), self.condition(node.expression)])

    def read_not(self, node: exp.Not) -> Form:
        return self.negated(self.condition(node.this))

    def negated(self, of: Form) -> Form:
        """``not`` at the leaves; these are equivalent in three-valued logic too."""
        if of[0] in ("and", "or"):
            return joined("or" if of[0] == "and" else "and", [self.negated(each) for each in of[1]])
        if of[0] == "not":
            return tuple(of[1])
        if of[0] in _NEGATED:
            return self.compare(_NEGATED[of[0]], of[1], of[2])
        if of[0] == "in":
            return joined("and", [self.compare("<>", of[1], value) for value in of[2]])
        return ("not", of)

    # --- patterns ------------------------------------------------------------------------------------------

    def read_pattern(self, node: exp.Expression) -> Form:
        escape, negated = None, False
        if isinstance(node, exp.Escape):  # sqlglot marks the LIKE in it as negated, not the whole
            escape, node = self.form(node.expression)[1], node.this
            negated = bool(node.args.get("negate"))
        subject, pattern = self.form(node.this), self.form(node.expression)
        if pattern[0] == "like_escape":  # as PostgreSQL writes ESCAPE
            pattern, escape = pattern[1], pattern[2][1]
        if pattern[0] != "text":
            return self.generic(node)
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
        return self.negated(of) if negated else of


_MIRRORED = {"=": "=", "<>": "<>", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_BY_ORDER = ("<", "<=", ">", ">=")
_NEGATED = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_OPERATORS: dict[type, str] = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
