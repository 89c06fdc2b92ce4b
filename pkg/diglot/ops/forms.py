"""The form of a column's values: one representation for both engines, to convert and compare them.

A value in its form is plain Python and the same whichever engine it came from: a point in time is text of 27
characters, a JSON document its canonical text. The PostgreSQL type decides the form; if there is only a SQLite
database, values are taken as they are stored.
"""

from __future__ import annotations

from typing import Literal

from diglot.drift.types import type_class
from diglot.schema.model import Column

Form = Literal[
    "stored",  # SQLite alone: None, int, float, str or bytes, as it is
    "text",
    "integer",
    "boolean",  # 0 or 1
    "real",
    "numeric",  # text: the digits without trailing zeros
    "instant",  # text: 2026-01-31T09:05:07.000123Z
    "timestamp",  # text: 2026-01-31T09:05:07.000123
    "date",  # text: 2026-01-31
    "time",  # text, as PostgreSQL writes it
    "json",  # text: canonical
    "array",  # text: a canonical JSON array
    "blob",  # bytes
    "uuid",  # text: lower case, with hyphens
]
_FORMS: dict[str, Form] = {
    **dict.fromkeys(("smallint", "integer", "bigint"), "integer"),
    **dict.fromkeys(("real", "double precision"), "real"),
    **dict.fromkeys(("json", "jsonb"), "json"),
    "numeric": "numeric",
    "boolean": "boolean",
    "timestamp with time zone": "instant",
    "timestamp without time zone": "timestamp",
    "date": "date",
    "time without time zone": "time",
    "time with time zone": "time",
    "bytea": "blob",
    "uuid": "uuid",
}


def form_of(postgres: Column | None) -> Form:
    """The form of a column, from its type in PostgreSQL; None: there is only SQLite."""
    if postgres is None:
        return "stored"
    found = type_class(postgres, "postgres")
    return "array" if found.array else _FORMS.get(found.name, "text")
