"""JSON that both databases keep exactly: checked before it is written, repaired when it is read.

PostgreSQL's jsonb refuses NUL and lone surrogates and turns 4.99e16 into an integer; SQLite takes anything. So what
one of them would refuse or change is refused here, with the path of the value, and integers that jsonb made of floats
are floats again. Keys are sorted; their order is not part of the value.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import msgspec

from diglot.errors import InvalidValue
from diglot.sql.timestamps import timestamp_text, utc

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 64

_MANY_DIGITS = re.compile(r"\d{16}")
_MANY_DIGITS_BYTES = re.compile(rb"\d{16}")
_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder().decode


def dumps(value: Any, path: str, *, max_depth: int = MAX_DEPTH) -> str:
    """The canonical text. InvalidValue, with the path, for what the databases would refuse or change.

    ``path`` is what the value is called in errors; ``max_depth`` is how many levels of objects and arrays it may have.
    """
    return _encode(check(value, path, max_depth)).decode()


def loads(text: str | bytes) -> Any:
    """The value of a JSON text as one of the databases gave it back."""
    value = _decode(text)
    return _floats_again(value) if _may_have_large_integers(text) else value


class TypedLoader:
    """Loads JSON texts into one type (a Struct, a list of Structs); msgspec.ValidationError where it does not fit."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        self._decode = msgspec.json.Decoder(kind).decode

    def __call__(self, text: str | bytes) -> Any:
        if _may_have_large_integers(text):
            return msgspec.convert(loads(text), self._kind)
        return self._decode(text)


def parse(text: str | bytes, path: str, *, max_depth: int = MAX_DEPTH) -> Any:
    """A JSON text from outside (a file, a request) as a checked value; duplicate keys are refused too."""
    import json

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, item in items:
            if key in found:
                raise InvalidValue(path, f"the key {key!r} stands twice in one object")
            found[key] = item
        return found

    try:
        value = json.loads(text, object_pairs_hook=pairs)
    except (ValueError, RecursionError) as error:
        if isinstance(error, InvalidValue):
            raise
        raise InvalidValue(path, f"not JSON: {error}") from error
    return check(value, path, max_depth)


def check(value: Any, path: str, max_depth: int = MAX_DEPTH) -> Any:
    """The value, made canonical (−0.0 is 0.0, tuples are lists). InvalidValue with the path of what can't be kept."""
    return _check(value, path, max_depth, max_depth)


def _check(value: Any, path: str, levels: int, max_depth: int) -> Any:
    """``levels`` is how many of ``max_depth`` are left."""
    kind = type(value)
    if kind is str:
        check_text(value, path)
        return value
    if value is None or kind is bool:
        return value
    if kind is int:
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise InvalidValue(path, f"the integer {_short(value)} is beyond ±(2^53 - 1): send it as text")
        return value
    if kind is float:
        if value - value != 0.0:
            raise InvalidValue(path, f"{value} is not a JSON number")
        return value if value else 0.0
    if kind is dict:
        if levels <= 0:
            raise InvalidValue(path, f"more than {max_depth} levels of objects and arrays")
        checked = {}
        for key, item in value.items():
            if type(key) is not str:
                raise InvalidValue(path, f"the key {key!r} is not text")
            check_text(key, f"{path}.{_printable(key)}")
            # Text is most of what there is: it is checked right here, without a call.
            if type(item) is str and item.isascii() and "\0" not in item:
                checked[key] = item
            else:
                checked[key] = _check(item, f"{path}.{_printable(key)}", levels - 1, max_depth)
        return checked
    if kind is list or kind is tuple:
        if levels <= 0:
            raise InvalidValue(path, f"more than {max_depth} levels of objects and arrays")
        return [_check(item, f"{path}[{i}]", levels - 1, max_depth) for i, item in enumerate(value)]
    if isinstance(value, msgspec.Struct):
        return _check(_struct_fields(value, path), path, levels, max_depth)
    raise InvalidValue(path, f"a {kind.__name__} has no form in JSON")


def check_text(value: str, path: str) -> None:
    """InvalidValue for text that PostgreSQL can't keep: with a NUL character or a lone surrogate."""
    if "\0" in value:
        raise InvalidValue(path, "text with a NUL character (U+0000) can't be stored")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InvalidValue(
                path, f"text with a lone surrogate (U+{ord(value[error.start]):04X}) can't be stored"
            ) from None


def _struct_fields(value: msgspec.Struct, path: str) -> dict[str, Any]:
    """A struct as an object: fields that are None are absent, times are text as in SQLite's columns."""
    found: dict[str, Any] = {}
    for name in value.__struct_fields__:
        item = getattr(value, name)
        if isinstance(item, datetime):
            item = timestamp_text(utc(item, f"{path}.{name}"))
        if item is not None and item is not msgspec.UNSET:
            found[name] = item
    return found


def _may_have_large_integers(text: str | bytes) -> bool:
    found = _MANY_DIGITS_BYTES.search(text) if isinstance(text, bytes) else _MANY_DIGITS.search(text)
    return found is not None


def _floats_again(value: Any) -> Any:
    if type(value) is int:
        return value if -MAX_INTEGER <= value <= MAX_INTEGER else float(value)
    if type(value) is dict:
        return {key: _floats_again(item) for key, item in value.items()}
    if type(value) is list:
        return [_floats_again(item) for item in value]
    return value


def _short(value: int) -> str:
    text = str(value) if value.bit_length() < 400 else f"of {value.bit_length()} bits"
    return text if len(text) <= 40 else f"{text[:20]}…"


def _printable(key: str) -> str:
    """The key on one line, whatever is in it: errors are one line."""
    if key.isprintable():
        return key
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in key)
