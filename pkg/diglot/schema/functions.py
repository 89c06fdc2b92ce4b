"""The functions and views of a database, as the engine's own catalog describes them."""

from __future__ import annotations

from typing import Literal

import msgspec

from diglot.schema.statements import statement
from diglot.stores.store import Store

FunctionKind = Literal["plain", "aggregate", "window"]
_KINDS: dict[str, FunctionKind] = {"f": "plain", "s": "plain", "a": "aggregate", "w": "window"}
_MANY = 1000


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """One function, or one of those that share a name. On SQLite an aggregate is a ``window`` too.

    ``strict``: null if an argument is null; None if the engine does not say. ``result`` and ``is_enum``: the type in
    pg_type. ``starts``: an aggregate whose result is its first value (``first``), or that has one to begin with
    (``always``).
    """

    kind: FunctionKind
    fewest: int
    most: int
    builtin: bool
    strict: bool | None = None
    returns_set: bool = False
    result: str = ""
    is_enum: bool = False
    starts: str = ""


class Functions:
    """The functions by name."""

    def __init__(self, known: dict[str, list[Function]]) -> None:
        self._known = known

    def find(self, name: str, arguments: int) -> list[Function]:
        """Those that take this number of arguments."""
        return [each for each in self._known.get(name, ()) if each.fewest <= arguments <= each.most]


def functions(store: Store) -> Functions:
    """The functions that statements can call without the name of a schema."""
    found: dict[str, list[Function]] = {}
    for name, *rest in store.rows(statement(store.dialect, "functions")):
        found.setdefault(name, []).append(_postgres(*rest) if store.dialect == "postgres" else _sqlite(*rest))
    return Functions(found)


def view_definitions(store: Store) -> dict[str, str]:
    """The query of each view; on SQLite the statement that created it."""
    return dict(store.rows(statement(store.dialect, "view_definitions")))


def _postgres(
    kind: str,
    fewest: int,
    most: int,
    strict: bool,
    returns_set: bool,
    builtin: bool,
    result: str,
    typtype: str,
    starts: str,
) -> Function:
    return Function(
        kind=_KINDS[kind],
        fewest=fewest,
        most=most,
        builtin=builtin,
        strict=strict,
        returns_set=returns_set,
        result=result,
        is_enum=typtype == "e",
        starts=starts,
    )


def _sqlite(kind: str, arguments: int, builtin: int) -> Function:
    fewest, most = (arguments, arguments) if arguments >= 0 else (0, _MANY)
    return Function(kind=_KINDS[kind], fewest=fewest, most=most, builtin=bool(builtin))
