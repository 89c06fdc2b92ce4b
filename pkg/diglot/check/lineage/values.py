"""What is known about an expression, a column of a result, and the sources that names are looked up in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec

from diglot.check.catalog import Kinds

Origin = tuple[str, str]


class Value(msgspec.Struct, frozen=True):
    """What is known about an expression. ``origins`` are the (table, column) that it is a plain copy of.

    ``why`` says why ``nullable`` is None, and ``untyped`` why ``kinds`` is None or more than one type.
    """

    kinds: Kinds = None
    nullable: bool | None = None
    origins: frozenset[Origin] = frozenset()
    why: str = ""
    untyped: str = ""


class Output(msgspec.Struct, frozen=True):
    """A column of a result; ``offset`` is its place in the parsed text, None if unknown."""

    name: str
    value: Value
    offset: int | None = None


TEXT, INT, FLOAT, BOOL, JSON, BYTES, TIMESTAMP = (
    frozenset({kind}) for kind in ("text", "int", "float", "bool", "json", "bytes", "timestamp")
)


def unknown(reason: str) -> Value:
    """Neither its type nor whether it can be null is known."""
    return Value(why=reason, untyped=reason)


class Source:
    """A table, a subquery or a function of FROM; ``columns`` is None if they are unknown, and ``why`` says why.

    The keys are the names as they are looked up: in lower case on SQLite.
    """

    def __init__(self, columns: dict[str, Output] | None, why: str = "") -> None:
        self.columns = columns
        self.why = why
        self.outer = False
        """Whether an outer join may fill it with nulls."""


Fact = tuple[Source, str]
"""A column that is not null in the rows that are left."""


class Scope:
    """The sources that names are looked up in, innermost first, and what their conditions rule out."""

    def __init__(self, parent: Scope | None, ctes: Mapping[str, list[Output]]) -> None:
        self.parent = parent
        self.ctes: dict[str, list[Output]] = dict(ctes)
        self.sources: dict[str, Source] = {}
        self.merged: dict[str, Value] = {}
        """The columns that ``using`` makes one of two."""
        self.layout: list[tuple[Source | None, str]] = []
        """The columns of ``*``; without a source it is a merged one."""
        self.not_null: set[Fact] = set()
        self.set: dict[Fact, Value] = {}
        """What a write just stored there."""
        self.rows: str = "each"
        """Which rows an expression is of: ``each``, a ``group``, or the ``whole``, which may have no row."""
        self.windows: dict[str, object] = {}

    def find(self, name: str, table: str) -> tuple[Source, str] | Value:
        """The source that has a column, and the column's key in it; a Value if it is a merged column, or unknown."""
        scope: Scope | None = self
        unread = ""
        while scope is not None:
            if table:
                if table in scope.sources:
                    return scope.sources[table], name
            else:
                if name in scope.merged:
                    return scope.merged[name]
                for source in scope.sources.values():
                    if source.columns is None:
                        unread = unread or source.why
                    elif name in source.columns:
                        return source, name
            scope = scope.parent
        return unknown(unread or f"{table + '.' if table else ''}{name} is not a column of a table that is known")

    def column(self, source: Source, key: str) -> Value:
        if source.columns is None:
            return unknown(source.why)
        found = source.columns[key].value if key in source.columns else unknown(f"{key} is not a column that is known")
        scope: Scope | None = self
        filled = False
        while scope is not None:
            if (source, key) in scope.set:
                return scope.set[source, key]
            if (source, key) in scope.not_null:
                return msgspec.structs.replace(found, nullable=False, why="")
            filled = filled or any(other is source for other, _ in scope.not_null)
            scope = scope.parent
        if source.outer and not filled:  # an outer join did not fill a row of which one column is not null
            return msgspec.structs.replace(found, nullable=True, why="")
        return found

    def add(self, alias: str, source: Source) -> Source:
        self.sources[alias] = source
        self.layout += [(source, key) for key in source.columns or ()]
        return source

    def make_outer(self, source: Source) -> None:
        """From now on, an outer join may fill it with nulls."""
        source.outer = True
        self.not_null = {fact for fact in self.not_null if fact[0] is not source}

    @contextmanager
    def knowing(self, facts: set[Fact]) -> Iterator[None]:
        """For what is only computed if the facts hold."""
        before = self.not_null
        self.not_null = before | facts
        try:
            yield
        finally:
            self.not_null = before

    @contextmanager
    def of_rows(self, rows: str) -> Iterator[None]:
        """For expressions of other rows, such as the arguments of an aggregate."""
        before, self.rows = self.rows, rows
        try:
            yield
        finally:
            self.rows = before


