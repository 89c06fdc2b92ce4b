"""SQLite's calls that return the current time, as one template: the strftime pattern of the text that they give.

``datetime('now')``, ``current_timestamp`` and ``strftime('%Y-%m-%d %H:%M:%S', 'now')`` have one template, so
what is put before or after it, or left out of it, is seen.
"""

from __future__ import annotations

import re
from decimal import Decimal

from diglot.drift.values import NOW, NOW_TIME, TODAY, Form

_NOW = ("text", "now")
_SUBSECONDS = {("text", "subsec"), ("text", "subsecond")}
_CALLS: dict[str, str] = {"datetime": "%Y-%m-%d %H:%M:%S", "date": "%Y-%m-%d", "time": "%H:%M:%S"}
_WORDS: dict[Form, str] = {NOW: _CALLS["datetime"], TODAY: _CALLS["date"], NOW_TIME: _CALLS["time"]}
_LONG = {"%F": "%Y-%m-%d", "%T": "%H:%M:%S", "%R": "%H:%M", "%%": "%%"}
_DATE = r"%Y-%m-%d"
_TIME = r"%H:%M:(?:%S(?:\.\d+)?|%f\d*)(?: ?(?:Z|\+00(?::?00)?))?"
_MEANINGS: tuple[tuple[str, Form], ...] = ((f"{_DATE}[T ]{_TIME}", NOW), (_DATE, TODAY), (_TIME, NOW_TIME))


def template(of: Form) -> str | None:
    """The pattern of the text; None if it is not the current time in UTC, and nothing but that and plain text."""
    if of in _WORDS:
        return _WORDS[of]
    head, *arguments = of
    if head in _CALLS:
        return _call(_CALLS[head], arguments)
    if head == "strftime" and arguments[0][0] == "text":
        return _call(re.sub(r"%\w|%%", lambda each: _LONG.get(each[0], each[0]), arguments[0][1]), arguments[1:])
    if head == "replace" and [each[0] for each in arguments[1:]] == ["text", "text"]:
        inner = template(arguments[0])
        return inner.replace(arguments[1][1], arguments[2][1]) if inner is not None else None
    if head == "dpipe":
        parts = [_escaped(each[1]) if each[0] == "text" else template(each) for each in arguments]
        return "".join(part for part in parts if part is not None) if None not in parts and "%" in str(parts) else None
    return None


def clock(of: Form, mixed: bool) -> Form:
    """The current time, day or time of day; beside PostgreSQL it does not matter how exactly SQLite writes it."""
    found = template(of)
    if found is None:
        return of
    if mixed:
        return next((meaning for pattern, meaning in _MEANINGS if re.fullmatch(pattern, found)), ("clock", found))
    return next((word for word, text in _WORDS.items() if text == found), ("clock", found))


def epoch(of: Form) -> Form:
    """``("now", "unix", "1000")`` for the milliseconds since 1970, however they are calculated and rounded."""
    factor = _epoch(of)
    return of if factor is None else ("now", "unix", format(factor.normalize(), "f"))


def _epoch(of: Form) -> Decimal | None:
    """How many units a second has; None if it is not the time since 1970."""
    head, *arguments = of
    if of in _SECONDS or (head == "unixepoch" and set(arguments) <= {_NOW, *_SUBSECONDS}):
        return Decimal(1)
    if of == _DAYS:
        return Decimal(1) / 86400
    if head == "cast":
        return _epoch(of[2]) if of[1] in ("integer", "number") else None
    if head in ("floor", "round", "trunc", "ceil"):
        return _epoch(of[1])
    if head == "mul":
        numbers = [Decimal(each[1]) for each in of[1] if each[0] == "number"]
        rest = [_epoch(each) for each in of[1] if each[0] != "number"]
        if len(rest) != 1 or rest[0] is None:
            return None
        product = rest[0]
        for number in numbers:
            product *= number
        return product.quantize(Decimal("1.000000"))
    return None


_SECONDS: tuple[Form, ...] = (
    ("extract", NOW, ("word", "epoch")),
    ("extract", NOW, ("text", "epoch")),
    ("extract", ("clock_timestamp",), ("word", "epoch")),
    ("strftime", ("text", "%s"), _NOW),
)
_DAYS: Form = ("sub", ("julianday", _NOW), ("number", "2440587.5"))


def _call(pattern: str, arguments: list[Form]) -> str | None:
    if set(arguments) <= {_NOW}:
        return pattern
    return pattern.replace("%S", "%f") if set(arguments) <= {_NOW, *_SUBSECONDS} else None


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
