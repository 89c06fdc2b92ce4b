"""JSON that both databases keep exactly: checked before it is written, repaired when it is read.

PostgreSQL's jsonb refuses NUL and lone surrogates and turns 4.99e16 into an integer; SQLite takes anything. So what
one of them would refuse or change is refused here, with the path of the value, and integers that jsonb made from
floats are turned back into floats. Keys are sorted; their order is not part of the value.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, get_origin

import msgspec

from diglot.errors import InvalidValue
from diglot.sql.timestamps import timestamp_text, utc

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 64

_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"000000000")
_SIXTEEN_DIGITS = b"0" * 16
_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder().decode


def dumps(value: Any, path: str, *, max_depth: int = MAX_DEPTH) -> str:
    """The canonical text. InvalidValue, with the path, for what the databases would refuse or change.

    ``path`` is what the value is called in errors; ``max_depth`` is how many levels of objects and arrays it may have.
    """
    return encode(check(value, path, max_depth))


def encode(checked: Any) -> str:
    """The canonical text of a value that ``check`` returned."""
    return _encode(checked).decode()


def loads(text: str | bytes) -> Any:
    """The value of a JSON text that came from one of the databases."""
    return _floats_again(_decode(text)) if _may_have_large_integers(text) else _decode(text)


def exact_loader(kind: Any) -> Callable[[str | bytes], Any]:
    """The loader for a database that returns JSON texts as they were written."""
    return _decode if _is_plain(kind) else msgspec.json.Decoder(kind).decode


def loader(kind: Any) -> Callable[[str | bytes], Any]:
    """The loader for jsonb: it repairs floats, if the type can have any."""
    if _is_plain(kind):
        return loads
    typed = TypedLoader(kind)
    return typed if _has_floats(msgspec.inspect.type_info(kind)) else typed.decode


def _is_plain(kind: Any) -> bool:
    return kind is Any or kind is dict or get_origin(kind) is dict


class TypedLoader:
    """Loads JSON texts into one type (a Struct, a list of Structs); msgspec.ValidationError if it does not fit."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        self.decode: Callable[[str | bytes], Any] = msgspec.json.Decoder(kind).decode

    def __call__(self, text: str | bytes) -> Any:
        if _may_have_large_integers(text):
            return msgspec.convert(loads(text), self._kind)
        return self.decode(text)


def parse(text: str | bytes, path: str, *, max_depth: int = MAX_DEPTH) -> Any:
    """A JSON text from outside (a file, a request) as a checked value; duplicate keys are refused too."""
    import json

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, item in items:
            if key in found:
                raise InvalidValue(path, f"the key {key!r} appears twice in one object")
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
    """The value, made canonical (−0.0 is 0.0, tuples are lists). InvalidValue with the path of what can't be stored."""
    try:
        return _canonical(value, max_depth)
    except _Refused as refused:
        problem = refused.problem or f"more than {max_depth} levels of objects and arrays"
        raise InvalidValue(path + "".join(reversed(refused.below)), problem) from None


def check_text(value: str, path: str) -> None:
    """InvalidValue for text that PostgreSQL can't store: with a NUL character or a lone surrogate."""
    problem = _problem_of_text(value)
    if problem is not None:
        raise InvalidValue(path, problem)


# --- checking: this runs for every JSON value that is written ----------------------------------------------


