"""The statement that inserts new rows and updates existing rows that differ."""

from __future__ import annotations

from diglot.errors import ConfigurationError
from diglot.ops.content import TableFields
from diglot.ops.forms import Form
from diglot.sql.identifiers import listed, quoted

_EXACT: frozenset[Form] = frozenset(
    ("integer", "boolean", "real", "numeric", "instant", "timestamp", "date", "time", "blob", "uuid")
)
"""Forms whose values in PostgreSQL are equal only if they are identical."""
_DIFFERS = {"postgres": "is distinct from", "sqlite": "is not"}


def upsert(table: TableFields) -> str:
    """The start of the statement, up to the source of the rows."""
    columns = listed(field.column.name for field in table.fields)
    always = any(field.column.identity == "always" for field in table.fields)
    overriding = " overriding system value" if always else ""
    return f"/* diglot:ops.merge */ insert into {quoted(table.name)} ({columns}){overriding}"


def on_conflict(table: TableFields) -> str:
    """The end of the statement. Raises ConfigurationError for a table without a primary key: no row can be matched."""
    key = table.table.primary_key
    if key is None:
        raise ConfigurationError(f"{table.name} has no primary key, so an import can't match its rows: use a copy")
    others = [field.column.name for field in table.fields if field.column.name not in key.columns]
    # SQLite needs a WHERE between SELECT and ON CONFLICT; VALUES and a plain table need none.
    target = f"on conflict ({listed(key.columns)})"
    if not others:
        return f"{target} do nothing"
    values = ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in others)
    differs = _DIFFERS[table.dialect]
    changed = " or ".join(f"{_old(table, name)} {differs} {_new(table, name)}" for name in others)
    return f"{target} do update set {values} where {changed}"


def _old(table: TableFields, name: str) -> str:
    return _comparable(table, name, f"{quoted(table.name)}.{quoted(name)}")


def _new(table: TableFields, name: str) -> str:
    return _comparable(table, name, f"excluded.{quoted(name)}")


def _comparable(table: TableFields, name: str, text: str) -> str:
    """An expression that shows every change. PostgreSQL types may have no equality (json, point), or one that ignores
    differences (citext, box, a nondeterministic collation), so all but the common types are compared as text."""
    field = next(field for field in table.fields if field.column.name == name)
    if table.dialect == "sqlite" or field.form in _EXACT or field.column.type == "jsonb":
        return text
    return f'cast({text} as text) collate "C"'
