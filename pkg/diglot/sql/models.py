"""Row models: which columns a query must return to fill a model, in which order.

A row model is a msgspec Struct whose fields are in the order of the columns. A field whose type is itself a row model
takes that model's columns; any other Struct, list or dict is a JSON column. The decoder and the checks both take the
columns from here, so what the checks accept can be decoded.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from enum import Enum
from itertools import accumulate
from typing import Any, Literal, TypeGuard, Union, get_args, get_origin, get_type_hints

import msgspec

from diglot.errors import ConfigurationError
from diglot.sql.types import OF_PYTHON

Models = Mapping[str, type[msgspec.Struct]]


def structs_of(module: types.ModuleType) -> dict[str, type[msgspec.Struct]]:
    """The structs that a module defines or imports, by their names in it."""
    return {name: value for name, value in vars(module).items() if is_struct(value)}


def is_struct(value: object) -> TypeGuard[type[msgspec.Struct]]:
    return isinstance(value, type) and issubclass(value, msgspec.Struct) and value is not msgspec.Struct


class Column(msgspec.Struct, frozen=True):
    """One column. ``name`` is None if any name will do."""

    name: str | None
    type: str
    """The type of a query header: text, int, …, json."""
    nullable: bool
    """Whether the field accepts null."""
    owner: str = ""
    """The model that has the field."""
    python_type: Any = None
    """The type of the field, without None."""
    in_optional: bool = False
    """Part of an optional nested model: null if that model is None."""

    @property
    def shown(self) -> str:
        return f"{self.owner}.{self.name}" if self.owner else "the result"


class Columns(msgspec.Struct, frozen=True):
    """The columns of a result, in order. ``lengths``: how many a result may have, the largest number last."""

    columns: tuple[Column, ...]
    lengths: tuple[int, ...]

    def missing(self, length: int) -> tuple[Column, ...]:
        """The columns that a result of ``length`` columns lacks.

        Fields at the end that have a default need no column; a nested model has all its columns, or none.
        """
        needed = next((allowed for allowed in self.lengths if allowed >= length), length)
        return self.columns[length:needed]


class Nested(msgspec.Struct, frozen=True):
    """A field that is a row model itself. ``nullable``: it is None if all its columns are null."""

    row: RowModel
    nullable: bool


class RowModel(msgspec.Struct, frozen=True):
    """A model with its fields in order. ``required``: how many fields need their columns; those after have defaults."""

    model: type[msgspec.Struct]
    fields: tuple[Column | Nested, ...]
    required: int

    @property
    def columns(self) -> Columns:
        parts = [_columns(field) for field in self.fields]
        ends = list(accumulate((len(part) for part in parts), initial=0))
        return Columns(tuple(column for part in parts for column in part), tuple(ends[self.required :]))


def row_model(model: type[msgspec.Struct], models: Models) -> RowModel:
    """The columns of ``model``, where ``models`` are all row models of the project.

    ConfigurationError if it contains itself.
    """
    return _row_model(model, frozenset(models.values()), ())


def _row_model(
    model: type[msgspec.Struct], rows: frozenset[type[msgspec.Struct]], outer: tuple[type[msgspec.Struct], ...]
) -> RowModel:
    if model in outer:
        raise ConfigurationError(
            f"row model {model.__name__} contains itself, but a row has a fixed number of columns: "
            "make the field a list, or leave its type out of the row models so that it is a JSON column"
        )
    hints = get_type_hints(model)
    found: list[Column | Nested] = []
    required = 0
    for field in msgspec.structs.fields(model):
        kind, nullable = _without_none(hints[field.name])
        if isinstance(kind, type) and kind in rows:
            found.append(Nested(_row_model(kind, rows, (*outer, model)), nullable))
        else:
            found.append(Column(field.name, _header_type(kind), nullable, model.__name__, kind))
        if field.default is msgspec.NODEFAULT and field.default_factory is msgspec.NODEFAULT:
            required = len(found)
    return RowModel(model, tuple(found), required)


def _columns(field: Column | Nested) -> tuple[Column, ...]:
    if isinstance(field, Column):
        return (field,)
    inner = field.row.columns.columns
    if not field.nullable:
        return inner
    return tuple(msgspec.structs.replace(column, in_optional=True) for column in inner)


def _without_none(hint: Any) -> tuple[Any, bool]:
    """The type without None and UNSET, and whether it had None; Any if several types are left."""
    kinds = list(get_args(hint)) if get_origin(hint) in (Union, types.UnionType) else [hint]
    nullable = types.NoneType in kinds or kinds == [Any]
    kinds = [kind for kind in kinds if kind not in (types.NoneType, msgspec.UnsetType)]
    return (kinds[0] if len(kinds) == 1 else Any), nullable


def _header_type(kind: Any) -> str:
    if get_origin(kind) is Literal:
        of = {type(value) for value in get_args(kind)}
        return OF_PYTHON.get(of.pop(), "json") if len(of) == 1 else "text"
    if is_enum(kind):
        of = {type(member.value) for member in kind}
        return OF_PYTHON.get(of.pop(), "json") if len(of) == 1 else "json"
    return OF_PYTHON.get(kind, "json") if isinstance(kind, type) else "json"


def is_enum(kind: Any) -> TypeGuard[type[Enum]]:
    return isinstance(kind, type) and issubclass(kind, Enum)


def is_list(kind: Any) -> bool:
    """Whether a field of this type may be an array of PostgreSQL, and a JSON array on SQLite."""
    return kind in (list, tuple) or get_origin(kind) in (list, tuple)


def item_type(kind: Any) -> str:
    """The header type of the items of such a field; json if they may be anything."""
    items = get_args(kind)
    return _header_type(_without_none(items[0])[0]) if items else "json"
