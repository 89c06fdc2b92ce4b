"""Whether what a query returns fits what it declares: each column is proven, wrong or unknown.

An ``asserts:`` line settles what is unknown, and says that a column is not null where only the check can't see it. It
can't contradict what is known of a type. One that settles nothing is out of date.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from diglot.check.catalog import Kinds
from diglot.sql.assertions import Assertion
from diglot.sql.header import QuerySource
from diglot.sql.models import Column as Field
from diglot.sql.models import Columns, is_list, item_type


class Column(msgspec.Struct, frozen=True):
    """A column of a result, according to the engine and the lineage.

    ``why`` says why ``nullable`` is None, and ``untyped`` why ``kinds`` is None or more than one type.
    """

    name: str
    kinds: Kinds
    nullable: bool | None
    declared: str | None
    offset: int
    why: str = ""
    untyped: str = ""

    @property
    def described(self) -> str:
        kinds = shown(self.kinds)
        return kinds if self.declared in (None, kinds) else f"{self.declared} ({kinds})"


class Remark(msgspec.Struct, frozen=True):
    """What is wrong, or what is unknown, and the column that it is about; without one it is about the header."""

    message: str
    column: Column | None = None
    unknown: bool = False


class Results:
    """Compares what a query returns with what it declares, in every combination of its blocks."""

    def __init__(self, query: QuerySource, wanted: Columns | None) -> None:
        self._query = query
        self._wanted = wanted
        self._assertions = {each.column: each for each in query.assertions}
        self._needed: set[tuple[str, str]] = set()
        self._seen: set[str] = set()
        self.nullable_fields: list[tuple[tuple[str, str], bool | None]] = []
        """Fields that may be null, as (owner, name), each with whether this query returns null for it."""

    def remarks(self, columns: list[Column]) -> Iterator[Remark]:
        """What is wrong and what is unknown in the result of one combination."""
        if self._wanted is None:
            return
        fields = self._wanted.columns
        if not columns:
            yield Remark("it returns no columns, but has 'returns:'")
            return
        if fields[0].name is None:
            if len(columns) != 1:
                names = ", ".join(column.name for column in columns)
                yield Remark(f"'returns: {self._query.returns}' is one value, but the columns are {names}", columns[1])
                return
        elif (misfit := self._misfit(columns, self._wanted)) is not None:
            yield misfit
            return
        for column, field in zip(columns, fields, strict=False):
            self._seen.add(column.name)
            yield from self._type(column, field, self._assertions.get(column.name))
            yield from self._null(column, field, self._assertions.get(column.name))
            if field.nullable and self._query.suffix != "$":
                owner = field.owner or self._query.full_name
                self.nullable_fields.append(((owner, field.name or "its result"), column.nullable))

    def asserted(self, columns: list[Column]) -> list[Column]:
        """The columns, with what is asserted of them."""
        return [self._with(column, self._assertions.get(column.name)) for column in columns]

    def stale(self) -> Iterator[tuple[str, str]]:
        """The assertions that nothing needed, by column, with what to do; after all combinations."""
        for name, each in self._assertions.items():
            if name not in self._seen:
                yield name, f"'asserts:' is about the column {name!r}, which the result does not have"
                continue
            if each.type is not None and (name, "type") not in self._needed:
                yield name, f"the type of {name!r} is known without 'asserts: {name} {each.type}': remove {each.type!r}"
            if each.not_null and (name, "not null") not in self._needed:
                message = f"'asserts: {name} not null' is not needed: the column is proven, or may be null: remove it"
                yield name, message

    def _type(self, column: Column, field: Field, asserted: Assertion | None) -> Iterator[Remark]:
        if asserted is not None and asserted.type not in (None, field.type):
            yield Remark(
                f"'asserts:' says that {column.name!r} is {asserted.type}, but {field.shown} is {field.type}", column
            )
        if column.kinds is not None and not _fits(field, column.kinds):
            message = f"column {column.name!r} is {column.described}, but {field.shown} is {field.type}"
            yield Remark(message, column)
        elif _is_unsure(column, field.type):
            if asserted is not None and asserted.type == field.type:
                self._needed.add((column.name, "type"))
                return
            reason = column.untyped or "its type can't be derived"
            yield Remark(f"whether column {column.name!r} is {field.type} is unknown: {reason}", column, unknown=True)

    def _null(self, column: Column, field: Field, asserted: Assertion | None) -> Iterator[Remark]:
        if field.nullable or field.in_optional or column.nullable is False:
            return
        if asserted is not None and asserted.not_null:
            self._needed.add((column.name, "not null"))
        elif column.nullable:
            yield Remark(f"column {column.name!r} may be null, but {field.shown} may not", column)
        else:
            reason = column.why or "it can't be derived"
            yield Remark(f"whether column {column.name!r} may be null is unknown: {reason}", column, unknown=True)

    def _with(self, column: Column, asserted: Assertion | None) -> Column:
        if asserted is None:
            return column
        kinds = column.kinds if asserted.type is None else frozenset({asserted.type})
        return msgspec.structs.replace(column, kinds=kinds, nullable=False if asserted.not_null else column.nullable)

    def _misfit(self, columns: list[Column], wanted: Columns) -> Remark | None:
        """Names that are not the model's, in its order."""
        fields = wanted.columns
        for column, field in zip(columns, fields, strict=False):
            if column.name != field.name:
                return Remark(f"column {column.name!r} is where {field.shown} should be", column)
        if len(columns) > len(fields):
            extra = columns[len(fields)]
            return Remark(f"column {extra.name!r} has no field in {self._query.returns}", extra)
        missing = [column.name or "" for column in wanted.missing(len(columns))]
        if missing:
            return Remark(f"the columns {', '.join(missing)} of {self._query.returns} are missing")
        return None


def _fits(field: Field, kinds: frozenset[str]) -> bool:
    """A field that is a list takes an array of PostgreSQL as well as a JSON array."""
    if is_list(field.python_type) and any(kind.endswith("[]") for kind in kinds):
        return f"{item_type(field.python_type)}[]" in kinds
    return field.type in kinds


def shown(kinds: Kinds) -> str:
    return " or ".join(sorted(kinds or ()))


def _is_unsure(column: Column, wanted: str) -> bool:
    """Whether the column may be of another type: any text is a text and any integer an int, but not the other way."""
    if column.kinds is None:
        return bool(column.untyped) or column.nullable is not True
    return bool(column.untyped) and len(column.kinds) > 1 and wanted not in ("text", "int")
