"""What a column's default evaluates to, so that ``now()`` equals SQLite's ISO text, and ``false`` equals 0."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from diglot.drift.clock import clock, epoch
from diglot.drift.expressions import form, walk
from diglot.drift.reading import Scope
from diglot.drift.trial import random_uuid
from diglot.drift.types import Kind
from diglot.drift.values import NOW, NULL, NUMERAL, TODAY, Form, array_literal, as_kind, json_array, number_form


def default_form(text: str | None, kind: Kind, scope: Scope, *, mixed: bool, elements: Kind = "other") -> Form:
    """The meaning of a default for a column of this kind; NULL if there is no default.

    ``mixed``: the other side is the other engine, so it does not matter how SQLite writes a time or a uuid.
    ``elements``: the kind of an array's elements.
    """
    if text is None:
        return NULL
    found = _json_text(form(text, scope))
    if kind == "array" and scope.dialect == "postgres" and found[0] == "text":
        found = array_literal(found[1])
    found = json_array(found, elements) if found[0] == "array" else as_kind(found, kind, scope.dialect)
    if found[0] in ("number", "text") and NUMERAL.fullmatch(text.strip()):
        found = _numeral(text.strip(), found, kind, scope)
    if scope.dialect == "sqlite":
        found = clock(found, mixed)
    elif mixed and (found == ("now", "utc") or found[0] == "clock_timestamp"):
        found = NOW
    if not mixed:
        return found
    if kind == "text" and found == NOW:
        return ("text of the time", scope.dialect)
    if kind == "date" and scope.dialect == "postgres" and found in (NOW, ("cast", "date", ("now", "utc"))):
        return TODAY
    return _uuid(epoch(found), text, kind, scope)


def _numeral(text: str, found: Form, kind: Kind, scope: Scope) -> Form:
    """A number in a text keeps its decimals; one in a whole number is rounded on PostgreSQL and kept on SQLite."""
    if kind == "text":
        whole = text.lstrip("+-").isdigit()
        return ("text", text if scope.dialect == "postgres" else str(int(text) if whole else float(text)))
    if kind == "integer" and scope.dialect == "postgres":
        return number_form(Decimal(found[1]).quantize(Decimal(1), ROUND_HALF_UP))
    return found


def _uuid(of: Form, text: str, kind: Kind, scope: Scope) -> Form:
    """A random UUID; in a text, how it is written counts."""
    if scope.dialect == "postgres":
        layout = "hyphens" if of in (_RANDOM, ("cast", "text", _RANDOM)) else ""
    else:
        sizes = [each[1:] for each in walk(of) if each[0] == "randomblob"]
        layout = random_uuid(text) if sizes and all(size in _SIZES for size in sizes) else ""
    if not layout:
        return of
    return _RANDOM if kind == "uuid" else (*_RANDOM, layout)


_RANDOM: Form = ("gen_random_uuid",)
_SIZES = [(("number", str(size)),) for size in range(1, 33)]
"""Arguments of randomblob() that are worth a try."""


def _json_text(of: Form) -> Form:
    """``json('{}')`` and calls that build an empty value, as the text that they return."""
    if of[0] in ("json", "jsonb") and len(of) == 2 and of[1][0] == "text":
        return tuple(of[1])
    return _EMPTY_JSON.get(of, of)


_EMPTY_JSON: dict[Form, Form] = {
    **{(name,): ("text", "[]") for name in ("json_array", "jsonb_array", "json_build_array", "jsonb_build_array")},
    **{(name,): ("text", "{}") for name in ("jsonobject", "jsonb_object", "json_build_object", "jsonb_build_object")},
}
