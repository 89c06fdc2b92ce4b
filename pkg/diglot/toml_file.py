"""Reads a TOML file that a person wrote: one clear line for what is wrong, however odd the file is.

An error says the reason and the place and never quotes a value, which may be a password.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec

from diglot.errors import ConfigurationError
from diglot.text_file import NotText, decoded

Settings = TypeVar("Settings", bound=msgspec.Struct)

MAX_BYTES = 256 * 1024
"""Settings are far smaller; the parser needs a second for a few megabytes."""
MAX_PARTS = 20
"""The most parts of a key: the parser's time grows with their square."""
_PART = r"""(?:[\w-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
_DOTS = rf"""{_PART}(?:[ \t]*+\.[ \t]*+{_PART})"""
_TOKENS = re.compile(rf"""#[^\n]*+|(?P<key>{_DOTS}*+)""")
"""A comment, or parts with dots between them, as many as there are: no character is looked at by two matches."""
_TOO_MANY = re.compile(rf"{_DOTS}{{{MAX_PARTS}}}")
_PLACE = re.compile(r" \((?P<place>at [^()]*)\)\Z")
_VALUES = re.compile(r" '[^']{2,}'|: .*")
_FIELD = re.compile(r"Object (?:contains )?(?P<what>unknown|missing required) field `(?P<name>.*)`", re.DOTALL)
_EXPECTED = re.compile(r"Expected `(?P<types>[^`]+)`")
_INDEX = re.compile(r"\[[^\]]*\]")
_NAMES_OF_TYPES = {
    "str": "text", "int": "a whole number", "float": "a number", "bool": "true or false", "array": "a list",
    "object": "a table", "date": "a date, as in 2030-01-31",
}  # fmt: skip
_NAMES = re.compile(r" ?\(.*\)")


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a file; a byte order mark is skipped. ConfigurationError with the path, reason and place."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"{path}: can't be read: {(error.strerror or 'unknown reason').lower()}") from None
    if len(data) > MAX_BYTES:
        raise ConfigurationError(f"{path} is not a file of settings: it is larger than {MAX_BYTES // 1024} KiB")
    try:
        text = decoded(data)
    except NotText as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from None
    for token in _TOKENS.finditer(text):
        if token["key"] is not None and _TOO_MANY.match(token["key"]):
            line = text.count("\n", 0, token.start()) + 1
            raise ConfigurationError(
                f"{path} is not a file of settings: a key has more than {MAX_PARTS} parts (at line {line})"
            )
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigurationError(f"{path} is not a file of settings: its values are nested too deeply") from None
    except ValueError as error:
        raise ConfigurationError(f"{path} is not TOML{_reason(str(error))}") from None


def settings_from(
    value: Any, kind: type[Settings], path: Path, *, section: str = "", hints: Mapping[str, str] | None = None
) -> Settings:
    """The table as this struct. ConfigurationError with the key, the file and what is allowed, never with the value.

    ``section`` is the table's place in the file; ``hints`` say of a key, by its last name, what is allowed.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ConfigurationError(_complaint(str(error), kind, path, section, hints or {})) from None


def _complaint(message: str, kind: type[msgspec.Struct], path: Path, section: str, hints: Mapping[str, str]) -> str:
    text, _, place = message.partition(" - at `")
    steps = place.rstrip("`").removeprefix("$")
    where = (section + steps).removeprefix(".")
    field = _FIELD.fullmatch(text)
    if field is not None and field["what"] == "missing required":
        return f"{where}.{field['name']} ({path}): this key is missing".removeprefix(".")
    if field is not None:
        known = ", ".join(_struct_at(kind, steps).__struct_fields__)
        name = field["name"] if len(field["name"]) <= 40 else f"{field['name'][:39]}…"
        return f"{where}.{name} ({path}): unknown key: use {known}".removeprefix(".")
    hint = hints.get(_INDEX.sub("", where).rpartition(".")[2])
    if hint is None:
        expected = _EXPECTED.match(text)
        names = expected["types"].split(" | ") if expected is not None else []
        hint = f"use {' or '.join(_NAMES_OF_TYPES.get(name, name) for name in names if name != 'null')}"
        if not names:
            hint = "this value can't be used"
    return f"{where} ({path}): {hint}"


def _struct_at(kind: type[msgspec.Struct], steps: str) -> type[msgspec.Struct]:
    for name in filter(None, _INDEX.sub("", steps).split(".")):
        inner = get_type_hints(kind).get(name)
        structs = [each for each in (inner, *get_args(inner)) if isinstance(each, type(msgspec.Struct))]
        kind = structs[0] if structs else kind
    return kind


def _reason(message: str) -> str:
    """Why and where, without the keys and values that the parser's message may name."""
    found = _PLACE.search(message)
    reason = _VALUES.sub("", message[: found.start()] if found else message)
    reason = _NAMES.sub("", reason).strip().replace("Cannot declare twice", "the same table or key is declared twice")
    place = f" ({found['place']})" if found else ""
    return f": {reason[:1].lower()}{reason[1:]}{place}" if reason else place
