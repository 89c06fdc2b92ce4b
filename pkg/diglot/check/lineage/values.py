"""What is known about an expression, a column of a result, and the sources that names are looked up in."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from diglot.check.catalog import Kinds

Origin = tuple[str, str]


class Value(msgspec.Struct, frozen=True):
    """What is known about an expression. ``origins`` are the (table, column) that it is a plain copy of."""

    kinds: Kinds = None
    nullable: bool | None = None
    origins: frozenset[Origin] = frozenset()


class Output(msgspec.Struct, frozen=True):
    """A column of a result; ``offset`` is its place in the parsed text, None if unknown."""

    name: str
    value: Value
    offset: int | None


TEXT, INT, FLOAT, BOOL = (frozenset({kind}) for kind in ("text", "int", "float", "bool"))
UNKNOWN = Value()


class Source:
    """A table, a subquery or a function of FROM; ``columns`` is None if they are unknown."""

    def __init__(self, columns: dict[str, Value] | None, *, table: str | None = None) -> None:
        self.columns = columns
        self.table = table
        self.outer = False
        self.not_null: set[str] = set()

    def column(self, name: str) -> Value:
        if self.columns is None:
            return UNKNOWN
        found = self.columns.get(name, UNKNOWN)
        if name in self.not_null:
            return Value(found.kinds, False, found.origins)
        return Value(found.kinds, True, found.origins) if self.outer else found

    def make_outer(self) -> None:
        """The source when an outer join may fill it with nulls."""
        self.outer = True
        self.not_null.clear()


class Scope:
    """The sources that names are looked up in, innermost first."""

    def __init__(self, parent: Scope | None, ctes: Mapping[str, list[Output]]) -> None:
        self.parent = parent
        self.ctes: dict[str, list[Output]] = dict(ctes)
        self.sources: dict[str, Source] = {}

    def find(self, name: str, table: str) -> tuple[Source | None, str]:
        scope: Scope | None = self
        while scope is not None:
            if table:
                if table in scope.sources:
                    return scope.sources[table], name
            else:
                for source in scope.sources.values():
                    if source.columns is not None and name in source.columns:
                        return source, name
            scope = scope.parent
        return None, name


# --- of several -------------------------------------------------------------------------------------------


def united(left: list[Output], right: list[Output]) -> list[Output]:
    if len(left) != len(right):
        return left
    return [Output(a.name, either([a.value, b.value]), a.offset) for a, b in zip(left, right, strict=True)]


def renamed(outputs: list[Output], names: list[str]) -> list[Output]:
    if len(names) != len(outputs):
        return outputs
    return [Output(name, output.value, output.offset) for name, output in zip(names, outputs, strict=True)]


def columns_of(outputs: list[Output]) -> dict[str, Value]:
    return {output.name: output.value for output in outputs}


def either(values: list[Value]) -> Value:
    """One of several: of all their kinds, nullable if one of them is."""
    known = [value.kinds for value in values if value.kinds is not None]
    certain = all(value.kinds is not None or value.nullable is True for value in values)
    kinds = frozenset[str]().union(*known) if known and certain else None
    origins = (
        values[0].origins if values and all(value.origins == values[0].origins for value in values) else frozenset()
    )
    return Value(kinds, any_null(values), origins)


def any_null(values: list[Value]) -> bool | None:
    if any(value.nullable is True for value in values):
        return True
    return None if any(value.nullable is None for value in values) else False


def all_null(values: list[Value]) -> bool | None:
    return True if all(value.nullable is True for value in values) else None
