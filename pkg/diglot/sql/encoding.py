"""From Python values to what a driver takes: one encoder for each declared type, which checks the value first.

The databases disagree about wrong types (PostgreSQL stores 2 for 1.5, SQLite keeps '12x' as text), so a value of the
wrong type is refused here, the same way for both, with the parameter's name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from diglot.errors import InvalidValue, TooLarge
from diglot.sql import canonical_json
from diglot.sql.header import Parameter
from diglot.sql.session import Dialect
from diglot.sql.timestamps import timestamp_text, utc

Encoder = Callable[[Any, str], Any]
"""Takes a value (never None) and its name in errors; returns what the driver takes."""

T = TypeVar("T")
Json = str | int | float | bool | dict[str, Any] | list[Any] | tuple[Any, ...] | msgspec.Struct
"""What may be passed for a ``json`` parameter."""
ListOf = list[T] | tuple[T, ...] | set[T] | frozenset[T]
"""What may be passed for a ``T[]`` parameter."""

MAX_DOCUMENT = 8 * 1024 * 1024
"""The most bytes that a text, a JSON document or a bytes value may have, unless the settings say otherwise."""
MIN_DOCUMENT_LIMIT, MAX_DOCUMENT_LIMIT = 64 * 1024, 32 * 1024 * 1024
"""The range for that limit: jsonb needs up to six times the bytes of the text, and takes 255 MiB."""
SHORT = MIN_DOCUMENT_LIMIT // 4
"""A text of this many characters is within every limit."""
MIN_INT, MAX_INT = -(2**63), 2**63 - 1


def encoder(parameter: Parameter, dialect: Dialect, max_document: int = MAX_DOCUMENT) -> Encoder:
    """The encoder of a declared parameter. TooLarge for a value of more than ``max_document`` bytes."""
    encode = (_SQLITE if dialect == "sqlite" else _POSTGRES)[parameter.type]
    of_item = _sized(encode, max_document) if parameter.type in SIZED else encode
    if not parameter.is_list:
        return of_item

    def encode_list(value: Any, path: str) -> Any:
        if type(value) not in (list, tuple, set, frozenset):
            raise InvalidValue(path, f"a list is needed, not {_kind(value)}")
        items = [of_item(item, f"{path}[{i}]") for i, item in enumerate(value)]
        return items if dialect == "postgres" else _encode_json(items).decode()

    return encode_list


def count_of_rows(encode: Encoder) -> Encoder:
    """The same encoder for a number of rows: a negative one is refused, because SQLite reads it as all rows."""

    def encode_count(value: Any, path: str) -> Any:
        encoded = encode(value, path)
        if isinstance(encoded, int | float) and encoded < 0:
            raise InvalidValue(path, f"a number of rows is 0 or more, not {value}")
        return encoded

    return encode_count


SIZED = frozenset({"text", "json", "bytes"})
"""The types whose values have no size of their own."""


def _sized(encode: Encoder, most: int) -> Encoder:
    def encode_sized(value: Any, path: str) -> Any:
        encoded = encode(value, path)
        check_size(encoded, path, most)
        return encoded

    return encode_sized


def check_size(encoded: str | bytes, path: str, most: int, hint: str = "") -> None:
    """TooLarge when an encoded value has more than ``most`` bytes, a text in UTF-8."""
    size = len(encoded)
    if isinstance(encoded, str) and 4 * size > most and not encoded.isascii():
        size = len(encoded.encode())
    if size > most:
        raise TooLarge.document(path, size, most, hint)


def encode_text(value: Any, path: str) -> str:
    if type(value) is not str:
        if not isinstance(value, str):
            raise InvalidValue(path, f"text is needed, not {_kind(value)}")
        value = str.__str__(value)
    if not value.isascii() or "\0" in value:
        canonical_json.check_text(value, path)
    return value  # type: ignore[no-any-return]


def encode_int(value: Any, path: str) -> int:
    if type(value) is not int:
        raise InvalidValue(path, f"an integer is needed, not {_kind(value)}")
    if not MIN_INT <= value <= MAX_INT:
        raise InvalidValue(path, "the integer is beyond 64 bits")
    return value


def encode_float(value: Any, path: str) -> float:
    if type(value) is int:
        value = _exact_float(value, path)
    if type(value) is not float:
        raise InvalidValue(path, f"a number is needed, not {_kind(value)}")
    if value - value != 0.0:
        raise InvalidValue(path, f"{value} can't be stored: SQLite would keep NULL")
    return value if value else 0.0


def _exact_float(value: int, path: str) -> float:
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if found != value:
        raise InvalidValue(path, "the integer has no exact form as a float")
    return found


def encode_bool(value: Any, path: str) -> bool:
    if type(value) is not bool:
        raise InvalidValue(path, f"True or False is needed, not {_kind(value)}")
    return value


def encode_bytes(value: Any, path: str) -> bytes:
    if type(value) is not bytes:
        raise InvalidValue(path, f"bytes are needed, not {_kind(value)}")
    return value


def encode_timestamp(value: Any, path: str) -> datetime:
    if not isinstance(value, datetime):
        raise InvalidValue(path, f"a datetime is needed, not {_kind(value)}")
    return utc(value, path)


def _sqlite_bool(value: Any, path: str) -> int:
    return int(encode_bool(value, path))


def _sqlite_timestamp(value: Any, path: str) -> str:
    return timestamp_text(encode_timestamp(value, path))


class EncodedJson(str):
    """A JSON text that was checked and made canonical already: it is passed on as it is."""

    __slots__ = ()


def encode_json(value: Any, path: str) -> str:
    if type(value) is EncodedJson:
        return value
    return canonical_json.dumps(value, path)


_encode_json = msgspec.json.Encoder().encode

_POSTGRES: dict[str, Encoder] = {
    "text": encode_text,
    "int": encode_int,
    "float": encode_float,
    "bool": encode_bool,
    "bytes": encode_bytes,
    "timestamp": encode_timestamp,
    "json": encode_json,
}
_SQLITE: dict[str, Encoder] = _POSTGRES | {"bool": _sqlite_bool, "timestamp": _sqlite_timestamp}


def _kind(value: Any) -> str:
    return "None" if value is None else type(value).__name__
