"""Makes way for a restored schema: its objects move into another schema, in the transaction of the restore.

The objects are moved, not the schema: their owner may do that (a schema like ``public`` often belongs to somebody
else), and the schema keeps its privileges and its extensions.
"""

from __future__ import annotations

from typing import Any

import psycopg

from diglot.errors import ConfigurationError
from diglot.ops.statements import statement
from diglot.sql.identifiers import quoted


def make_way(connection: psycopg.Connection[Any], schema: str, location: str, *, replace: bool) -> str | None:
    """Make sure that the schema exists and is empty; returns the schema that has its old objects, or None.

    Raises ConfigurationError if it is not empty and ``replace`` is false. Waits until nobody uses its tables.
    """
    with psycopg.RawCursor(connection) as cursor:
        if not _rows(cursor, "has_schema", schema)[0][0]:
            connection.execute(f"create schema {quoted(schema)}".encode())
            return None
        objects = _rows(cursor, "objects_of_schema", schema)
        if not objects:
            return None
        tables = [row[0] for row in _rows(cursor, "tables_of_schema", schema)]
        if not replace:
            what = tables[0] if tables else f"the {objects[0][0]} {objects[0][1]}"
            raise ConfigurationError(
                f"{location} is not empty (it has {what}): "
                "restore with --replace, which keeps the old objects in another schema"
            )
        aside = str(_rows(cursor, "free_schema_name", schema)[0][0])
        connection.execute(f"create schema {quoted(aside)}".encode())
        if tables:
            listed = ", ".join(f"{quoted(schema)}.{quoted(table)}" for table in tables)
            connection.execute(f"lock table {listed} in access exclusive mode".encode())
        # Names from the catalog, quoted by the server.
        for kind, identity in objects:
            connection.execute(f"alter {kind} {identity} set schema {quoted(aside)}".encode())
    return aside


def _rows(cursor: psycopg.RawCursor[Any], name: str, schema: str) -> list[Any]:
    return cursor.execute(statement("postgres", name).text.encode(), (schema,)).fetchall()
