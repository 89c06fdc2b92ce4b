"""From rows to models: a decoder is compiled once for a model and a dialect, and works by position.

A model is a msgspec Struct whose fields stand in the order of the columns. A field whose type is itself a row model
takes that model's columns; any other Struct, list or dict is a JSON column. The names of the columns are compared
with the fields when a query answers for the first time (``check_columns``), not on every call.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

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


class Decoder:
    """Makes a model (or a plain value) of a row. ``columns`` are the names that the row must have, in order."""

    __slots__ = ("_build", "columns", "optional")

    def __init__(self, columns: list[str], optional: int, build: Callable[[Row], Any]) -> None:
        self.columns = columns
        self.optional = optional
        """How many fields at the end of the model have a default and need no column."""
        self._build = build

    def rows(self, rows: list[Row], query: str) -> list[Any]:
        """The models of these rows. QueryResultError where a value does not fit its field."""
        build = self._build
        try:
            return [build(row) for row in rows]
        except (ValueError, TypeError, msgspec.MsgspecError) as error:
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


def decoder(returns: str, dialect: Dialect, models: Models) -> Decoder:
    """The decoder of what ``-- returns:`` names: a model or a type. KeyError where it is neither."""
    if returns in _SCALARS:
        convert = _converter(_SCALARS[returns], dialect)

        def value(row: Row) -> Any:
            found = row[0]
            return found if convert is None or found is None else convert(found)

        return Decoder([], 0, value)
    return _model_decoder(models[returns], dialect, models)


def _model_decoder(model: type[msgspec.Struct], dialect: Dialect, models: Models) -> Decoder:
    columns: list[str] = []
    converts: list[tuple[int, Convert]] = []
    nested: list[tuple[int, int, Decoder]] = []
    hints = get_type_hints(model)
    optional = 0
    for field in msgspec.structs.fields(model):
        kind = _without_none(hints[field.name])
        if isinstance(kind, type) and kind in models.values():
            inner = _model_decoder(kind, dialect, models)
            nested.append((len(columns), len(columns) + len(inner.columns), inner))
            columns.extend(inner.columns)
            continue
        convert = _converter(kind, dialect)
        if convert is not None:
            converts.append((len(columns), convert))
        columns.append(field.name)
        has_default = field.default is not msgspec.NODEFAULT or field.default_factory is not msgspec.NODEFAULT
        optional = optional + 1 if has_default else 0

    if nested:
        return Decoder(columns, 0, _nested_builder(model, converts, nested))
    if not converts:
        return Decoder(columns, optional, lambda row: model(*row))

    def build(row: Row) -> Any:
        values = list(row)
        for i, convert in converts:
            value = values[i]
            if value is not None:
                values[i] = convert(value)
        return model(*values)

    return Decoder(columns, optional, build)


def _nested_builder(
    model: type[msgspec.Struct], converts: list[tuple[int, Convert]], nested: list[tuple[int, int, Decoder]]
) -> Callable[[Row], Any]:
    convert_at = dict(converts)
    ends = {start: (end, inner._build) for start, end, inner in nested}

    def build(row: Row) -> Any:
        values: list[Any] = []
        at = 0
        while at < len(row):
            if at in ends:
                end, build_inner = ends[at]
                values.append(build_inner(row[at:end]))
                at = end
                continue
            value = row[at]
            convert = convert_at.get(at)
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
    if kind is dict or get_origin(kind) is dict or kind is Any:
        return canonical_json.loads
    return canonical_json.TypedLoader(kind)


def _without_none(hint: Any) -> Any:
    if get_origin(hint) not in (Union, types.UnionType):
        return hint
    kinds = [k for k in get_args(hint) if k not in (types.NoneType, msgspec.UnsetType)]
    return kinds[0] if len(kinds) == 1 else Any
