"""The tables of a migrated database according to its catalog: what a column may contain, and whether it may be null.

A column's *kinds* are the header types that its values can be: jsonb is json, but SQLite's TEXT may be text, a
timestamp or json; its CHECKs or the PostgreSQL column decide. None means unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from diglot.drift.expressions import columns_of, facts, walk
from diglot.drift.reading import Scope
from diglot.drift.values import Form, number_form, one_of
from diglot.schema.columns import visible_columns
from diglot.schema.functions import Functions, functions, view_definitions
from diglot.schema.model import Check
from diglot.sql.types import TYPES
from diglot.stores.store import Store

Kinds = frozenset[str] | None

WITHOUT_ZONE = "timestamp without time zone"
"""No instant, so the headers have no type for it."""
TEXT, INTEGER = frozenset({"text", "timestamp", "json"}), frozenset({"int", "bool"})
_POSTGRES = {postgres: name for name, each in TYPES.items() for postgres in each.postgres} | {"timestamp": WITHOUT_ZONE}
_AS_TEXT = frozenset({"date", "time", "uuid", "decimal"})
"""Types whose values are text on SQLite."""
_DECLARED = {"DATE": "date", "TIME": "time", "UUID": "uuid"}
_TIME_FUNCTIONS = frozenset({"date", "datetime", "julianday", "strftime", "unixepoch"})
_TIMES = tuple(
    f"2001-01-01{time}{zone}"
    for time in ("", *(f"{mark}01:01{rest}" for mark in "T " for rest in ("", ":01", ":01.001", ":01.000001")))
    for zone in ("", "Z", "+00:00")
)
"""The forms that a GLOB may require of the text of a time."""


class Column(msgspec.Struct, frozen=True):
    """``declared`` is the type as the database writes it; ``nullable`` is None if it is unknown (in a view).

    ``is_flag``: SQLite's integer that a CHECK keeps to 0 and 1.
    """

    declared: str
    kinds: Kinds
    nullable: bool | None
    is_flag: bool = False


class Catalog:
    """``tables``: the columns of each table and view, in their order. ``views``: their queries.

    ``triggered``: the tables whose rows a trigger may change on their way in.
    """

    def __init__(
        self,
        tables: Mapping[str, Mapping[str, Column]],
        known: Functions | None = None,
        views: Mapping[str, str] | None = None,
        triggered: frozenset[str] = frozenset(),
    ) -> None:
        self.tables = tables
        self.functions = known or Functions({})
        self.views = views or {}
        self.triggered = triggered
        self.derived: dict[str, Any] = {}
        """What the lineage derived of the views: each is looked into once."""


def read_catalog(store: Store, facing: Catalog | None = None) -> Catalog:
    """The tables and views of a store. ``facing`` is PostgreSQL's catalog, which knows what SQLite's TEXT is."""
    visible = visible_columns(store)
    found: dict[str, dict[str, Column]] = {}
    for column in visible.columns:
        if store.dialect == "postgres":
            kinds = postgres_kinds(column.base, "e" if column.is_enum else "")
        else:
            kinds = _sqlite_kinds(column.type, column.name, visible.checks.get(column.table, []))
        other = facing.tables.get(column.table, {}).get(column.name) if facing is not None else None
        if store.dialect == "sqlite" and kinds is None and other is not None and other.kinds is not None:
            kinds = (other.kinds & {"decimal"}) or None  # numeric affinity, as any unknown type
        if store.dialect == "sqlite" and kinds in (TEXT, INTEGER) and other is not None and other.kinds is not None:
            # A type that SQLite has no name for (uuid, an enum, numeric) is text there, and may be read as such.
            named = other.kinds & _AS_TEXT if kinds == TEXT else frozenset()
            kinds = (kinds & _as_text(other.kinds)) or frozenset({"text" if kinds == TEXT else "int"}) | named
        is_flag = kinds == INTEGER and _is_flag(column.name.lower(), visible.checks.get(column.table, []))
        found.setdefault(column.table, {})[column.name] = Column(column.type, kinds, column.nullable, is_flag)
    return Catalog(found, functions(store), view_definitions(store), visible.triggered)


def _as_text(kinds: frozenset[str]) -> frozenset[str]:
    """What SQLite keeps for PostgreSQL's kinds: a timestamp has one form there, with or without time zone."""
    return frozenset({"timestamp" if kind == WITHOUT_ZONE else kind for kind in kinds})


def postgres_kinds(name: str, kind: str) -> Kinds:
    """The header type of a PostgreSQL type, by its name and pg_type.typtype; its own name if the headers have none."""
    if kind == "e":
        return frozenset({"text"})
    if name.startswith("_"):
        inner = postgres_kinds(name[1:], "b")
        return frozenset(f"{each}[]" for each in inner or ())
    return frozenset({_POSTGRES.get(name, name)})


def _sqlite_kinds(declared: str, name: str, checks: list[Check]) -> Kinds:
    """By the declared type's affinity and by the CHECKs that are about this column alone."""
    kind = declared.upper()
    named = _DECLARED.get(kind.partition("(")[0].strip())
    if named is not None:
        return frozenset({named})
    if "BOOL" in kind:
        return frozenset({"bool"})
    if "JSON" in kind:
        return frozenset({"json"})
    if "DATE" in kind or "TIMESTAMP" in kind:
        return frozenset({"timestamp"})
    if "INT" in kind:
        return INTEGER
    if "CHAR" in kind or "CLOB" in kind or "TEXT" in kind:
        return _text_kinds(name.lower(), checks)
    if "BLOB" in kind:
        return frozenset({"bytes"})
    if "REAL" in kind or "FLOA" in kind or "DOUB" in kind:
        return frozenset({"float"})
    return None


def _is_flag(name: str, checks: list[Check]) -> bool:
    wanted = one_of(("column", name), {number_form(0), number_form(1)})
    return any(fact == wanted for check in checks for fact in facts(check.expression, Scope("sqlite")))


def _text_kinds(name: str, checks: list[Check]) -> frozenset[str]:
    """A CHECK that involves other columns may apply to some rows only, so it does not count."""
    column: Form = ("column", name)
    for check in checks:
        for fact in facts(check.expression, Scope("sqlite")):
            if columns_of(fact) != {name}:
                continue
            parts = list(walk(fact))
            if ("json_valid", column) in parts or ("json_type", column) in parts:
                return frozenset({"json"})
            if any(part[0] in _TIME_FUNCTIONS and columns_of(part) for part in parts) or _is_time_pattern(fact, column):
                return frozenset({"timestamp"})
    return TEXT


def _is_time_pattern(fact: Form, column: Form) -> bool:
    """Whether it requires the dashes, the T or the colons of a time, where times have them."""
    if fact[:2] != ("matches", column):
        return False
    marks = re.search(r"[-T:]", re.sub(r"\[[^\]]*\]", "", fact[2]))
    return bool(marks) and any(re.fullmatch(fact[2], time) for time in _TIMES)
