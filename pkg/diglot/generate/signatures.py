"""What a query takes and returns, as Python types: a TypedDict of its parameters, and a method of a protocol."""

from __future__ import annotations

import keyword
import textwrap

from diglot.errors import QueryFileError
from diglot.generate.imports import Imports
from diglot.sql.header import BASE_TYPES, Parameter, QuerySource
from diglot.sql.types import TYPES

WIDTH = 88
"""The narrowest of the usual limits: a formatter with a wider one leaves such lines alone."""


class Signatures:
    """Writes the methods of one file; adds what they name to ``imports``."""

    def __init__(self, imports: Imports, queries: list[QuerySource]) -> None:
        self._imports = imports
        self._shadowed = frozenset(query.name for query in queries)
        """A query called ``list`` hides the type inside the class."""

    def method(self, query: QuerySource) -> list[str]:
        """The lines of the method, indented for a class."""
        _refuse_keywords(query)
        names = {p.name for p in query.parameters}
        self._imports.add("diglot.sql.session", "Session")
        parts = ["self_" if "self" in names else "self", f"{_session(names)}: Session"]
        if query.suffix == "*!":
            iterable = self._imports.add("collections.abc", "Iterable")
            parts += [f"batch: {iterable}[{parameters_name(query)}]", "/"]
        elif query.parameters:
            unpack = self._imports.add("typing", "Unpack")
            parts += ["/", f"**parameters: {unpack}[{parameters_name(query)}]"]
        else:
            parts.append("/")
        result = self.result(query)
        one_line = f"    def {query.name}({', '.join(parts)}) -> {result}:"
        if len(one_line) <= WIDTH and "self" not in names:
            head = [one_line]
        else:
            lines = [f"        {part}," + ("  # noqa: N805" if part == "self_" else "") for part in parts]
            head = [f"    def {query.name}(", *lines, f"    ) -> {result}:"]
        return [*head, *docstring(query.doc, "        ")] if query.doc else [*head[:-1], f"{head[-1]} ..."]

    def parameters(self, query: QuerySource) -> list[str]:
        """The TypedDict of the query's parameters; empty if it has none, unless it takes many sets."""
        if not query.parameters and query.suffix != "*!":
            return []
        _refuse_keywords(query)
        self._imports.add("typing", "TypedDict")
        one = "One set of parameters" if query.suffix == "*!" else "Parameters"
        fields = [f"    {p.name}: {self._parameter(p)}" for p in query.parameters]
        doc = docstring(f"{one} of ``{query.name}``.", "    ")
        return [f"class {parameters_name(query)}(TypedDict):", *doc, *(["", *fields] if fields else [])]

    def _parameter(self, parameter: Parameter) -> str:
        """The type of a value for a parameter."""
        if parameter.type == "json":
            kind = self._imports.add("diglot.sql.encoding", "Json")
        else:
            kind = self._python(parameter.type, shadowed=False)
        if parameter.is_list:
            kind = f"{self._imports.add('diglot.sql.encoding', 'ListOf')}[{kind}]"
        return f"{kind} | None" if parameter.nullable else kind

    def result(self, query: QuerySource) -> str:
        """What a call returns."""
        if query.returns is None:
            return "None" if query.suffix == "#" else self._builtin("int")
        if query.returns not in BASE_TYPES:
            row = self._imports.model(query)
        else:
            row = self._value(query.returns)
            if query.returns_nullable and row != "Any":
                row = f"{row} | None"
        if query.suffix == "":
            return f"{self._builtin('list')}[{row}]"
        if query.suffix == "^" and row != "Any" and not row.endswith("| None"):
            return f"{row} | None"
        return row

    def _value(self, name: str) -> str:
        if name == "json":
            return self._imports.add("typing", "Any")
        return self._python(name, shadowed=True)

    def _python(self, name: str, *, shadowed: bool) -> str:
        """The Python type of a header type. ``shadowed``: a query of this name may hide it."""
        kind = TYPES[name].python
        if kind.__module__ != "builtins":
            return self._imports.add(kind.__module__, kind.__name__)
        return self._builtin(kind.__name__) if shadowed else kind.__name__

    def _builtin(self, name: str) -> str:
        if name not in self._shadowed:
            return name
        self._imports.whole("builtins")
        return f"builtins.{name}"


def parameters_name(query: QuerySource) -> str:
    """The name of the TypedDict of a query's parameters."""
    return f"{camel(query.name)}Parameters"


def camel(name: str) -> str:
    """``api_keys`` as ``ApiKeys``."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def docstring(text: str, indent: str) -> list[str]:
    """The lines of a docstring, wrapped; what would end it early is escaped."""
    text = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if text.endswith('"'):
        text = f'{text[:-1]}\\"'
    lines = [
        wrapped
        for line in text.splitlines()
        for wrapped in (textwrap.wrap(line, WIDTH - len(indent) - 6, break_on_hyphens=False) or [""])
    ]
    if len(lines) == 1:
        return [f'{indent}"""{lines[0]}"""']
    body = [f"{indent}{line}".rstrip() for line in lines[1:]]
    return [f'{indent}"""{lines[0]}', *body, f'{indent}"""']


def _session(names: set[str]) -> str:
    return "session_" if "session" in names else "session"


def _refuse_keywords(query: QuerySource) -> None:
    for what, name in [("query", query.name), *(("parameter", p.name) for p in query.parameters)]:
        if keyword.iskeyword(name):
            raise QueryFileError(
                f"a {what} can't be named {name!r}: it is a keyword of Python",
                file=query.file,
                line=query.line,
                column=query.column,
            )
