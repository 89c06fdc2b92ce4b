"""LIKE, GLOB and regular expressions in one form: a regular expression for the whole text, in one spelling."""

from __future__ import annotations

import re


def from_like(pattern: str, escape: str | None) -> str:
    """``%`` any text, ``_`` one character; PostgreSQL escapes with a backslash, SQLite only with ESCAPE."""
    found, place = [], 0
    while place < len(pattern):
        character = pattern[place]
        if escape and character == escape and place + 1 < len(pattern):
            place += 1
            found.append(re.escape(pattern[place]))
        else:
            found.append({"%": ".*", "_": "."}.get(character) or re.escape(character))
        place += 1
    return _plain("".join(found))


def from_glob(pattern: str) -> str:
    """``*`` any text, ``?`` one character, ``[0-9]`` and ``[^0-9]`` classes."""
    found, place = [], 0
    while place < len(pattern):
        character = pattern[place]
        closing = pattern.find("]", place + 2) if character == "[" else -1
        if closing > 0:
            found.append(pattern[place : closing + 1])
            place = closing
        else:
            found.append({"*": ".*", "?": "."}.get(character) or re.escape(character))
        place += 1
    return _plain("".join(found))


def from_regex(pattern: str) -> str:
    """A regular expression finds a part of the text unless it is anchored."""
    if "|" in pattern:
        return f"regular expression {pattern}"  # an anchor may belong to one of the alternatives alone
    text = pattern[1:] if pattern.startswith("^") else f".*{pattern}"
    text = text[:-1] if text.endswith("$") and not text.endswith("\\$") else f"{text}.*"
    return _plain(text)


def _plain(text: str) -> str:
    """``\\d`` is ``[0-9]``, ``x{3}`` is ``xxx``, and no text twice in a row is any text."""
    text = text.replace("\\d", "[0-9]")
    text = _REPEATED.sub(lambda found: found[1] * int(found[2]), text)
    text = re.sub(r"\\([^\w\s.*+?()\[\]{}|^$\\])", r"\1", text).replace("\\ ", " ")
    return re.sub(r"(\.\*)+", ".*", text)


_REPEATED = re.compile(r"(\[[^\]]*\]|\\.|[^\\\]){}])\{(\d{1,3})\}")
