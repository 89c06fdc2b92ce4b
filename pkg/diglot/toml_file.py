"""Reads a TOML file that a person wrote: one clear line for what is wrong, however odd the file is.

An error says the reason and the place and never quotes a value, which may be a password.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from diglot.errors import ConfigurationError
from diglot.text_file import NotText, decoded

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


def _reason(message: str) -> str:
    """Why and where, without the keys and values that the parser's message may name."""
    found = _PLACE.search(message)
    reason = _VALUES.sub("", message[: found.start()] if found else message)
    reason = _NAMES.sub("", reason).strip().replace("Cannot declare twice", "the same table or key is declared twice")
    place = f" ({found['place']})" if found else ""
    return f": {reason[:1].lower()}{reason[1:]}{place}" if reason else place
