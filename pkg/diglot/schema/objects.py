"""Every object in a database by name, with its definition: to see what rolling a migration back leaves.

Unlike ``model``, in which both engines can be compared, this compares an engine with itself: definitions are the
engine's own texts, and functions, policies and types count too. The tables of migration tools do not count.
"""

from __future__ import annotations

import re
from typing import Any

from diglot.schema.statements import statement
from diglot.sql.scanner import Kind, tokens
from diglot.sql.session import Dialect

Objects = dict[str, str]
"""``column users.email`` to its definition."""

_BOOKS = re.compile(r"_?yoyo_|diglot_migration_|sqlite_")


def objects(connection: Any, dialect: Dialect) -> Objects:
    """All objects, read on the driver's own connection."""
    if dialect == "sqlite":
        return _of_sqlite(connection)
    import psycopg

    with psycopg.Cursor(connection, row_factory=psycopg.rows.tuple_row) as cursor:
        rows = cursor.execute(statement("postgres", "objects").text, prepare=False).fetchall()
    return {name: definition or "" for name, definition in rows if not _BOOKS.match(name.partition(" ")[2])}


def difference(before: Objects, after: Objects) -> str | None:
    """Describes the first few differences; None if there are none."""
    said = [f"{name} is gone" for name in _outermost(before.keys() - after.keys())]
    said += [f"{name} is there" for name in _outermost(after.keys() - before.keys())]
    said += [f"{name} is another" for name in sorted(before.keys() & after.keys()) if before[name] != after[name]]
    if not said:
        return None
    return ", ".join(said[:3]) + (f" and {len(said) - 3} more" if len(said) > 3 else "")


def _outermost(names: set[str]) -> list[str]:
    """Tables and views before their parts, which are omitted if the table or view itself is named."""
    tables = {name.partition(" ")[2] for name in names if name.startswith(("table ", "view "))}
    inner = {name for name in names if name.partition(" ")[2].rpartition(".")[0] in tables}
    return sorted(names - inner, key=lambda name: (not name.startswith(("table ", "view ")), name))


def _of_sqlite(connection: Any) -> Objects:
    found: Objects = {}
    for kind, name, table, sql in connection.execute(statement("sqlite", "objects").text).fetchall():
        if _BOOKS.match(name) or _BOOKS.match(table):
            continue
        found[f"{kind} {name}"] = _normal(sql or "")
        if kind == "table":
            columns = connection.execute(statement("sqlite", "object_columns").text, (name,)).fetchall()
            found.update({f"column {name}.{column}": str(tuple(definition)) for column, *definition in columns})
    return found


def _normal(sql: str) -> str:
    """Without comments, white space, and quotes around names that need none: what ALTER TABLE leaves differently."""
    parts: list[str] = []
    for token in tokens(sql, dialect="sqlite"):
        if token.kind is Kind.CODE:
            parts.extend(re.findall(r"\w+|[^\w\s]", token.text.lower()))
        elif token.kind is Kind.IDENTIFIER and re.fullmatch(r"\w+", token.text[1:-1]):
            parts.append(token.text[1:-1].lower())
        elif token.kind not in (Kind.LINE_COMMENT, Kind.BLOCK_COMMENT):
            parts.append(token.text)
    return " ".join(parts)
