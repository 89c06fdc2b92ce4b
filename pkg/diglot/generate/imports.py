"""The imports of a generated module, in the order that linters expect."""

from __future__ import annotations

import builtins
import sys

import msgspec

from diglot.errors import QueryFileError
from diglot.sql.header import QuerySource
from diglot.sql.models import Models

WIDTH = 88
_OWN = frozenset({"Any", "Iterable", "Json", "ListOf", "Protocol", "Session", "TypedDict", "Unpack", "datetime"})


class Imports:
    """Collects names and modules. A model that has the name of something else in the module gets an alias."""

    def __init__(self, models: Models, defined: frozenset[str] = frozenset(), package: str | None = None) -> None:
        self._models = models
        self._taken = _OWN | defined | frozenset(dir(builtins))
        self._names: dict[str, dict[str, str]] = {}
        self._whole: set[str] = set()
        self._project = package

    def add(self, module: str, name: str, alias: str | None = None) -> str:
        """The name under which it is imported."""
        self._names.setdefault(module, {})[name] = alias or name
        return alias or name

    def whole(self, module: str) -> None:
        self._whole.add(module)

    def model(self, query: QuerySource) -> str:
        """The struct that a query returns. QueryFileError if it is unknown."""
        assert query.returns is not None  # noqa: S101 - asked for queries with a model alone
        model = self._models.get(query.returns)
        if model is None:
            known = ", ".join(self._models) or "none are known, name them with --models"
            message = f"'returns: {query.returns}' is neither a model nor a type: the models are {known}"
            raise QueryFileError(message, file=query.file, line=query.line, column=query.column)
        return self._struct(model)

    def _struct(self, model: type[msgspec.Struct]) -> str:
        name = model.__name__
        return self.add(model.__module__, name, f"{name}Row" if name in self._taken else None)

    def lines(self) -> list[str]:
        """Sections with an empty line between: standard library, other packages, the project's own."""
        sections: list[list[str]] = [[], [], []]
        for module in sorted(self._whole):
            sections[self._section(module)].append(f"import {module}")
        for module in sorted(self._names, key=lambda m: (not m.startswith("."), m)):
            sections[self._section(module)] += _from(module, self._names[module])
        return [line for section in sections if section for line in [*section, ""]][:-1]

    def _section(self, module: str) -> int:
        top = module.partition(".")[0]
        if top in sys.stdlib_module_names:
            return 0
        own = {model.__module__.partition(".")[0] for model in self._models.values()}
        return 2 if not top or top in own else 1


def _from(module: str, names: dict[str, str]) -> list[str]:
    written = [
        name if alias == name else f"{name} as {alias}"
        for name, alias in sorted(names.items(), key=lambda item: _as_a_linter_sorts(item[0]))
    ]
    one_line = f"from {module} import {', '.join(written)}"
    if len(one_line) <= WIDTH:
        return [one_line]
    return [f"from {module} import (", *(f"    {name}," for name in written), ")"]


def _as_a_linter_sorts(name: str) -> tuple[int, str]:
    """Constants, classes, then functions and variables."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name
