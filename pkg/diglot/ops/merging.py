"""The statement that inserts rows, or updates those that are there already and differ."""

from __future__ import annotations

from diglot.errors import ConfigurationError
from diglot.ops.content import TableFields
from diglot.ops.forms import Form
from diglot.sql.identifiers import listed, quoted

_EXACT: frozenset[Form] = frozenset(
    ("integer", "boolean", "real", "numeric", "instant", "timestamp", "date", "time", "blob", "uuid")
)
"""Forms whose values in PostgreSQL are equal only when they are the same."""
_DIFFERS = {"postgres": "is distinct from", "sqlite": "is not"}


def upsert(table: TableFields) -> str:
    """Its beginning, up to where the rows come from."""
    columns = listed(field.column.name for field in table.fields)
    always = any(field.column.identity == "always" for field in table.fields)
    overriding = " overriding system value" if always else ""
    return f"/* diglot:ops.merge */ insert into {quoted(table.name)} ({columns}){overriding}"


def on_conflict(table: TableFields) -> str:
    """Its end. ConfigurationError for a table without a primary key: its rows can't be found again."""
    key = table.table.primary_key
    if key is None:
        raise ConfigurationError(f"{table.name} has no primary key, so its rows can't be imported twice: use a copy")
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
    """What shows every change. Types of PostgreSQL may have no equality (json, point), or one that ignores something
    (citext, box, a nondeterministic collation), so all but the common ones are compared as they are written."""
    field = next(field for field in table.fields if field.column.name == name)
    if table.dialect == "sqlite" or field.form in _EXACT or field.column.type == "jsonb":
        return text
    return f'cast({text} as text) collate "C"'
