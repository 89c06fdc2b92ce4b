"""The header of a migration file: ``-- key: value`` lines among the comments above its first statement.

``-- transactional: false`` (PostgreSQL: each statement by itself) and ``-- depends: ID …``, both as yoyo reads them;
in a rollback file ``-- rollback: nothing because …`` where there is nothing to undo. ``-- safe: reason`` is for
``diglot check``, and may precede any statement. A key that is misspelt, has an invalid value or is in the wrong place
is an error, because otherwise nobody would notice that it has no effect.
"""

from __future__ import annotations

import difflib
import re

import msgspec

from diglot.errors import MigrationTreeError

KEYS = ("transactional", "depends")
ROLLBACK_KEYS = ("rollback",)
SAFE = "safe"

_COMMENT = re.compile(r"\s*--\s*(.*?)\s*$")
_KEY = re.compile(r"([A-Za-z][\w-]*)\s*([:=])(?!//)\s*(.*)$")
_KEY_WITHOUT_COLON = re.compile(r"([A-Za-z][\w-]*)\s+(true|false|yes|no|on|off)$", re.IGNORECASE)
_NOTHING = re.compile(r"nothing because (\S.*)$")


class Header(msgspec.Struct, frozen=True):
    """What the header says; ``nothing`` is why there is nothing to undo."""

    transactional: bool = True
    depends: tuple[str, ...] = ()
    nothing: str | None = None
    has_statements: bool = False
    """There is a line that is neither blank nor a ``--`` comment."""


def read_header(text: str, file: str, *, rollback: bool = False) -> Header:
    """The header of a file with LF line ends; MigrationTreeError with file:line for an invalid line."""
    found: dict[str, tuple[str, str]] = {}
    has_statements = False
    for number, line in enumerate(text.split("\n"), start=1):
        comment = _COMMENT.match(line)
        if comment is None:
            has_statements = has_statements or bool(line.strip())
            continue
        where = f"{file}:{number}"
        if has_statements:
            _refuse_late_key(comment.group(1), where)
            continue
        pair = _pair(comment.group(1), ROLLBACK_KEYS if rollback else KEYS, where)
        if pair is None:
            continue
        key, value = pair
        if key in found:
            raise MigrationTreeError(f"{where}: {key!r} appears twice")
        found[key] = (value, where)
    return Header(
        transactional=_transactional(*found["transactional"]) if "transactional" in found else True,
        depends=_depends(*found["depends"]) if "depends" in found else (),
        nothing=_nothing(*found["rollback"]) if "rollback" in found else None,
        has_statements=has_statements,
    )


def _pair(comment: str, keys: tuple[str, ...], where: str) -> tuple[str, str] | None:
    match = _KEY.match(comment)
    if match is None:
        bare = _KEY_WITHOUT_COLON.match(comment)
        if bare and _closest(bare.group(1)):
            raise MigrationTreeError(f"{where}: write '-- {_closest(bare.group(1))}: {bare.group(2).lower()}'")
        return None
    key, sign, value = match.groups()
    if key == SAFE and sign == ":" and keys == KEYS:
        return None
    if key in keys and sign == ":":
        return key, value
    if key in (*KEYS, *ROLLBACK_KEYS, SAFE) and sign == ":":
        other = "the rollback file" if key in ROLLBACK_KEYS else "the migration's file, not its rollback"
        raise MigrationTreeError(f"{where}: {key!r} belongs in {other}")
    closest = _closest(key)
    if closest:
        raise MigrationTreeError(f"{where}: unknown key {key + sign!r}: write '-- {closest}: …'")
    known = " or ".join(f"'{k}:'" for k in keys)
    raise MigrationTreeError(f"{where}: unknown key {key + sign!r}: only {known} is known; reword a comment")


def _refuse_late_key(comment: str, where: str) -> None:
    match = _KEY.match(comment)
    if match and match.group(1).lower() in KEYS + ROLLBACK_KEYS:
        raise MigrationTreeError(f"{where}: {match.group(1)!r} must come before the first statement")


def _closest(key: str) -> str | None:
    close = difflib.get_close_matches(key.lower(), (*KEYS, *ROLLBACK_KEYS, SAFE), n=1, cutoff=0.75)
    return close[0] if close else None


def _transactional(value: str, where: str) -> bool:
    if value not in ("true", "false"):
        raise MigrationTreeError(f"{where}: transactional is true or false, not {value!r}")
    return value == "true"


def _depends(value: str, where: str) -> tuple[str, ...]:
    if not value:
        raise MigrationTreeError(f"{where}: depends names no migration")
    return tuple(value.split())


def _nothing(value: str, where: str) -> str:
    reason = _NOTHING.match(value)
    if reason is None:
        raise MigrationTreeError(f"{where}: write '-- rollback: nothing because …' with the reason")
    return reason.group(1)
