"""From sqlglot's tree to a form, a nested tuple in which spellings that mean the same are the same.

Parentheses and casts that change nothing are removed, ``= any (array[…])`` and a chain of ``or`` are ``in``,
``between`` is two comparisons, ``not`` is moved to the leaves, and operands whose order does not matter are sorted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from diglot.drift.operands import Operands
from diglot.drift.predicates import Predicates
from diglot.drift.values import Form


class Reader(Predicates, Operands):
    """From sqlglot's tree to a form. One method for each construct; any other becomes its name and its parts."""

    def form(self, node: Any) -> Form:
        read = next((_READERS[of] for of in type(node).__mro__ if of in _READERS), Reader.generic)
        found = read(self, node)
        # In some dialects sqlglot marks some constructs as negated instead of wrapping them in NOT.
        return self.negated(found) if isinstance(node, exp.Expression) and node.args.get("negate") else found


_READERS: dict[type, Callable[[Reader, Any], Form]] = {
    exp.Paren: Reader.read_inner,
    exp.Column: Reader.read_column,
    exp.Identifier: Reader.read_word,
    exp.Var: Reader.read_word,
    exp.Literal: Reader.read_literal,
    exp.ByteString: Reader.read_escaped,
    exp.Boolean: Reader.read_boolean,
    exp.Null: Reader.read_constant,
    exp.HexString: Reader.read_blob,
    exp.Neg: Reader.read_negative,
    exp.Array: Reader.read_array,
    exp.Cast: Reader.read_cast,
    exp.And: Reader.read_connector,
    exp.Or: Reader.read_connector,
    exp.Not: Reader.read_not,
    exp.EQ: Reader.read_comparison,
    exp.NEQ: Reader.read_comparison,
    exp.LT: Reader.read_comparison,
    exp.LTE: Reader.read_comparison,
    exp.GT: Reader.read_comparison,
    exp.GTE: Reader.read_comparison,
    exp.Is: Reader.read_is,
    exp.NullSafeEQ: Reader.read_is,
    exp.NullSafeNEQ: Reader.read_is,
    exp.In: Reader.read_in,
    exp.Between: Reader.read_between,
    exp.Like: Reader.read_pattern,
    exp.ILike: Reader.read_pattern,
    exp.Escape: Reader.read_pattern,
    exp.Glob: Reader.read_pattern,
    exp.RegexpLike: Reader.read_pattern,
    exp.RegexpILike: Reader.read_pattern,
    exp.Length: Reader.read_length,
    exp.JSONType: Reader.read_json_type,
    exp.JSONExtract: Reader.read_json,
    exp.JSONExtractScalar: Reader.read_json_text,
    exp.JSONBExtract: Reader.read_json,
    exp.JSONBExtractScalar: Reader.read_json_text,
    exp.Anonymous: Reader.read_call,
    exp.Dot: Reader.read_qualified,
    exp.AtTimeZone: Reader.read_at_time_zone,
    exp.CurrentTimestamp: Reader.read_constant,
    exp.CurrentDate: Reader.read_constant,
    exp.CurrentTime: Reader.read_constant,
    exp.Uuid: Reader.read_constant,
    exp.TimeToStr: Reader.read_strftime,
    exp.If: Reader.read_case,
    exp.Case: Reader.read_case,
    exp.Add: Reader.read_commutative,
    exp.Mul: Reader.read_commutative,
    exp.Collate: Reader.read_collate,
    exp.LowerHex: Reader.read_lower_hex,
    exp.Sub: Reader.read_ordered,
    exp.Div: Reader.read_division,
    exp.Mod: Reader.read_division,
    exp.DPipe: Reader.read_concatenation,
    exp.Trim: Reader.read_trim,
    exp.Coalesce: Reader.read_coalesce,
    exp.Nullif: Reader.read_nullif,
    exp.Date: Reader.read_date,
    exp.Substring: Reader.read_substring,
    exp.Replace: Reader.read_replace,
}