# --- of several -------------------------------------------------------------------------------------------


def strict(kinds: Kinds, values: Sequence[Value], untyped: str = "") -> Value:
    """Null if one of the arguments is, and never otherwise."""
    nullable, why = any_null(values)
    return Value(kinds, nullable, why=why, untyped=untyped)


def coalesced(values: Sequence[Value]) -> Value:
    """The first that is not null."""
    nullable = False if any(value.nullable is False for value in values) else None
    if all(value.nullable is True for value in values):
        nullable = True
    return msgspec.structs.replace(either(values), nullable=nullable, origins=frozenset(), why=_why(values, nullable))


def either(values: Sequence[Value]) -> Value:
    """One of several: of the types that all of them can be, nullable if one of them is."""
    typed = [value for value in values if value.kinds is not None]
    untyped = next((value.untyped for value in values if value.untyped), "")
    kinds = None
    if typed and not any(value.kinds is None and value.untyped for value in values):
        kinds = frozenset.intersection(*(value.kinds or frozenset() for value in typed)) or None
        shown = " or ".join(dict.fromkeys("/".join(sorted(value.kinds or ())) for value in typed))
        untyped = untyped if kinds else untyped or f"it is {shown}, depending on the row"
    origins = (
        values[0].origins if values and all(value.origins == values[0].origins for value in values) else frozenset()
    )
    nullable, why = any_null(values)
    return Value(kinds, nullable, origins, why, untyped)


def is_number(kinds: Kinds) -> bool:
    return kinds is not None and kinds <= frozenset({"int", "bool", "float"})


def computed(values: Sequence[Value]) -> Value:
    """The result of arithmetic: an integer unless there is a float; null if an argument is."""
    if not all(is_number(value.kinds) for value in values):
        untyped = next((value.untyped for value in values if value.untyped), "")
        return strict(None, values, untyped or "the type of what is computed is not known")
    return strict(FLOAT if FLOAT in [value.kinds for value in values] else INT, values)


def any_null(values: Sequence[Value]) -> tuple[bool | None, str]:
    """Whether one of them may be null, and why that is unknown."""
    if any(value.nullable is True for value in values):
        return True, ""
    nullable = None if any(value.nullable is None for value in values) else False
    return nullable, _why(values, nullable)


def _why(values: Sequence[Value], nullable: bool | None) -> str:
    return next((value.why for value in values if value.nullable is None and value.why), "") if nullable is None else ""


def united(left: list[Output], right: list[Output], kind: str) -> list[Output]:
    """The columns of ``union``, ``except`` or ``intersect``."""
    if len(left) != len(right) or kind == "except":
        return left
    found = []
    for a, b in zip(left, right, strict=True):
        value = either([a.value, b.value])
        if kind == "intersect" and False in (a.value.nullable, b.value.nullable):
            value = msgspec.structs.replace(value, nullable=False, why="")
        found.append(Output(a.name, value, a.offset))
    return found


def renamed(outputs: list[Output], names: list[str]) -> list[Output]:
    """The first columns under other names; the rest keep theirs."""
    names = [*names, *(output.name for output in outputs[len(names) :])]
    return [Output(name, output.value, output.offset) for name, output in zip(names, outputs, strict=False)]
