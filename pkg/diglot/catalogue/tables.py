"""The tables of both schemas side by side, described as a DBA would."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from diglot.catalogue.entries import Column, Constraint, Entry, Index, Table
from diglot.schema import model as schema
from diglot.sql.session import Dialect

Schemas = Mapping[Dialect, schema.Schema]


def tables(schemas: Schemas, entries: Iterable[Entry]) -> list[Table]:
    """Every table of either side, sorted by name, with the queries that use it."""
    entries = list(entries)
    sides: dict[str, dict[Dialect, schema.Table]] = {}
    for dialect, side in schemas.items():
        for found in side.tables:
            sides.setdefault(found.name, {})[dialect] = found
    return [_table(name, sides[name], entries) for name in sorted(sides)]


def _table(name: str, sides: dict[Dialect, schema.Table], entries: list[Entry]) -> Table:
    columns: dict[str, dict[Dialect, Column]] = {}
    for dialect, side in sides.items():
        for column in side.columns:
            columns.setdefault(column.name, {})[dialect] = Column(column.type, _rules(column))
    uses = [(entry.name, use) for entry in entries for use in entry.uses if use.table == name]
    return Table(
        name=name,
        columns=columns,
        indexes={dialect: list(_indexes(side, dialect, entries)) for dialect, side in sides.items()},
        constraints={dialect: list(_constraints(side)) for dialect, side in sides.items()},
        read_by=[query for query, use in uses if use.reads is not None],
        written_by=[query for query, use in uses if use.writes is not None],
    )


def _rules(column: schema.Column) -> str:
    rules = []
    if column.collation:
        rules.append(f"collate {column.collation}")
    if not column.nullable:
        rules.append("not null")
    if column.default is not None:
        rules.append(f"default {column.default}")
    if column.generated is not None:
        rules.append(f"generated always as ({column.generated}) {'stored' if column.stored else 'virtual'}")
    if column.identity:
        numbered = {"rowid": "numbered by rowid", "autoincrement": "autoincrement"}
        rules.append(numbered.get(column.identity, f"generated {column.identity} as identity"))
    if column.labels:
        rules.append(f"in ({', '.join(map(repr, column.labels))})")
    return " ".join(rules)


def _indexes(table: schema.Table, dialect: Dialect, entries: list[Entry]) -> Iterator[Index]:
    def serves(name: str) -> list[str]:
        return [entry.name for entry in entries if dialect in entry.sides and name in entry.sides[dialect].indexes]

    if table.primary_key is not None:
        name = key_name(table.name, table.primary_key)
        yield Index(name, f"primary key ({', '.join(table.primary_key.columns)})", serves(name))
    for index in sorted(table.indexes, key=index_name):
        name = index_name(index)
        yield Index(name, _definition(index), serves(name))


def key_name(table: str, key: schema.PrimaryKey) -> str:
    """What a primary key is called; SQLite's may have no name."""
    return key.name or f"primary key of {table}"


def index_name(index: schema.Index) -> str:
    """What an index is called; a unique constraint of SQLite may have no name."""
    return index.name or f"unique ({_columns(index)})"


def _definition(index: schema.Index) -> str:
    text = (
        f"{'unique ' if index.unique else ''}{'' if index.method == 'btree' else index.method + ' '}({_columns(index)})"
    )
    if index.include:
        text += f" include ({', '.join(index.include)})"
    if not index.nulls_distinct:
        text += " nulls not distinct"
    return text + (f" where {index.predicate}" if index.predicate else "")


def _columns(index: schema.Index) -> str:
    return ", ".join((key.column or f"({key.expression})") + (" desc" if key.descending else "") for key in index.keys)


def _constraints(table: schema.Table) -> Iterator[Constraint]:
    for key in sorted(table.foreign_keys, key=_name):
        text = f"foreign key ({', '.join(key.columns)}) references {key.table} ({', '.join(key.references)})"
        for event, action in (("delete", key.on_delete), ("update", key.on_update)):
            text += f" on {event} {action}" if action != "no action" else ""
        yield Constraint(key.name or "", f"{text} {key.deferrable}".rstrip())
    for check in sorted(table.checks, key=_name):
        yield Constraint(check.name or "", f"check ({check.expression})")
    for trigger in table.triggers:
        yield Constraint(trigger.name, "trigger")


def _name(named: schema.ForeignKey | schema.Check) -> str:
    """The sort key: both sides must be in the same order."""
    return named.name or ""
