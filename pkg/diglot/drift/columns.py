"""Compares the columns of a table: types, nullability, defaults, identity and generated columns."""

from __future__ import annotations

from collections.abc import Iterator

from diglot.drift import texts
from diglot.drift.defaults import default_form
from diglot.drift.difference import Difference, differs
from diglot.drift.expressions import columns_of, form
from diglot.drift.operands import BINARY_COLLATIONS
from diglot.drift.shapes import said_by_type
from diglot.drift.table_pair import TablePair
from diglot.drift.trial import refusing_checks
from diglot.drift.types import TypeClass, element_kind, equivalent, same_group, type_class
from diglot.schema.model import Check, Column


def compare_columns(pair: TablePair) -> Iterator[Difference]:
    """The columns that one side lacks, and what differs in those that both sides have."""
    for one, other in pair.unpaired:
        shown = [texts.column(side) if side is not None else None for side in (one, other)]
        name = next(side.name for side in (one, other) if side is not None)
        yield differs("column", pair.name, name, *shown)
    for one, other in pair.columns:
        yield from _types(pair, one, other)
        yield from _nullable(pair, one, other)
        yield from _defaults(pair, one, other)
        yield from _identities(pair, one, other)
        yield from _generated(pair, one, other)


def _types(pair: TablePair, one: Column, other: Column) -> Iterator[Difference]:
    if not _same_type(pair, one, other):
        yield differs("type", pair.name, one.name, *texts.types(one, other, pair.comparison.dialects))
    elif _collation(pair, one, 0) != _collation(pair, other, 1):
        left, right = pair.comparison.dialects
        shown = texts.collation(one, left), texts.collation(other, right)
        message = f"compares or sorts differently: {shown[0]} on the left, {shown[1]} on the right"
        yield Difference("type", pair.name, one.name, *shown, message)


def _same_type(pair: TablePair, one: Column, other: Column) -> bool:
    comparison = pair.comparison
    classes = type_class(one, comparison.dialects[0]), type_class(other, comparison.dialects[1])
    if comparison.mixed:
        postgres, sqlite = classes[comparison.postgres], classes[1 - comparison.postgres]
        same, _ = equivalent(postgres, sqlite, comparison.equivalences)
        return same and _same_arguments(postgres, sqlite)
    dialect = comparison.dialects[0]
    if same_group(*classes, dialect, comparison.own_equivalences):
        return True
    if dialect == "sqlite":
        return _sqlite_meaning(classes[0]) == _sqlite_meaning(classes[1])
    return _postgres_meaning(classes[0], one) == _postgres_meaning(classes[1], other)


def _same_arguments(postgres: TypeClass, sqlite: TypeClass) -> bool:
    """A length or precision in SQLite's type must equal PostgreSQL's; without one, a CHECK must state it."""
    if postgres.name not in ("character varying", "character", "numeric") or not sqlite.arguments:
        return True
    if postgres.name == "numeric":
        return _precision(postgres) == _precision(sqlite)
    return not postgres.arguments or postgres.arguments == sqlite.arguments


def _precision(of: TypeClass) -> tuple[int, ...]:
    return (*of.arguments, 0)[:2] if of.arguments else ()


def _sqlite_meaning(of: TypeClass) -> object:
    """The affinity decides on SQLite, except for dates and booleans, which are more than NUMERIC to people."""
    return of.affinity if of.affinity != "numeric" else (of.name, of.arguments)


def _postgres_meaning(of: TypeClass, column: Column) -> object:
    name = "text" if of.name == "character varying" and not of.arguments else of.name
    return name, of.arguments, of.array, column.labels


def _collation(pair: TablePair, column: Column, side: int) -> str:
    """``bytes`` for C and BINARY, and for PostgreSQL's default beside SQLite, unless the schema says C anywhere."""
    dialect = pair.comparison.dialects[side]
    of = type_class(column, dialect)
    if pair.kinds[column.name.lower()] != "text":
        return ""
    name = column.collation.lower()
    if of.name == "citext":
        return "nocase"
    if name in BINARY_COLLATIONS or (not name and dialect == "sqlite"):
        return "bytes"
    if name or not pair.comparison.mixed:
        return name
    return "default" if pair.comparison.sorts_by_bytes else "bytes"


def _nullable(pair: TablePair, one: Column, other: Column) -> Iterator[Difference]:
    never = [column.name.lower() in scope.not_null for column, scope in zip((one, other), pair.scopes, strict=True)]
    if never[0] != never[1]:
        shown = ["not null" if each else "null" for each in never]
        yield differs("nullable", pair.name, one.name, *shown)


def _defaults(pair: TablePair, one: Column, other: Column) -> Iterator[Difference]:
    kind, mixed = pair.kinds[one.name.lower()], pair.comparison.mixed
    forms = [
        default_form(column.default, kind, scope, mixed=mixed, elements=element_kind(column))
        for column, scope in zip((one, other), pair.scopes, strict=True)
    ]
    shown = _default_text(one), _default_text(other)
    if forms[0] != forms[1]:
        yield differs("default", pair.name, one.name, *shown)
        return
    for side, column in enumerate((one, other)):
        refused = next(_refused(pair, column, side), None)
        if refused is not None:
            where = "SQLite" if mixed else ("the left", "the right")[side]
            message = f"{where} refuses every row that relies on it: {shown[side]} violates {refused}"
            yield Difference("default", pair.name, one.name, *shown, message)


def _refused(pair: TablePair, column: Column, side: int) -> Iterator[str]:
    """What refuses a default on SQLite, although nothing else differs: a CHECK of how its type is written, STRICT."""
    table = pair.tables[side]
    if pair.comparison.dialects[side] == "postgres" or column.default is None:
        return
    other_side = {fact.form for fact in pair.facts[1 - side]}
    own: list[Check] = []
    for number, check in enumerate(table.checks):
        facts = [fact for fact in pair.facts[side] if fact.check == number]
        more = [fact for fact in facts if fact.form not in other_side]
        alone = all(columns_of(fact.form) == {column.name.lower()} for fact in facts)
        if alone and more and all(said_by_type(fact.form, fact.sql, pair.typed) for fact in more):
            own.append(check)
    for refusing in refusing_checks(column, own, "strict" in table.options):
        if refusing is not None:
            yield texts.check(refusing)
        elif pair.comparison.mixed or "strict" not in pair.tables[1 - side].options:
            yield f"the type {column.type}"


def _default_text(column: Column) -> str | None:
    return f"default {column.default}" if column.default is not None else None


def _identities(pair: TablePair, one: Column, other: Column) -> Iterator[Difference]:
    """Between the engines, it only matters that the database numbers the rows."""
    mixed = pair.comparison.mixed
    if (bool(one.identity) != bool(other.identity)) if mixed else (one.identity != other.identity):
        yield differs("identity", pair.name, one.name, texts.identity(one), texts.identity(other))


def _generated(pair: TablePair, one: Column, other: Column) -> Iterator[Difference]:
    forms = [
        form(column.generated, scope) if column.generated is not None else None
        for column, scope in zip((one, other), pair.scopes, strict=True)
    ]
    # PostgreSQL has virtual columns only since 18, so between the engines it does not matter when they are computed.
    otherwise = not pair.comparison.mixed and one.stored != other.stored
    if forms[0] != forms[1] or otherwise:
        yield differs("generated", pair.name, one.name, texts.generated(one), texts.generated(other))
