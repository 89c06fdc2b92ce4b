"""The types of query headers: what each is in Python and in both databases, and how its values get there and back.

One entry of TYPES is all that the header, the encoders, the decoders, the generated signatures and the checks know of a
type.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Never
from uuid import UUID

import msgspec

from diglot.sql import encoding
from diglot.sql.timestamps import timestamp_from_text, timestamp_text

Convert = Callable[[Any], Any]


class HeaderType(msgspec.Struct, frozen=True, kw_only=True):
    """``encode`` checks a value and returns what PostgreSQL's driver takes, and ``to_sqlite`` makes of that what SQLite
    stores (None: the same). ``from_postgres`` and ``from_sqlite`` convert what the drivers return (None: nothing to
    do). ``oid``, ``list_oid``: how PostgreSQL's driver declares a value and a list of values; 0 lets the server infer
    the type. ``kinds``: the types of PostgreSQL that hold such values. ``sample``: a value as SQLite stores it.
    ``sized``: its values have no size of their own. ``in_lists``: ``T[]`` can be passed to SQLite."""

    python: type
    encode: encoding.Encoder
    sample: Any
    to_sqlite: Convert | None = None
    from_postgres: Convert | None = None
    from_sqlite: Convert | None = None
    oid: int = 0
    list_oid: int = 1009
    postgres: tuple[str, ...]
    sized: bool = False
    in_lists: bool = True


class _Booleans(dict[int, bool]):
    """SQLite's 0 and 1. A lookup, because it is as fast as ``bool`` and takes nothing else for true."""

    def __missing__(self, key: object) -> Never:
        raise ValueError(f"{key!r} is not a bool: SQLite's are 0 and 1")


BOOLEANS = _Booleans({0: False, 1: True})


def _time_text(value: time) -> str:
    return value.isoformat(timespec="microseconds")


def _time_from_text(text: str) -> time:
    found = time.fromisoformat(text)
    if found.tzinfo is not None:
        raise ValueError(f"{text!r} is a time with an offset")
    return found


def _date_from_text(text: str) -> date:
    if len(text) != 10:
        raise ValueError(f"{text!r} is not a date of the form 2026-01-31")
    return date.fromisoformat(text)


def _uuid_from_sqlite(value: str | bytes) -> UUID:
    return UUID(bytes=value) if isinstance(value, bytes) else UUID(value)


def decimal_text(value: Decimal) -> str:
    """The digits of a finite number, without zeros that say nothing: ``1.50`` and ``1.5`` are ``1.5``."""
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _decimal_from_sqlite(value: str | float) -> Decimal:
    """A column with numeric affinity has made a number of the text."""
    found = Decimal(repr(value) if isinstance(value, float) else value)
    if not found.is_finite():
        raise ValueError(f"{value!r} is not a number")
    return found


TYPES: dict[str, HeaderType] = {
    "text": HeaderType(
        python=str,
        encode=encoding.encode_text,
        sample="",
        postgres=("text", "varchar", "bpchar", "name", "citext", "char", "unknown"),
        sized=True,
    ),
    "int": HeaderType(
        python=int,
        encode=encoding.encode_int,
        sample=0,
        oid=20,
        list_oid=1016,
        postgres=("int2", "int4", "int8", "oid"),
    ),
    "float": HeaderType(
        python=float, encode=encoding.encode_float, sample=0.0, oid=701, list_oid=1022, postgres=("float4", "float8")
    ),
    "bool": HeaderType(
        python=bool,
        encode=encoding.encode_bool,
        sample=0,
        to_sqlite=int,
        from_sqlite=BOOLEANS.__getitem__,
        oid=16,
        list_oid=1000,
        postgres=("bool",),
    ),
    "bytes": HeaderType(
        python=bytes,
        encode=encoding.encode_bytes,
        sample=b"",
        oid=17,
        list_oid=1001,
        postgres=("bytea",),
        sized=True,
        in_lists=False,
    ),
    "timestamp": HeaderType(
        python=datetime,
        encode=encoding.encode_timestamp,
        sample="2026-01-31T09:05:07.000123Z",
        to_sqlite=timestamp_text,
        from_sqlite=timestamp_from_text,
        oid=1184,
        list_oid=1185,
        postgres=("timestamptz",),
    ),
    "date": HeaderType(
        python=date,
        encode=encoding.encode_date,
        sample="2026-01-31",
        to_sqlite=date.isoformat,
        from_sqlite=_date_from_text,
        oid=1082,
        list_oid=1182,
        postgres=("date",),
    ),
    "time": HeaderType(
        python=time,
        encode=encoding.encode_time,
        sample="09:05:07.000123",
        to_sqlite=_time_text,
        from_sqlite=_time_from_text,
        oid=1083,
        list_oid=1183,
        postgres=("time",),
    ),
    "uuid": HeaderType(
        python=UUID,
        encode=encoding.encode_uuid,
        sample="01987b2c-4c1e-7d0a-9f3e-5a6b7c8d9e0f",
        to_sqlite=str,
        from_sqlite=_uuid_from_sqlite,
        oid=2950,
        list_oid=2951,
        postgres=("uuid",),
    ),
    "decimal": HeaderType(
        python=Decimal,
        encode=encoding.encode_decimal,
        sample="0",
        to_sqlite=decimal_text,
        from_sqlite=_decimal_from_sqlite,
        oid=1700,
        list_oid=1231,
        postgres=("numeric",),
    ),
    "json": HeaderType(
        python=object, encode=encoding.encode_json, sample="{}", postgres=("jsonb", "json"), sized=True, in_lists=False
    ),
}
OF_PYTHON = {each.python: name for name, each in TYPES.items() if name != "json"}
"""The name of the type that a field of a row model has by its Python type; every other is ``json``."""
