"""What takes up space in a database: rows and bytes of its tables and indexes, and the engine's own figures."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from diglot.errors import DatabaseDamaged
from diglot.ops.content import holds_rows
from diglot.ops.settings import for_reading
from diglot.ops.still import look_until_still
from diglot.schema.read import read_within
from diglot.sql.identifiers import quoted
from diglot.sql.session import Reads, Statement
from diglot.stores import open_store
from diglot.stores.settings import PostgresSettings, SQLiteSettings

if TYPE_CHECKING:
    from diglot.project import Project


class IndexSize(msgspec.Struct, frozen=True):
    """``scans``: how often it was used since the server's statistics began; None if the engine does not count."""

    name: str
    bytes: int | None
    scans: int | None
    unique: bool


class Maintenance(msgspec.Struct, frozen=True):
    """Dead rows that are not yet removed, and when the table was last vacuumed and analyzed; None: never."""

    dead_rows: int | None
    vacuumed: datetime | None
    analyzed: datetime | None


class TableSize(msgspec.Struct, frozen=True):
    """``rows`` are counted; None if they can't be read. ``bytes``: without indexes; None if the engine does not report
    them. ``maintenance``: only PostgreSQL has it."""

    name: str
    rows: int | None
    bytes: int | None
    indexes: list[IndexSize]
    maintenance: Maintenance | None = None


class Stats(msgspec.Struct, frozen=True):
    """``figures``: the engine's own figures, by name. ``moments``: the oldest and the newest time, by subject."""

    database: str
    engine: str
    tables: list[TableSize]
    figures: dict[str, Any]
    moments: dict[str, tuple[Any, Any]]


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """The bytes of tables and indexes by name, and the uses of indexes; None if unknown. ``unreadable``: tables that
    this user may not read."""

    tables: Mapping[str, int] | None
    indexes: Mapping[str, int] | None
    scans: Mapping[str, int] | None
    maintenance: Mapping[str, Maintenance] = {}
    unreadable: Collection[str] = ()
    figures: dict[str, Any]


def stats(project: Project | None, settings: SQLiteSettings | PostgresSettings) -> Stats:
    """Count every table and read the sizes. Raises DatabaseUnavailable."""
    looking = for_reading(settings)
    return look_until_still(looking, lambda: _stats(project, looking))


def _stats(project: Project | None, settings: SQLiteSettings | PostgresSettings) -> Stats:
    with open_store(settings) as store:
        sizes: Sizes = import_module(f"diglot.ops.{store.dialect}.stats").sizes(store)
        with store.snapshot() as snapshot:
            schema = read_within(snapshot, store.location)
            tables = []
            for table in schema.tables:
                name = table.name
                indexes = [
                    IndexSize(index, _of(sizes.indexes, index), _of(sizes.scans, index), unique)
                    for index, unique in _indexes_of(table)
                ]
                rows = _count(snapshot, name) if holds_rows(table) and name not in sizes.unreadable else None
                tables.append(TableSize(name, rows, _of(sizes.tables, name), indexes, sizes.maintenance.get(name)))
            known = {table.name for table in schema.tables} - set(sizes.unreadable)
            moments = {
                name: _ends(snapshot, table, column)
                for name, (table, column) in (project.moments if project is not None else {}).items()
                if table in known
            }
        return Stats(store.location, store.server_version, tables, sizes.figures, moments)


def _indexes_of(table: Any) -> list[tuple[str, bool]]:
    found = [(index.plan_name or index.name, index.unique) for index in table.indexes]
    key = table.primary_key
    if key is not None and (key.plan_name or key.name):
        found.insert(0, (key.plan_name or key.name, True))
    return [(name, unique) for name, unique in found if name]


def _of(sizes: Mapping[str, int] | None, name: str) -> int | None:
    return None if sizes is None else sizes.get(name)


def _count(session: Reads, table: str) -> int:
    text = f"/* diglot:ops.stats */ select count(*) from {quoted(table)}"
    try:
        found: int = session.rows(Statement("ops.stats", text))[0][0]
    except DatabaseDamaged as error:
        raise DatabaseDamaged(f"the rows of {table} can't be counted: {error}") from error
    return found


def _ends(session: Reads, table: str, column: str) -> tuple[Any, Any]:
    text = f"/* diglot:ops.stats */ select min({quoted(column)}), max({quoted(column)}) from {quoted(table)}"
    oldest, newest = session.rows(Statement("ops.stats", text))[0]
    return oldest, newest
