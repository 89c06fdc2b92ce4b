"""From rows to models: a decoder is compiled once for a model and a dialect, and works by position.

``models`` says which columns a model has. The names of the columns are compared with the fields when a query returns
rows for the first time (``check_columns``), not on every call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from diglot.errors import QueryResultError
from diglot.sql.header import BASE_TYPES
from diglot.sql.models import Column, Columns, Models, RowModel, row_model
from diglot.sql.session import Dialect, Row
from diglot.sql.types import Convert
from diglot.sql.values import converter, scalar

Part = tuple[int, int, Convert | None]
"""Where the columns of a field begin and end, and the function that converts them. For a nested model, it takes that
part of the row; for a column, it takes the value, and ``end`` is 0."""


class Decoder:
    """Makes a model (or a plain value) from a row. ``columns`` are the names that the row must have, in order."""

    __slots__ = ("_wanted", "build", "columns")

    def __init__(self, wanted: Columns, build: Callable[[Row], Any]) -> None:
        self._wanted = wanted
        self.columns = [column.name for column in wanted.columns if column.name is not None]
        self.build = build

    def rows(self, rows: list[Row], query: str) -> list[Any]:
        """The models of these rows. QueryResultError if a value does not fit its field."""
        build = self.build
        try:
            return [build(row) for row in rows]
        except MemoryError:
            raise
        except Exception as error:  # from a stored value that no driver and none of our checks expects
            raise QueryResultError(f"query {query}: a stored value does not fit its model: {error}") from error

    def check_columns(self, found: list[str], query: str) -> None:
        """QueryResultError if the columns of a result are not the fields of the model, in their order."""
        if self.columns and (found != self.columns[: len(found)] or self._wanted.missing(len(found))):
            raise QueryResultError(
                f"query {query} returns the columns ({', '.join(found)}) but its model has the fields "
                f"({', '.join(self.columns)})"
            )
        if not self.columns and len(found) != 1:
            raise QueryResultError(f"query {query} should give one column, not ({', '.join(found)})")


class Decoders:
    """The decoders of a dialect: each model's is compiled on first use, and kept."""

    def __init__(self, dialect: Dialect, models: Models) -> None:
        self._dialect = dialect
        self._models = models
        self._compiled: dict[type[msgspec.Struct], Decoder] = {}

    def of(self, returns: str, *, nullable: bool = True) -> Decoder:
        """The decoder of what ``-- returns:`` names: a model or a type. KeyError if it is neither.

        ``nullable``: whether the value of a type may be NULL; a model says that for each field.
        """
        if returns not in BASE_TYPES:
            return self._of_model(self._models[returns])
        column = Column(None, returns, nullable=nullable, python_type=Any)
        return Decoder(Columns((column,), (1,)), scalar(column, self._dialect))

    def _of_model(self, model: type[msgspec.Struct]) -> Decoder:
        found = self._compiled.get(model)
        if found is None:
            row = row_model(model, self._models)
            found = self._compiled[model] = Decoder(row.columns, _builder(row, self._dialect))
        return found


def _builder(row: RowModel, dialect: Dialect) -> Callable[[Row], Any]:
    parts: list[Part] = []
    at = 0
    for field in row.fields:
        if isinstance(field, Column):
            parts.append((at, 0, converter(field, dialect)))
            at += 1
        else:
            inner = field.row.columns.columns
            build = _builder(field.row, dialect)
            parts.append((at, at + len(inner), _or_none(build, inner) if field.nullable else build))
            at += len(inner)
    if any(end for _, end, _ in parts):
        return _nested_builder(row.model, parts)
    return _flat_builder(row.model, [(at, convert) for at, _, convert in parts if convert is not None])


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


def _nested_builder(model: type[msgspec.Struct], parts: list[Part]) -> Callable[[Row], Any]:
    width = max(end or at + 1 for at, end, _ in parts)

    def build(row: Row) -> Any:
        if len(row) > width:
            raise ValueError(f"{len(row)} columns instead of {width}")
        values: list[Any] = []
        for at, end, convert in parts:
            if at >= len(row):
                break  # a field at the end that has a default and no column
            value = row[at:end] if end else row[at]
            values.append(value if convert is None or value is None else convert(value))
        return model(*values)

    return build


def _or_none(build: Callable[[Row], Any], columns: tuple[Column, ...]) -> Callable[[Row], Any]:
    """None where all columns are null, as they are after a left join that found nothing."""
    needed = [(at, column.shown) for at, column in enumerate(columns) if not (column.nullable or column.in_optional)]

    def build_or_none(row: Row) -> Any:
        if row.count(None) == len(row):
            return None
        for at, shown in needed:
            if row[at] is None:
                raise ValueError(f"{shown} is null, but other columns of the same nested model are not")
        return build(row)

    return build_or_none
