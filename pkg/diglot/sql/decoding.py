"""From rows to models: a decoder is compiled once for a model and a dialect, and works by position.

A model is a msgspec Struct whose fields stand in the order of the columns. A field whose type is itself a row model
takes that model's columns; any other Struct, list or dict is a JSON column. The names of the columns are compared
with the fields when a query answers for the first time (``check_columns``), not on every call.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal, TypeGuard, Union, get_args, get_origin, get_type_hints

import msgspec

from diglot.errors import QueryResultError
from diglot.sql import canonical_json
from diglot.sql.timestamps import timestamp_from_text
from diglot.stores.session import Dialect, Row

Models = Mapping[str, type[msgspec.Struct]]
Convert = Callable[[Any], Any]

_SCALARS: dict[str, type] = {
    "text": str,
    "int": int,
    "float": float,
    "bool": bool,
    "bytes": bytes,
    "timestamp": datetime,
    "json": dict,
}


def structs_of(module: types.ModuleType) -> dict[str, type[msgspec.Struct]]:
    """The structs that a module defines or imports, by the names that they have there."""
    return {name: value for name, value in vars(module).items() if is_struct(value)}


def is_struct(value: object) -> TypeGuard[type[msgspec.Struct]]:
    return isinstance(value, type) and issubclass(value, msgspec.Struct) and value is not msgspec.Struct


class Decoder:
    """Makes a model (or a plain value) of a row. ``columns`` are the names that the row must have, in order."""

    __slots__ = ("build", "columns", "optional")

    def __init__(self, columns: list[str], optional: int, build: Callable[[Row], Any]) -> None:
        self.columns = columns
        self.optional = optional
        """How many fields at the end of the model have a default and need no column."""
        self.build = build

    def rows(self, rows: list[Row], query: str) -> list[Any]:
        """The models of these rows. QueryResultError where a value does not fit its field, for whatever reason."""
        build = self.build
        try:
            return [build(row) for row in rows]
        except MemoryError:
            raise
        except Exception as error:  # of a stored value that no driver and no check of ours has foreseen
            raise QueryResultError(f"query {query}: a stored value does not fit its model: {error}") from error

    def check_columns(self, found: list[str], query: str) -> None:
        """QueryResultError where the columns of an answer are not the fields of the model, in their order."""
        needed = self.columns[: len(self.columns) - self.optional]
        if self.columns and not (found == self.columns[: len(found)] and len(found) >= len(needed)):
            raise QueryResultError(
                f"query {query} answers with the columns ({', '.join(found)}) but its model has the fields "
                f"({', '.join(self.columns)})"
            )
        if not self.columns and len(found) != 1:
            raise QueryResultError(f"query {query} should give one column, not ({', '.join(found)})")


class Decoders:
    """The decoders of a dialect: each model's is compiled when it is first asked for, and kept."""

    def __init__(self, dialect: Dialect, models: Models) -> None:
        self._dialect = dialect
        self._models = models
        self._row_models = frozenset(models.values())
        self._compiled: dict[type[msgspec.Struct], Decoder] = {}

    def of(self, returns: str) -> Decoder:
        """The decoder of what ``-- returns:`` names: a model or a type. KeyError where it is neither."""
        if returns not in _SCALARS:
            return self._of_model(self._models[returns])
        convert = _converter(_SCALARS[returns], self._dialect)

        def value(row: Row) -> Any:
            found = row[0]
            return found if convert is None or found is None else convert(found)

        return Decoder([], 0, value)

    def _of_model(self, model: type[msgspec.Struct]) -> Decoder:
        found = self._compiled.get(model)
        if found is None:
            found = self._compiled[model] = self._compile(model)
        return found

    def _compile(self, model: type[msgspec.Struct]) -> Decoder:
        columns: list[str] = []
        converts: list[tuple[int, Convert]] = []
        nested: dict[int, tuple[int, Decoder]] = {}
        hints = get_type_hints(model)
        optional = 0
        for field in msgspec.structs.fields(model):
            kind = _without_none(hints[field.name])
            if isinstance(kind, type) and kind in self._row_models:
                inner = self._of_model(kind)
                nested[len(columns)] = (len(columns) + len(inner.columns), inner)
                columns.extend(inner.columns)
                continue
            convert = _converter(kind, self._dialect)
            if convert is not None:
                converts.append((len(columns), convert))
            columns.append(field.name)
            has_default = field.default is not msgspec.NODEFAULT or field.default_factory is not msgspec.NODEFAULT
            optional = optional + 1 if has_default else 0
        if nested:
            return Decoder(columns, 0, _nested_builder(model, dict(converts), nested))
        return Decoder(columns, optional, _flat_builder(model, converts))


def _flat_builder(model: type[msgspec.Struct], converts: list[tuple[int, Convert]]) -> Callable[[Row], Any]:
    if not converts:
        return lambda row: model(*row)

    def build(row: Row) -> Any:
        values = list(row)
        try:
            for i, convert in converts:
                value = values[i]
                if value is not None:
                    values[i] = convert(value)
        except IndexError:
            pass  # a field at the end that has a default and no column
        return model(*values)

    return build


def _nested_builder(
    model: type[msgspec.Struct], converts: Mapping[int, Convert], nested: Mapping[int, tuple[int, Decoder]]
) -> Callable[[Row], Any]:
    def build(row: Row) -> Any:
        values: list[Any] = []
        at = 0
        while at < len(row):
            if at in nested:
                end, inner = nested[at]
                values.append(inner.build(row[at:end]))
                at = end
                continue
            value = row[at]
            convert = converts.get(at)
            values.append(value if convert is None or value is None else convert(value))
            at += 1
        return model(*values)

    return build


def _converter(kind: Any, dialect: Dialect) -> Convert | None:
    """What makes a column's value of a driver's; None where the driver's is the value already."""
    if kind is datetime:
        return timestamp_from_text if dialect == "sqlite" else None
    if kind is bool:
        return bool if dialect == "sqlite" else None
    if kind in (str, int, float, bytes) or get_origin(kind) is Literal:
        return None
    if dialect == "sqlite":  # the text as we wrote it, its floats too
        return canonical_json.exact_loader(kind)
    return canonical_json.loader(kind)


def _without_none(hint: Any) -> Any:
    if get_origin(hint) not in (Union, types.UnionType):
        return hint
    kinds = [k for k in get_args(hint) if k not in (types.NoneType, msgspec.UnsetType)]
    return kinds[0] if len(kinds) == 1 else Any
