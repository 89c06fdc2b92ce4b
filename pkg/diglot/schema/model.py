"""The schema of a database, in one form for both engines.

Texts of expressions and types are as the engine returns them; their meaning is determined when two are compared,
because it depends on the other side (INTEGER is a boolean where the other column is one).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from diglot.sql.session import Dialect

Identity = Literal["", "always", "by default", "rowid", "autoincrement"]
"""What numbers the rows: PostgreSQL's identity (a serial is ``by default``), SQLite's rowid alias or AUTOINCREMENT."""


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column. ``labels`` are those of an enum (or of an array of one); a domain is resolved to its base type."""

    name: str
    type: str
    labels: tuple[str, ...] = ()
    nullable: bool = True
    default: str | None = None
    identity: Identity = ""
    generated: str | None = None
    stored: bool = False
    collation: str = ""
    """Empty if it is the engine's default (SQLite: BINARY)."""
    comment: str = ""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One key of an index: a column or an expression. ``collation`` is empty if it is the column's own."""

    column: str | None = None
    expression: str | None = None
    descending: bool = False
    nulls_first: bool | None = None
    """None: the default of the direction."""
    collation: str = ""
    operator_class: str = ""
    """Empty for the type's default."""
    excludes_with: str = ""
    """The operator of an exclusion constraint."""


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """An index, or a unique constraint, which is one too."""

    name: str | None
    keys: tuple[Key, ...]
    unique: bool = False
    include: tuple[str, ...] = ()
    predicate: str | None = None
    method: str = "btree"
    nulls_distinct: bool = True
    deferrable: str = ""
    valid: bool = True
    plan_name: str | None = None
    """Its name in query plans, if different: SQLite names the index of a unique constraint itself."""


class PrimaryKey(msgspec.Struct, frozen=True, kw_only=True):
    """``plan_name`` is as for an index."""

    name: str | None
    columns: tuple[str, ...]
    deferrable: str = ""
    plan_name: str | None = None


class ForeignKey(msgspec.Struct, frozen=True, kw_only=True):
    """``deferrable`` is empty, ``deferrable`` or ``deferrable initially deferred``."""

    name: str | None
    columns: tuple[str, ...]
    table: str
    references: tuple[str, ...]
    on_delete: str = "no action"
    on_update: str = "no action"
    match: str = "simple"
    deferrable: str = ""
    validated: bool = True


class Check(msgspec.Struct, frozen=True, kw_only=True):
    name: str | None
    expression: str
    validated: bool = True


Event = Literal["insert", "update", "delete", "truncate"]
Timing = Literal["before", "after", "instead of"]


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger. ``columns`` are those of UPDATE OF; ``when`` and ``body`` are the engine's own text.

    PostgreSQL: the body is that of the function; ``changes_row`` if it assigns to NEW, which SQLite can't do.
    """

    name: str
    timing: Timing
    events: tuple[Event, ...]
    columns: tuple[str, ...] = ()
    for_each: Literal["row", "statement"] = "row"
    when: str = ""
    body: str = ""
    changes_row: bool = False
    enabled: bool = True


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """A policy of PostgreSQL's row level security."""

    name: str
    command: str
    permissive: bool
    roles: tuple[str, ...]
    using: str | None
    check: str | None


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """A privilege in PostgreSQL that someone has who is not the owner. ``column`` is empty for the whole table."""

    role: str
    privilege: str
    column: str = ""
    grantable: bool = False


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """``options`` are specific to one engine: ``strict``, ``partition by range (day)``, ``virtual`` …"""

    name: str
    columns: tuple[Column, ...]
    primary_key: PrimaryKey | None = None
    foreign_keys: tuple[ForeignKey, ...] = ()
    indexes: tuple[Index, ...] = ()
    checks: tuple[Check, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    options: tuple[str, ...] = ()
    row_security: Literal["", "enabled", "forced"] = ""
    policies: tuple[Policy, ...] = ()
    grants: tuple[Grant, ...] = ()
    comment: str = ""


class ViewColumn(msgspec.Struct, frozen=True, kw_only=True):
    """``type`` is empty if SQLite does not know it."""

    name: str
    type: str


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A view. ``columns`` is None if SQLite can't find them, because the view refers to what is not there."""

    name: str
    columns: tuple[ViewColumn, ...] | None
    body: str
    materialized: bool = False
    triggers: tuple[Trigger, ...] = ()
    grants: tuple[Grant, ...] = ()
    comment: str = ""


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    """A whole schema. ``location`` is where it was read, for people, without a password."""

    dialect: Dialect
    location: str
    tables: tuple[Table, ...]
    views: tuple[View, ...] = ()
