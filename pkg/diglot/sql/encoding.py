"""From Python values to what PostgreSQL's driver takes: one function for each declared type, which checks the value.

``parameters.encoder`` chooses it by the header.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from diglot.errors import InvalidValue, TooLarge
from diglot.sql import canonical_json
from diglot.sql.timestamps import utc

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
_DECIMAL_DIGITS = 16_383
"""The most digits that PostgreSQL keeps behind the point of a number; it keeps more before it."""


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
            raise InvalidValue(path, f"text is needed, not {kind_of(value)}")
        value = str.__str__(value)
    if not value.isascii() or "\0" in value:
        canonical_json.check_text(value, path)
    return value  # type: ignore[no-any-return]


def encode_int(value: Any, path: str) -> int:
    if type(value) is not int:
        raise InvalidValue(path, f"an integer is needed, not {kind_of(value)}")
    if not MIN_INT <= value <= MAX_INT:
        raise InvalidValue(path, "the integer is beyond 64 bits")
    return value


def encode_float(value: Any, path: str) -> float:
    if type(value) is int:
        value = _exact_float(value, path)
    if type(value) is not float:
        raise InvalidValue(path, f"a number is needed, not {kind_of(value)}")
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
        raise InvalidValue(path, f"True or False is needed, not {kind_of(value)}")
    return value


def encode_bytes(value: Any, path: str) -> bytes:
    if type(value) is not bytes:
        raise InvalidValue(path, f"bytes are needed, not {kind_of(value)}")
    return value


def encode_timestamp(value: Any, path: str) -> datetime:
    if not isinstance(value, datetime):
        raise InvalidValue(path, f"a datetime is needed, not {kind_of(value)}")
    return utc(value, path)


def encode_date(value: Any, path: str) -> date:
    if type(value) is not date:
        raise InvalidValue(path, f"a date is needed, not {kind_of(value)}")
    return value


def encode_time(value: Any, path: str) -> time:
    if type(value) is not time:
        raise InvalidValue(path, f"a time is needed, not {kind_of(value)}")
    if value.tzinfo is not None:
        raise InvalidValue(path, "a time of day without a time zone is needed")
    return value.replace(fold=0)


def encode_uuid(value: Any, path: str) -> UUID:
    if not isinstance(value, UUID):
        raise InvalidValue(path, f"a UUID is needed, not {kind_of(value)}")
    return value


def encode_decimal(value: Any, path: str) -> Decimal:
    if type(value) is int:
        value = Decimal(value)
    if type(value) is not Decimal:
        raise InvalidValue(path, f"a Decimal is needed, not {kind_of(value)}")
    if not value.is_finite():
        raise InvalidValue(path, f"{value} can't be stored: it is not a number")
    if value.adjusted() >= _DECIMAL_DIGITS or -_exponent(value) > _DECIMAL_DIGITS:
        raise InvalidValue(path, f"the number has more than {_DECIMAL_DIGITS:,} digits before or after its point")
    return value if value else abs(value)


def _exponent(value: Decimal) -> int:
    return int(value.as_tuple().exponent)


class EncodedJson(str):
    """A JSON text that was checked and made canonical already: it is passed on as it is."""

    __slots__ = ()


def encode_json(value: Any, path: str) -> str:
    if type(value) is EncodedJson:
        return value
    return canonical_json.dumps(value, path)


def kind_of(value: Any) -> str:
    return "None" if value is None else type(value).__name__
