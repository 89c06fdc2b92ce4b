"""What a query must answer with to fit ``-- returns:``: the columns of the model, or the one value of a type."""

from __future__ import annotations

import types
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from diglot.sql.header import BASE_TYPES, QuerySource

_KINDS: dict[Any, str] = {
    str: "text",
    int: "int",
    float: "float",
    bool: "bool",
    bytes: "bytes",
    datetime: "timestamp",
}


class Field(msgspec.Struct, frozen=True):
    """A column that is wanted. ``name`` is None where any will do; ``optional``: it may be missing at the end."""

    name: str | None
    kind: str
    nullable: bool
    owner: str = ""
    optional: bool = False

    @property
    def shown(self) -> str:
        return f"{self.owner}.{self.name}" if self.owner else "the result"


def wanted(source: QuerySource, models: Mapping[str, type[Any]] | None) -> list[Field] | None:
    """The columns that the header and the model want; None where the model is not known."""
    if source.returns is None:
        return None
    if source.returns in BASE_TYPES:
        return [Field(None, source.returns, source.returns_nullable)]
    model = (models or {}).get(source.returns)
    return None if model is None or models is None else _fields(model, frozenset(models.values()))


def _fields(model: type[Any], rows: frozenset[type[Any]]) -> list[Field]:
    """As the decoder takes them: a field that is a row model has that model's columns."""
    hints = get_type_hints(model)
    found: list[Field] = []
    for field in msgspec.structs.fields(model):
        kinds = _alternatives(hints[field.name])
        nullable = types.NoneType in kinds or kinds == [Any]
        kinds = [kind for kind in kinds if kind not in (types.NoneType, msgspec.UnsetType)]
        kind = kinds[0] if len(kinds) == 1 else Any
        if isinstance(kind, type) and kind in rows:
            found += [Field(f.name, f.kind, f.nullable, f.owner) for f in _fields(kind, rows)]
            continue
        has_default = field.default is not msgspec.NODEFAULT or field.default_factory is not msgspec.NODEFAULT
        if not has_default:
            found = [Field(f.name, f.kind, f.nullable, f.owner) for f in found]
        of_literal = get_origin(kind) is Literal
        name = "text" if of_literal else _KINDS.get(kind, "json") if isinstance(kind, type) else "json"
        found.append(Field(field.name, name, nullable, model.__name__, has_default))
    return found


def _alternatives(hint: Any) -> list[Any]:
    return list(get_args(hint)) if get_origin(hint) in (Union, types.UnionType) else [hint]
