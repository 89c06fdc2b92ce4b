"""Whether a SQLite CHECK only says what the PostgreSQL type of its column says already.

Two things must hold. It looks at how the value is written: its length, its pattern, ``typeof``, whether ``date(x)``
reads it. And SQLite accepts all samples of the type in one layout: ``length(p) <= 3`` looks at the text of a number
too, but it refuses numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from diglot.drift.expressions import columns_of, walk
from diglot.drift.samples import RANGES, is_finite, is_limited, layouts
from diglot.drift.trial import holds
from diglot.drift.types import TypeClass, type_class
from diglot.drift.values import LITERALS, Form
from diglot.schema.model import Column


def said_by_type(form: Form, sql: str, columns: Mapping[str, tuple[Column, Column]]) -> bool:
    """Whether the PostgreSQL type implies the fact; ``sql`` is its text, ``columns`` has the pairs by name."""
    names = columns_of(form)
    if len(names) != 1 or (name := next(iter(names))) not in columns:
        return False
    postgres, sqlite = columns[name]
    of = type_class(postgres, "postgres")
    if not (is_finite(of) or is_form_test(form, of)):
        return False
    if not is_limited(of) and any(part[0] in _LENGTHS for part in walk(form)):
        return False
    return any(holds(sqlite.name, sqlite.type, sql, layout) for layout in layouts(of, postgres.labels))


def is_form_test(form: Form, of: TypeClass | None = None) -> bool:
    """Whether a fact is about how a value is written, or (given an integer type) about the range of integers.

    What samples can't refute is none: ``<>``, and a pattern that must not match, unless it is about characters alone.
    """
    head = form[0]
    if head in ("and", "or"):
        return all(is_form_test(each, of) for each in form[1])
    if head in ("matches", "json_valid"):
        return bool(form[1][0] == "column")
    if head == "not":
        inner = form[1]
        about_characters = inner[0] == "matches" and not re.sub(r"\[[^\]]*\]|\.\*", "", inner[2])
        return bool(about_characters or (inner[0] == "is null" and inner[1][0] in _READS_TIME))
    if head in ("=", "is", "in", "<=", ">=", "<", ">"):
        left, right = form[1], form[2]
        if left[0] != "column":
            return bool(columns_of(left)) and all(part[0] in _OF_TEXTS for part in walk(left))
        if head in ("=", "is") and right[0] not in LITERALS:
            return True
        return head in ("<=", ">=") and of is not None and of.name in RANGES
    return False


_LENGTHS = {"length", "octet_length"}
_OF_TEXTS = {
    *("column", "text", "number", "length", "octet_length", "typeof", "json_type", "lower", "upper", "trim", "ltrim"),
    *("rtrim", "substring", "replace", "left", "right", "strposition", "hex", "cast", "date", "datetime", "time"),
    *("julianday", "strftime", "unixepoch"),
}
_READS_TIME = {"date", "datetime", "time", "julianday", "strftime", "unixepoch"}
