"""Values of PostgreSQL's types as SQLite stores them, in each usual layout: the extremes, every digit in every place.

A SQLite CHECK that accepts all of them in one of the layouts refuses no value that the type has.
"""

from __future__ import annotations

import functools
from datetime import datetime, timedelta

from diglot.drift.types import TypeClass

Value = str | int | float | bytes
Values = tuple[Value, ...]
RANGES = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}


@functools.lru_cache(maxsize=256)
def layouts(of: TypeClass, labels: tuple[str, ...]) -> list[Values]:
    """The values of a type, one sequence for each layout; empty if drift has none for it."""
    if of.array:
        return [_ARRAYS]
    if of.name in RANGES:
        limit = RANGES[of.name]
        return [(-limit, -1, 0, 1, limit - 1)]
    if of.name in ("text", "character varying", "character", "name", "citext"):
        length = of.arguments[0] if of.arguments else 10
        return [(*(text for text in _TEXTS if len(text) <= length), "é" * length)]
    if of.name == "numeric" and of.arguments:
        digits, decimals = (*of.arguments, 0)[:2]
        most = f"-{'9' * max(digits - decimals, 1)}" + (f".{'9' * decimals}" if decimals > 0 else "")
        return [(0, -1, float(most)), ("0", most[1:], most), (f"{0:.{max(decimals, 0)}f}", most[1:], most)]
    if of.name in ("timestamp with time zone", "timestamp without time zone"):
        return [
            tuple(f"{_day(each)}{mark}{_clock(each, digits)}{zone}" for each in _MOMENTS)
            for mark in "T "
            for digits, zone in _CLOCKS
        ]
    if of.name in ("time without time zone", "time with time zone"):
        return [tuple(f"{_clock(each, digits)}{zone}" for each in _MOMENTS) for digits, zone in _CLOCKS]
    return [labels] if of.name == "enum" else _OTHERS.get(of.name, [])


def is_finite(of: TypeClass) -> bool:
    """Whether the samples are all the values that the type has."""
    return not of.array and of.name in ("boolean", "enum")


def is_limited(of: TypeClass) -> bool:
    """Whether the longest sample is as long as a value of the type can be."""
    return not of.array and (bool(of.arguments) or of.name not in _UNLIMITED)


def _day(moment: datetime) -> str:
    return f"{moment.year:04}-{moment.month:02}-{moment.day:02}"


def _clock(moment: datetime, digits: int | None) -> str:
    """Hours and minutes; with digits, seconds and so many of their fraction."""
    if digits is None:
        return f"{moment:%H:%M}"
    return f"{moment:%H:%M:%S}" + (f".{moment.microsecond:06}"[: digits + 1] if digits else "")


_MOMENTS = [
    datetime(1, 1, 1),
    datetime(9999, 12, 31, 23, 59, 59, 999999),
    datetime(2024, 2, 29, 12, 30),
    *(
        datetime(1 + n * 83, 1, 1) + timedelta(days=n * 3.1, seconds=n * 3671.3, microseconds=n * 7919)
        for n in range(120)
    ),
]
_CLOCKS = [(digits, zone) for digits in (None, 0, 3, 6) for zone in ("", "Z", "+00", "+00:00", "+0000")]
_DIGITS = ["0123456789abcdef" * 2, "fedcba9876543210" * 2, *(f"{digit:x}" * 32 for digit in range(16))]
_HYPHENS = ["-".join((each[:8], each[8:12], each[12:16], each[16:20], each[20:])) for each in _DIGITS]
_TEXTS = ("", "a", "Z", "0", " ", "\n", "é", "it's", "-", "%")
_FLOATS: Values = (0.0, -1.0, 0.5, 1e100)
_JSON: Values = ("{}", '{"a": 1}', "[]", "[1]", '"a"', "1", "1.5", "true", "null")
_OTHERS: dict[str, list[Values]] = {
    "boolean": [(0, 1)],
    "date": [tuple(_day(moment) for moment in _MOMENTS)],
    "uuid": [
        tuple(_HYPHENS),
        tuple(_DIGITS),
        tuple(each.upper() for each in _HYPHENS),
        tuple(bytes.fromhex(each) for each in _DIGITS),
    ],
    "numeric": [
        (0, -1, 1, 0.5, -123456789.125, 1e100),
        ("0", "-1", "0.5", "-123456789.12", "98765432100000000000", "0.0000000001"),
    ],
    "real": [_FLOATS],
    "double precision": [_FLOATS],
    "json": [_JSON],
    "jsonb": [_JSON],
    "bytea": [(b"", b"\x00", b"abc")],
    "interval": [("1 day", "01:00:00", "-1 mons", "1 year 2 mons 3 days 04:05:06.000007"), ("P1D", "PT0S", "-P1Y2M")],
    "inet": [("127.0.0.1", "10.0.0.0/8", "::1", "2001:db8::/32", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128")],
    "cidr": [("10.0.0.0/8", "::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128")],
    "macaddr": [("08:00:2b:01:02:03", "ff:ff:ff:ff:ff:ff")],
    "macaddr8": [("08:00:2b:01:02:03:04:05", "ff:ff:ff:ff:ff:ff:ff:ff")],
    "xml": [("<a/>", "<a>b</a>")],
}
_ARRAYS: Values = ("[]", "[1, 2]", '["a", null]', "[[1], [2]]")
_UNLIMITED = {"text", "character varying", "name", "citext", "bytea", "json", "jsonb", "xml", "numeric", "interval"}
