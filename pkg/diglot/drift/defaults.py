"""What a column's default evaluates to, so that ``now()`` equals SQLite's ISO text, and ``false`` equals 0."""

from __future__ import annotations

import re

from diglot.drift.expressions import form, walk
from diglot.drift.normal_form import Scope
from diglot.drift.types import Kind
from diglot.drift.values import NOW, NOW_TIME, NULL, TODAY, Form, as_kind

RANDOM_UUID: Form = ("gen_random_uuid",)
UNIX_TIME: Form = ("now", "unix")
_NOW_TEXT = ("text", "now")


def default_form(text: str | None, kind: Kind, scope: Scope, *, mixed: bool) -> Form:
    """The meaning of a default for a column of this kind; NULL if there is no default.

    ``mixed``: the other side is the other engine, so it does not matter how SQLite writes a time or a uuid.
    """
    if text is None:
        return NULL
    found = as_kind(_json_text(form(text, scope)), kind)
    if kind == "boolean" and found[0] == "number":
        return found
    if scope.dialect == "sqlite":
        found = _sqlite_now(found, mixed)
    elif mixed and (found == ("now", "utc") or found[0] == "clock_timestamp"):
        found = NOW
    elif mixed and _is_unix_time(found):
        found = UNIX_TIME
    if mixed and kind == "date" and scope.dialect == "postgres" and found in (NOW, ("cast", "date", ("now", "utc"))):
        return TODAY
    if mixed and any(each[0] == "randomblob" for each in walk(found)):
        return RANDOM_UUID
    return found


def _json_text(of: Form) -> Form:
    """``json('{}')`` and calls that build an empty value, as the text that they return."""
    if of[0] == "json" and len(of) == 2 and of[1][0] == "text":
        return tuple(of[1])
    return _EMPTY_JSON.get(of, of)


_EMPTY_JSON: dict[Form, Form] = {
    **{(name,): ("text", "[]") for name in ("json_array", "json_build_array", "jsonb_build_array")},
    **{(name,): ("text", "{}") for name in ("jsonobject", "json_build_object", "jsonb_build_object")},
}


def _sqlite_now(of: Form, mixed: bool) -> Form:
    """CURRENT_TIMESTAMP, and the calls that return the current time as text."""
    if of == ("datetime", _NOW_TEXT) or of == ("datetime",):
        return NOW
    if of in (("date", _NOW_TEXT), ("date",)):
        return TODAY
    if of in (("time", _NOW_TEXT), ("time",)):
        return NOW_TIME
    if not mixed:
        return NOW if of == ("strftime", ("text", "%Y-%m-%d %H:%M:%S"), _NOW_TEXT) else of
    if of in (("unixepoch",), ("unixepoch", _NOW_TEXT)):
        return UNIX_TIME
    if of[0] == "dpipe":  # strftime(…) || '000Z'
        parts = [part for part in of[1:] if part[0] != "text"]
        return _sqlite_now(parts[0], mixed) if len(parts) == 1 else of
    if of[0] == "cast" and _sqlite_now(of[2], mixed) == UNIX_TIME:
        return UNIX_TIME
    if of[0] == "strftime" and of[2:] == (_NOW_TEXT,) and of[1][0] == "text":
        letters = set(re.findall(r"%(\w)", of[1][1]))
        if letters == {"s"}:
            return UNIX_TIME
        if letters & {"Y", "F"} and letters & {"H", "T", "R"}:
            return NOW
        return TODAY if letters in ({"Y", "m", "d"}, {"F"}) else NOW_TIME if letters & {"H", "T"} else of
    if of[0] in ("datetime", "strftime") and set(of[1:]) == {_NOW_TEXT, ("text", "subsec")}:
        return NOW
    return of


def _is_unix_time(of: Form) -> bool:
    """``extract(epoch from now())``, however it is rounded."""
    return (of[0] == "extract" and NOW in walk(of)) or (
        of[0] in ("cast", "floor") and isinstance(of[-1], tuple) and _is_unix_time(of[-1])
    )
