"""What a statement does to stored rows and to the names of tables, read from its words.

It is not a parser: a statement may have a CTE that writes, MERGE, REPLACE or UPDATE inside, and each of them is found
where it begins. Definitions (functions, triggers, rules, policies) change nothing when they are created.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from diglot.sql.statements import Name, Quoted, read_names

Words = tuple[str, ...]
Kind = Literal[
    "create table", "drop table", "drop schema", "drop column", "rename table", "delete", "replace", "update"
]
NOT_A_COLUMN = frozenset({"constraint", "not", "default", "expression", "identity"})
"""What else ALTER TABLE … DROP can name."""
_SCHEMAS = ("schema", "database")
_NO_STATEMENT = frozenset({"create", "alter", "drop", "comment", "grant", "revoke", "do"})
_BEFORE_A_STATEMENT = frozenset({"(", ")", "analyze", "verbose"})
_EVERY_ROW = (("true",), ("1",), ("1", "=", "1"))
_AFTER_WHERE = ("returning", "order", "limit", ")", ";")


class Change(msgspec.Struct, frozen=True):
    """``table`` is that of the rows; for "drop schema" the schema. ``column`` is the dropped one, ``to`` the new name.

    ``certain``: a created table is new; without it, it may have been there (``if not exists``). ``every_row``: an
    update without a condition of its own.
    """

    kind: Kind
    table: Name
    column: str = ""
    to: str = ""
    certain: bool = True
    temporary: bool = False
    every_row: bool = False


def changes(words: Words) -> Iterator[Change]:
    """In the order of the statement."""
    first, second = (*words, "", "")[:2]
    if first == "create":
        yield from _created(words)
    elif first == "drop":
        for name in read_names(words[2:])[0]:
            if second in ("table", *_SCHEMAS):
                yield Change("drop table" if second == "table" else "drop schema", name)
    elif first == "truncate":
        yield from (Change("delete", name) for name in read_names(words[1:])[0])
    elif first == "alter" and second == "table":
        yield from _altered(words)
    elif first not in _NO_STATEMENT and (first != "explain" or "analyze" in words):
        for at in _statements_in(words):
            yield from _rows_changed(words[at:])


def altered_table(words: Words) -> tuple[Name, list[Words]]:
    """The table of ALTER TABLE, and each of its actions."""
    names, rest = read_names(words[2:])
    return (names[0] if names else Name("", "")), list(_by_comma(tuple(rest)))


def outside_brackets(words: Words) -> Words:
    """The words up to a bracket that closes what is not opened here, without those in brackets."""
    depth = 0
    found = []
    for word in words:
        sign = "" if isinstance(word, Quoted) else word
        depth += (sign == "(") - (sign == ")")
        if depth < 0:
            break
        if depth == 0 and sign != ")":
            found.append(word)
    return tuple(found)


def _created(words: Words) -> Iterator[Change]:
    """A table; also ``create table … as``."""
    if "table" in words[1:4]:
        at = words.index("table") + 1
        certain = words[at : at + 3] != ("if", "not", "exists")
        for name in read_names(words[at:])[0][:1]:
            yield Change("create table", name, certain=certain, temporary=bool({"temp", "temporary"} & {*words[:at]}))


def _altered(words: Words) -> Iterator[Change]:
    table, actions = altered_table(words)
    for action in actions:
        verb, object = (*action, "", "")[:2]
        if verb == "drop" and (isinstance(object, Quoted) or object not in NOT_A_COLUMN):
            for column in read_names(action[1:])[0][:1]:
                yield Change("drop column", table, column=column.name)
        elif verb == "rename" and object == "to":
            for new in read_names(action[2:])[0][:1]:
                yield Change("rename table", table, to=new.name)


def _by_comma(words: Words) -> Iterator[Words]:
    depth = 0
    current: list[str] = []
    for word in words:
        sign = "" if isinstance(word, Quoted) else word
        depth += (sign == "(") - (sign == ")")
        if depth == 0 and sign in (",", ";"):
            if current:
                yield tuple(current)
            current = []
        else:
            current.append(word)
    if current:
        yield tuple(current)


# --- statements that write rows ----------------------------------------------------------------------------


def _statements_in(words: Words) -> Iterator[int]:
    """Where a statement may begin: at the start, in brackets (a CTE), after them, or after its SEARCH clause."""
    for at, word in enumerate(words):
        before = words[at - 1] if at else "("
        clause = words[0] == "with" and at > 1 and words[at - 2] in ("set", "using")
        prepared = words[0] == "prepare" and before == "as"
        if (
            word in _WRITERS
            and not isinstance(word, Quoted)
            and ((before in _BEFORE_A_STATEMENT and not isinstance(before, Quoted)) or clause or prepared)
        ):
            yield at


_WRITERS = frozenset({"delete", "update", "merge", "replace", "insert"})


def _rows_changed(words: Words) -> Iterator[Change]:
    """What the statement that begins here changes; nothing if it only looks like one (``update`` as a name)."""
    first, second = (*words, "", "")[:2]
    if first in ("delete", "replace") and second == ("from" if first == "delete" else "into"):
        for name in read_names(words[2:])[0][:1]:
            yield Change("delete" if first == "delete" else "replace", name)
    elif first == "insert" and words[1:4] == ("or", "replace", "into"):
        yield from (Change("replace", name) for name in read_names(words[4:])[0][:1])
    elif first == "update":
        yield from _updated(words)
    elif first == "merge" and second == "into":
        yield from _merged(words)


def _updated(words: Words) -> Iterator[Change]:
    replaces = words[1:3] == ("or", "replace")
    names, rest = read_names(words[3:] if words[1:2] == ("or",) else words[1:])
    own = outside_brackets(tuple(rest))
    if not names or "set" not in own:
        return
    if replaces:
        yield Change("replace", names[0])
    yield Change("update", names[0], every_row=_has_no_condition(own))


def _has_no_condition(own: Words) -> bool:
    if "where" not in own:
        return True
    condition = own[own.index("where") + 1 :]
    end = next((at for at, word in enumerate(condition) if word in _AFTER_WHERE), len(condition))
    return condition[:end] in _EVERY_ROW


def _merged(words: Words) -> Iterator[Change]:
    """Each WHEN … THEN; one that updates has the condition of the ON."""
    own = outside_brackets(words)
    for name in read_names(own[2:])[0][:1]:
        for at, word in enumerate(own[:-1]):
            if word == "then" and own[at + 1] == "delete":
                yield Change("delete", name)
            elif word == "then" and own[at + 1] == "update":
                yield Change("update", name)