class _Refused(Exception):
    """A nested value can't be stored. The path is built only then, on the way up."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        self.below: list[str] = []


def _canonical(value: Any, levels: int) -> Any:
    """``levels`` is how many more levels of objects and arrays are allowed."""
    kind = type(value)
    if kind is str:
        if not value.isascii() or "\0" in value:
            _refuse(_problem_of_text(value))
        return value
    if value is None or kind is bool:
        return value
    if kind is int:
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            _refuse(f"the integer {_short(value)} is beyond ±(2^53 - 1): send it as text")
        return value
    if kind is float:
        if value - value != 0.0:
            _refuse(f"{value} is not a JSON number")
        return value if value else 0.0
    if kind is dict:
        return _object(value, levels)
    if kind is list or kind is tuple:
        return _array(value, levels)
    if isinstance(value, msgspec.Struct):
        return _object(_struct_fields(value), levels)
    raise _Refused(f"a {kind.__name__} can't be written as JSON")


# Most values are text: containers check it themselves and make a call only for the rest.


def _object(value: dict[Any, Any], levels: int) -> dict[str, Any]:
    if levels <= 0:
        raise _Refused(_TOO_DEEP)
    checked: dict[str, Any] = {}
    key: Any = None
    try:
        for key, item in value.items():
            if type(key) is not str:
                break
            if not key.isascii() or "\0" in key:
                _refuse(_problem_of_text(key))
            if type(item) is str and item.isascii() and "\0" not in item:
                checked[key] = item
            else:
                checked[key] = _canonical(item, levels - 1)
        else:
            return checked
    except _Refused as refused:
        refused.below.append(f".{_printable(key)}")
        raise
    raise _Refused(f"the key {key!r} is not text")


def _array(value: list[Any] | tuple[Any, ...], levels: int) -> list[Any]:
    if levels <= 0:
        raise _Refused(_TOO_DEEP)
    checked: list[Any] = []
    try:
        for item in value:
            if type(item) is str and item.isascii() and "\0" not in item:
                checked.append(item)
            else:
                checked.append(_canonical(item, levels - 1))
    except _Refused as refused:
        refused.below.append(f"[{len(checked)}]")
        raise
    return checked


_TOO_DEEP = ""


def _refuse(problem: str | None) -> None:
    if problem is not None:
        raise _Refused(problem)


def _problem_of_text(value: str) -> str | None:
    if "\0" in value:
        return "text with a NUL character (U+0000) can't be stored"
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            return f"text with a lone surrogate (U+{ord(value[error.start]):04X}) can't be stored"
    return None


def _struct_fields(value: msgspec.Struct) -> dict[str, Any]:
    """A struct as an object: fields that are None are omitted, times are text as in SQLite's columns."""
    found: dict[str, Any] = {}
    for name, item in msgspec.structs.asdict(value).items():
        if item is None or item is msgspec.UNSET:
            continue
        found[name] = _time(item, name) if isinstance(item, datetime) else item
    return found


def _time(value: datetime, name: str) -> str:
    try:
        return timestamp_text(utc(value, name))
    except InvalidValue as error:
        refused = _Refused(error.problem)
        refused.below.append(f".{name}")
        raise refused from None


# --- integers that jsonb made from floats --------------------------------------------------------------------


def _may_have_large_integers(text: str | bytes) -> bool:
    """Whether there are sixteen digits in a row, not after a point as in most computed floats (0.3333333333333333).

    Two passes in C over the bytes, 0.3 µs for 250 of them: a regular expression takes ten times as long.
    """
    digits = (text if isinstance(text, bytes) else text.encode()).translate(_DIGITS_TO_ZERO)
    return _SIXTEEN_DIGITS in digits and _SIXTEEN_DIGITS in digits.replace(b"." + _SIXTEEN_DIGITS, b".")


def _has_floats(kind: msgspec.inspect.Type) -> bool:
    """Whether a value of this type can contain a float."""
    match kind:
        case msgspec.inspect.AnyType() | msgspec.inspect.FloatType():
            return True
        case msgspec.inspect.StructType(fields=fields):
            return any(_has_floats(field.type) for field in fields)
        case msgspec.inspect.ListType(item_type=item):
            return _has_floats(item)
        case msgspec.inspect.DictType(value_type=item):
            return _has_floats(item)
        case msgspec.inspect.UnionType(types=kinds):
            return any(map(_has_floats, kinds))
    return False


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
    """The key, on one line even if it has line breaks: errors are one line."""
    if key.isprintable():
        return key
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in key)
