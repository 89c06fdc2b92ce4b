"""The part of the reader that reads JSON: the value at a path and its type, in one form for ten spellings.

``j -> 'a' ->> 'b'``, ``j #>> '{a,b}'``, ``jsonb_extract_path_text(j, 'a', 'b')``, ``j ->> '$.a.b'`` and
``json_extract(j, '$.a.b')`` are the same.
"""

from __future__ import annotations

import re
from typing import Any

from sqlglot import exp

from diglot.drift.reading import Reading
from diglot.drift.values import Form, number_form


class JsonPaths(Reading):
    """``("json", subject, keys)`` is JSON, ``("json text", subject, keys)`` the text of a scalar."""

    def read_json(self, node: exp.Expression) -> Form:
        return self._at("json", self.form(node.this), self._keys(node.args.get("expression")))

    def read_json_text(self, node: exp.Expression) -> Form:
        return self._at("json text", self.form(node.this), self._keys(node.args.get("expression")))

    def read_json_type(self, node: exp.JSONType) -> Form:
        path = node.args.get("expression")
        return self._type(self.form(node.this), self._keys(path) if path is not None else ())

    def read_json_call(self, name: str, arguments: list[Form]) -> Form | None:
        """A call that sqlglot does not know as one of these; None if it is another function."""
        if name in ("jsonb_typeof", "json_typeof"):
            return self._type(arguments[0], ())
        word = {"extract_path": "json", "extract_path_text": "json text"}.get(re.sub("^jsonb?_", "", name))
        if word is None:
            return None
        keys = arguments[1:]
        if keys and keys[0][0] == "variadic":
            keys = list(keys[0][1][1])
        return self._at(word, arguments[0], tuple(keys))

    def _at(self, word: str, subject: Form, keys: tuple[Form, ...]) -> Form:
        if subject[0] == "json":
            return (word, subject[1], (*subject[2], *keys))
        return (word, subject, keys)

    def _type(self, subject: Form, keys: tuple[Form, ...]) -> Form:
        at = self._at("json", subject, keys) if keys or subject[0] == "json" else subject
        return ("json_type", at)

    def _keys(self, path: Any) -> tuple[Form, ...]:
        if isinstance(path, exp.JSONPath):
            return tuple(_step(part) for part in path.expressions if not isinstance(part, exp.JSONPathRoot))
        if isinstance(path, exp.Variadic):
            path = path.this
        found = self.form(path)
        if found[0] == "array":
            return tuple(number_form(key[1]) if key[1].isdigit() else key for key in found[1])
        if self._sqlite and found[0] == "text" and _PATH.fullmatch(found[1]):
            return tuple(number_form(index) if index else ("text", key) for key, index in _STEP.findall(found[1]))
        return (found,)


def _step(part: exp.Expression) -> Form:
    if isinstance(part, exp.JSONPathKey):
        return ("text", str(part.this))
    if isinstance(part, exp.JSONPathSubscript):
        return number_form(part.this)
    return ("word", repr(part))


_PATH = re.compile(r"\$(\.\w+|\[\d+\])*")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
