"""One spelling for JSON documents, whichever engine they come from.

jsonb sorts keys, expands exponents (1e16 becomes 10000000000000000) and has no negative zero; SQLite keeps the text as
it was written. Here keys are sorted, and numbers are written as jsonb stores them, in their shortest form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

_encoder = msgspec.json.Encoder(order="sorted")
_encode = _encoder.encode
_decode = msgspec.json.Decoder().decode
_BOUNDARY = "diglot:between two documents"
_BETWEEN = f',"{_BOUNDARY}",'
_MOST = 2**20
"""Characters that are parsed together: parsed, they take several times as much memory."""
_EXACT = 2**53
# Numbers that a double does not keep or that the engines spell differently: long numbers, exponents, negative zeros.
# Most documents have none, and searching bytes for a fixed text takes a tenth of the time of a pattern.
_CLASSES = bytes.maketrans(b"123456789.E", b"0000000000e")
_LONG = b"0" * 16
# More digits than a double keeps for certain: 15 in an integer, 17 in a fraction.
_LONG_NUMBER = re.compile(r"(?<![\d.])(?:\d{16,}(?![\d.])|0\.\d{18,}|[1-9][\d.]{18,})").search
_EXPONENT = re.compile(r"\d[eE][+-]?\d").search
_NEGATIVE_ZERO = re.compile(r"-0(?![.\d]*[1-9])").search


def canonical(text: str | bytes) -> str:
    """The document in its canonical spelling, for comparison. Raises ValueError if it is not JSON."""
    if isinstance(text, bytes):
        text = text.decode()
    if _is_unusual(text):
        return _encode(_numbers(_load(text), _as_jsonb)).decode()
    return _encode(_decode(text)).decode()


def as_written(text: str) -> str:
    """What to store in SQLite for a canonical text: integers that jsonb made from floats become floats again."""
    if _is_unusual(text):
        return _encode(_numbers(_load(text), _floats_again)).decode()
    return text


def all_canonical(texts: list[Any]) -> list[str]:
    """As ``canonical`` for each of them, in a quarter of the time where none is unusual."""
    found = _all_usual(texts)
    return found if found is not None else [canonical(text) for text in texts]


def all_as_written(texts: list[str]) -> list[str]:
    """As ``as_written`` for each of them."""
    return texts if not _is_unusual(",".join(texts)) else [as_written(text) for text in texts]


def _all_usual(texts: list[Any]) -> list[str] | None:
    """Parsed together as one array. None where they have to be looked at one by one: one of them is unusual, or no
    JSON document. A text that is none can't pass for one together with its neighbours: between every two there must be
    a boundary, and nothing else may be one."""
    try:
        joined = f"[{_BETWEEN.join(texts)}]"
        if len(joined) > _MOST or _is_unusual(joined) or joined.count(_BOUNDARY) != len(texts) - 1:
            return None
        values = _decode(joined)
    except (TypeError, ValueError):  # of msgspec too
        return None
    documents, boundaries = values[::2], values[1::2]
    if len(documents) != len(texts) or boundaries != [_BOUNDARY] * (len(texts) - 1):
        return None
    return _encoder.encode_lines(documents).decode().split("\n")[:-1]


def _is_unusual(text: str) -> bool:
    data = text.encode()
    classes = data.translate(_CLASSES)
    if _LONG in classes and _LONG_NUMBER(text) is not None:
        return True
    if b"0e" in classes and _EXPONENT(text) is not None:
        return True
    return b"-0" in data and _NEGATIVE_ZERO(text) is not None


class _Number(str):
    """A number as its text."""

    __slots__ = ()


def _load(text: str) -> Any:
    return json.loads(text, parse_float=_Number, parse_int=_Number, parse_constant=_refuse)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _numbers(value: Any, convert: Callable[[str], Any]) -> Any:
    if type(value) is _Number:
        return convert(value)
    if type(value) is dict:
        return {key: _numbers(item, convert) for key, item in value.items()}
    if type(value) is list:
        return [_numbers(item, convert) for item in value]
    return value


def _as_jsonb(text: str) -> Any:
    plain = format(Decimal(text), "f") if "e" in text.lower() else text
    if "." not in plain:
        return _integer(plain)
    digits = plain.rstrip("0").rstrip(".")
    number = float(plain) or 0.0
    if Decimal(repr(number)) == Decimal(plain):
        return number
    return msgspec.Raw(digits.encode())


def _floats_again(text: str) -> Any:
    if not text.lstrip("-").isdigit() or abs(int(text)) < _EXACT:
        return _as_jsonb(text)
    try:
        number = float(text)
    except OverflowError:
        return _integer(text)
    if Decimal(repr(number)) != Decimal(text):
        return _integer(text)
    # With an exponent it is a float to every reader, and jsonb makes the same integer from it again.
    return number if "e" in repr(number) else msgspec.Raw(f"{text}e0".encode())


def _integer(text: str) -> Any:
    plain = str(int(text)) if len(text) < 4000 else text
    return msgspec.Raw(plain.encode())
