"""Queries that are written in a test: through the query layer, so values are encoded and rows decoded as everywhere.

    value(session, "select cast(:a as bigint) + :b as total", "int", a=1, b=2)

The parameters are declared by the values' own types; None is a text that may be null.
"""

from datetime import datetime

from diglot.sql.loader import load_text

TYPES = {str: "text", int: "int", float: "float", bool: "bool", bytes: "bytes", datetime: "timestamp", dict: "json"}


def declared(value):
    """The type that a header would declare for a value."""
    if value is None:
        return "text?"
    if isinstance(value, list):
        return f"{TYPES[type(value[0])] if value else 'text'}[]"
    return TYPES[type(value)]


def query(session, sql, suffix="", returns=None, models=None, types=None, **values):
    """The query object of a text; ``types`` overrides what the values' types declare."""
    kinds = {name: declared(value) for name, value in values.items()} | (types or {})
    lines = [f"-- name: q({', '.join(kinds)}){suffix}", *(f"-- param: {name} {kind}" for name, kind in kinds.items())]
    lines += [f"-- returns: {returns}"] if returns else []
    return load_text("\n".join([*lines, sql]), session.dialect, models).q


def rows(session, sql, returns, models=None, types=None, **values):
    return query(session, sql, "", returns, models, types, **values)(session, **values)


def value(session, sql, returns, types=None, **values):
    return query(session, sql, "$", returns, None, types, **values)(session, **values)


def count(session, sql, types=None, **values):
    return query(session, sql, "!", None, None, types, **values)(session, **values)


def script(session, sql):
    load_text(f"-- name: q#\n{sql}", session.dialect).q(session)


COLUMN_TYPES = {
    "postgres": {
        "text": 'text collate "C"',
        "int": "bigint",
        "float": "double precision",
        "bool": "boolean",
        "bytes": "bytea",
        "timestamp": "timestamptz",
        "json": "jsonb",
    },
    "sqlite": {
        "text": "text",
        "int": "integer",
        "float": "real",
        "bool": "integer",
        "bytes": "blob",
        "timestamp": "text",
        "json": "text",
    },
}


def scratch(session, **columns):
    """Makes the table ``scratch`` with these columns, each of a type of the query layer: ``id="int"``."""
    kinds = COLUMN_TYPES[session.dialect]
    inside = ", ".join(f"{name} {kinds[kind]}" for name, kind in columns.items())
    script(session, f"create table scratch ({inside}){' strict' if session.dialect == 'sqlite' else ''};")
