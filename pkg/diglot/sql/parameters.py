"""The encoder of a declared parameter: from a Python value to what the driver of a dialect takes.

The databases disagree about wrong types (PostgreSQL stores 2 for 1.5, SQLite keeps '12x' as text), so a value of the
wrong type is refused here, the same way for both, with the parameter's name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from diglot.errors import InvalidValue
from diglot.sql.encoding import MAX_DOCUMENT, Encoder, check_size, kind_of
from diglot.sql.header import Parameter
from diglot.sql.session import Dialect
from diglot.sql.types import TYPES

_encode_json = msgspec.json.Encoder().encode


def encoder(parameter: Parameter, dialect: Dialect, max_document: int = MAX_DOCUMENT) -> Encoder:
    """The encoder of a declared parameter. TooLarge for a value of more than ``max_document`` bytes."""
    header_type = TYPES[parameter.type]
    encode = header_type.encode
    if dialect == "sqlite" and header_type.to_sqlite is not None:
        encode = _then(encode, header_type.to_sqlite)
    of_item = _sized(encode, max_document) if header_type.sized else encode
    if not parameter.is_list:
        return of_item

    def encode_list(value: Any, path: str) -> Any:
        if type(value) not in (list, tuple, set, frozenset):
            raise InvalidValue(path, f"a list is needed, not {kind_of(value)}")
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


def _then(encode: Encoder, convert: Callable[[Any], Any]) -> Encoder:
    return lambda value, path: convert(encode(value, path))


def _sized(encode: Encoder, most: int) -> Encoder:
    def encode_sized(value: Any, path: str) -> Any:
        encoded = encode(value, path)
        check_size(encoded, path, most)
        return encoded

    return encode_sized
