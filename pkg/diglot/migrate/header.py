"""The header of a migration file: ``-- key: value`` lines among the comments above its first statement.

``-- transactional: false`` (PostgreSQL: each statement by itself) and ``-- depends: ID …``, both as yoyo reads them;
in a rollback file ``-- rollback: nothing because …`` where there is nothing to undo. ``-- safe: reason`` is for
``diglot check``, and may precede any statement. A key that is misspelt, has an invalid value or is in the wrong place
is a mistake, because otherwise nobody would notice that it has no effect. Other tools' layouts tolerate such lines, so
it is reported in ``Header.mistake`` and refused only in Diglot's own layout.
"""

from __future__ import annotations

import difflib
import re

import msgspec

Depends = tuple[tuple[int, str], ...]
"""(line, id) of each migration that must be applied before."""

KEYS = ("transactional", "depends")
ROLLBACK_KEYS = ("rollback",)
SAFE = "safe"

_COMMENT = re.compile(r"\s*--\s*(.*?)\s*$")
_KEY = re.compile(r"([A-Za-z][\w-]*)\s*([:=])(?!//)\s*(.*)$")
_KEY_WITHOUT_COLON = re.compile(r"([A-Za-z][\w-]*)\s+(true|false|yes|no|on|off)$", re.IGNORECASE)
_NOTHING = re.compile(r"nothing because (\S.*)$")


class Header(msgspec.Struct, frozen=True):
    """What the header says, as yoyo reads it; ``nothing`` is why there is nothing to undo."""

    transactional: bool = True
    depends: Depends = ()
    nothing: str | None = None
    has_statements: bool = False
    """There is a line that is neither blank nor a ``--`` comment."""
    mistake: str | None = None
    """The first mistake under the rules of Diglot's own layout, with file:line."""


def read_header(text: str, file: str, *, rollback: bool = False) -> Header:
    """The header of a migration file, or of a rollback file, with LF line ends."""
    transactional, has_statements = True, False
    depends: list[tuple[int, str]] = []
    nothing = mistake = None
    seen: set[str] = set()
    for number, line in enumerate(text.split("\n"), start=1):
        comment = _COMMENT.match(line)
        if comment is None:
            has_statements = has_statements or bool(line.strip())
            continue
        pair = _KEY.match(comment[1])
        if pair and pair[2] == ":":
            if (pair[1].lower(), pair[3].lower()) == ("transactional", "false"):
                transactional = False
            elif pair[1] == "depends":
                depends += ((number, id) for id in pair[3].split())
            elif pair[1] == "rollback":
                reason = _NOTHING.match(pair[3])
                nothing = nothing or (reason and reason[1])
        if mistake is None:
            found = _late_key(pair) if has_statements else _mistake(comment[1], pair, rollback, seen)
            mistake = found and f"{file}:{number}: {found}"
    return Header(transactional, tuple(depends), nothing, has_statements, mistake)


def _mistake(comment: str, pair: re.Match[str] | None, rollback: bool, seen: set[str]) -> str | None:
    keys = ROLLBACK_KEYS if rollback else KEYS
    if pair is None:
        bare = _KEY_WITHOUT_COLON.match(comment)
        closest = bare and _closest(bare[1])
        return f"write '-- {closest}: {bare[2].lower()}'" if bare and closest else None
    key, sign, value = pair.groups()
    if key == SAFE and sign == ":" and not rollback:
        return None
    if key in keys and sign == ":":
        if key in seen:
            return f"{key!r} appears twice"
        seen.add(key)
        return _mistake_of_value(key, value)
    if key in (*KEYS, *ROLLBACK_KEYS, SAFE) and sign == ":":
        other = "the rollback file" if key in ROLLBACK_KEYS else "the migration's file, not its rollback"
        return f"{key!r} belongs in {other}"
    closest = _closest(key)
    if closest:
        return f"unknown key {key + sign!r}: write '-- {closest}: …'"
    known = " or ".join(f"'{k}:'" for k in keys)
    return f"unknown key {key + sign!r}: only {known} is known; reword a comment"


def _mistake_of_value(key: str, value: str) -> str | None:
    if key == "transactional" and value not in ("true", "false"):
        return f"transactional is true or false, not {value!r}"
    if key == "depends" and not value:
        return "depends names no migration"
    if key == "rollback" and not _NOTHING.match(value):
        return "write '-- rollback: nothing because …' with the reason"
    return None


def _late_key(pair: re.Match[str] | None) -> str | None:
    late = pair is not None and pair[1].lower() in KEYS + ROLLBACK_KEYS
    return f"{pair[1]!r} must come before the first statement" if pair and late else None


def _closest(key: str) -> str | None:
    close = difflib.get_close_matches(key.lower(), (*KEYS, *ROLLBACK_KEYS, SAFE), n=1, cutoff=0.75)
    return close[0] if close else None
