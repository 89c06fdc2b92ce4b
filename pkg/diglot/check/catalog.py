"""The tables of a migrated database as its own catalog tells them: what a column may hold, and whether it may be null.

A column's *kinds* are the header types that its values can be: jsonb is json, but SQLite's TEXT may be text, a
timestamp or json; what CHECKs or the facing database say of it decides. None means that nothing is known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import LiteralString

import msgspec

from diglot.stores.session import Statement, Store

Kinds = frozenset[str] | None

TEXT, INTEGER = frozenset({"text", "timestamp", "json"}), frozenset({"int", "bool"})
_POSTGRES: dict[str, str] = {
    **dict.fromkeys(("text", "varchar", "bpchar", "name", "citext", "char", "unknown"), "text"),
    **dict.fromkeys(("int2", "int4", "int8", "oid"), "int"),
    **dict.fromkeys(("float4", "float8"), "float"),
    **dict.fromkeys(("jsonb", "json"), "json"),
    "bool": "bool",
    "bytea": "bytes",
    "timestamptz": "timestamp",
}
_TIME_FUNCTIONS = r"(?:date|datetime|julianday|strftime|unixepoch)"


class Column(msgspec.Struct, frozen=True):
    """``declared`` is the type as the database writes it; ``nullable`` None where it does not say (a view's)."""

    declared: str
    kinds: Kinds
    nullable: bool | None


Catalog = Mapping[str, Mapping[str, Column]]
"""Columns, in their order, by table."""

_OF_POSTGRES: LiteralString = """
select
    class.relname,
    attribute.attname,
    pg_catalog.format_type(attribute.atttypid, attribute.atttypmod),
    coalesce(base.typname, type.typname),
    type.typtype::text,
    attribute.attnotnull or type.typnotnull,
    class.relkind in ('r', 'p')
from pg_catalog.pg_attribute as attribute
inner join pg_catalog.pg_class as class on attribute.attrelid = class.oid
inner join pg_catalog.pg_type as type on attribute.atttypid = type.oid
left join pg_catalog.pg_type as base on type.typtype = 'd' and type.typbasetype = base.oid
where
    pg_catalog.pg_table_is_visible(class.oid)
    and class.relkind in ('r', 'p', 'v', 'm', 'f')
    and attribute.attnum > 0
    and not attribute.attisdropped
    and class.relnamespace <> 'pg_catalog'::regnamespace
order by class.relname, attribute.attnum
"""
_OF_SQLITE: LiteralString = """
select
    tables.name,
    columns.name,
    columns.type,
    columns."notnull",
    columns.pk,
    tables.strict or tables.wr,
    tables.type,
    (select count(*) from pragma_table_xinfo(tables.name) as keys where keys.pk > 0),
    coalesce((select made.sql from sqlite_schema as made where made.name = tables.name), '')
from pragma_table_list as tables, pragma_table_xinfo(tables.name) as columns
where tables.schema = 'main' and tables.name not like 'sqlite~_%' escape '~'
order by tables.name, columns.cid
"""


def read_catalog(store: Store, facing: Catalog | None = None) -> Catalog:
    """The tables and views of a store. ``facing`` is PostgreSQL's catalog, which knows what SQLite's TEXT is."""
    if store.dialect == "postgres":
        return _postgres(store)
    return _sqlite(store, facing or {})


def postgres_kinds(name: str, kind: str) -> Kinds:
    """What a type of PostgreSQL is, by its name and pg_type.typtype; its own name where the headers have none."""
    if kind == "e":
        return frozenset({"text"})
    if name.startswith("_"):
        inner = postgres_kinds(name[1:], "b")
        return frozenset(f"{each}[]" for each in inner or ())
    return frozenset({_POSTGRES.get(name, name)})


def _postgres(store: Store) -> Catalog:
    found: dict[str, dict[str, Column]] = {}
    for table, name, declared, base, kind, not_null, is_table in store.rows(Statement("check.catalog", _OF_POSTGRES)):
        nullable = not not_null if is_table else None
        found.setdefault(table, {})[name] = Column(declared, postgres_kinds(base, kind), nullable)
    return found


def _sqlite(store: Store, facing: Catalog) -> Catalog:
    found: dict[str, dict[str, Column]] = {}
    for table, name, declared, not_null, key, strict, kind, keys, sql in store.rows(
        Statement("check.catalog", _OF_SQLITE)
    ):
        # Without STRICT or WITHOUT ROWID a primary key may hold NULL, unless it is the rowid itself.
        is_rowid = key and keys == 1 and declared.upper() == "INTEGER"
        nullable = None if kind == "view" else not (not_null or is_rowid or (key and strict))
        kinds = _sqlite_kinds(declared, name, sql)
        other = facing.get(table, {}).get(name)
        if kinds in (TEXT, INTEGER) and other is not None and other.kinds is not None:
            # A type that SQLite has no word for (uuid, an enum, numeric) is text to it.
            kinds = (kinds & other.kinds) or frozenset({"text" if kinds == TEXT else "int"})
        found.setdefault(table, {})[name] = Column(declared, kinds, nullable)
    return found


def _sqlite_kinds(declared: str, name: str, table: str) -> Kinds:
    """By the declared type's affinity and the CHECKs in the table's text."""
    kind = declared.upper()
    column = rf"[\"`\[]?\b{re.escape(name)}\b[\"`\]]?"
    if "BOOL" in kind:
        return frozenset({"bool"})
    if "JSON" in kind:
        return frozenset({"json"})
    if "DATE" in kind or "TIMESTAMP" in kind:
        return frozenset({"timestamp"})
    if "INT" in kind:
        is_bool = re.search(rf"{column}\s+in\s*\(\s*[01]\s*,\s*[01]\s*\)", table, re.IGNORECASE)
        return frozenset({"bool", "int"}) if is_bool else INTEGER
    if "CHAR" in kind or "CLOB" in kind or "TEXT" in kind:
        if re.search(rf"json_valid\s*\(\s*{column}", table, re.IGNORECASE):
            return frozenset({"json"})
        if re.search(rf"{column}\s+glob\s+'[?\[][^']*[-T:]", table, re.IGNORECASE) or re.search(
            rf"\b{_TIME_FUNCTIONS}\s*\((?:\s*'[^']*'\s*,)?\s*(?:substr\s*\(\s*)?{column}", table, re.IGNORECASE
        ):
            return frozenset({"timestamp"})
        return TEXT
    if "BLOB" in kind:
        return frozenset({"bytes"})
    if "REAL" in kind or "FLOA" in kind or "DOUB" in kind:
        return frozenset({"float"})
    return None
