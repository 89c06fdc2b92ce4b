"""Statements of a migration that lose data, or lock a table that is in use for longer the larger it is.

Judged by the words of each statement. A table that the same file creates is empty and not in use yet, so statements on
it don't count. A ``-- safe: reason`` line accepts a statement; an unneeded reason is a finding too. A line above an
empty line at the top of the file applies to the whole file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from diglot.sql.scanner import Kind, position, scan
from diglot.sql.session import Dialect
from diglot.sql.statements import SqlStatement, read_names

Words = tuple[str, ...]


class Unsafe(msgspec.Struct, frozen=True):
    """A place in the file, and what is wrong there."""

    line: int
    column: int
    message: str


class _Reason(msgspec.Struct):
    line: int
    column: int
    text: str
    needed: bool = False


_SAFE = re.compile(r"--\s*safe\s*:\s*(.*?)\s*$", re.IGNORECASE)
_SAY_SO = "say why that is right with a line '-- safe: …' above it"
_OUTSIDE_COLUMNS = ("constraint", "primary", "unique", "foreign", "check", "exclude", "index")
_SAME_FOR_ALL_ROWS = frozenset(
    {
        "now",
        "transaction_timestamp",
        "statement_timestamp",
        "lower",
        "upper",
        "coalesce",
        "concat",
        "jsonb_build_object",
    }
    | {"jsonb_build_array", "json_build_object", "to_timestamp", "make_interval", "md5", "length", "array", "cast"}
    | {"varchar", "char", "numeric", "decimal", "timestamp", "timestamptz", "time", "bit", "character", "varying"}
)


def unsafe(text: str, statements: list[SqlStatement], dialect: Dialect) -> Iterator[Unsafe]:
    """The unsafe statements without a reason and the unneeded reasons of one file."""
    reasons = _reasons(text)
    whole_file = _for_whole_file(text, statements, reasons)
    of_statement = _by_statement(statements, [reason for reason in reasons if reason is not whole_file])
    for number, message in dangers(statements, dialect):
        reason = of_statement.get(number) or whole_file
        if reason is None or not reason.text:
            line = text.split("\n")[statements[number].line - 1]
            column = len(line) - len(line.lstrip()) + 1
            yield Unsafe(statements[number].line, column, f"it {message}: {_SAY_SO}")
        if reason is not None:
            reason.needed = True
    for reason in reasons:
        if not reason.text:
            yield Unsafe(reason.line, reason.column, "'safe:' has no reason")
        elif not reason.needed:
            message = f"'safe: {reason.text}' is not needed: nothing here loses data or locks a table; remove it"
            yield Unsafe(reason.line, reason.column, message)


def dangers(statements: list[SqlStatement], dialect: Dialect) -> Iterator[tuple[int, str]]:
    """The number of each unsafe statement, and what it does."""
    made: set[str] = set()
    for number, statement in enumerate(statements):
        words = statement.words
        for message in _dangers(words, dialect, made):
            yield number, message
        made |= set(_made(words))


# --- the rules ---------------------------------------------------------------------------------------------


def _dangers(words: Words, dialect: Dialect, made: set[str]) -> Iterator[str]:
    first, second = words[0], words[1] if len(words) > 1 else ""
    if first == "drop" and second in ("table", "schema", "database"):
        lost = [name for name in _names(words[2:]) if name not in made]
        if lost:
            yield f"drops the {second} {', '.join(lost)} with all its data"
    elif first == "drop" and "cascade" in words:
        yield f"drops a {second} and, by 'cascade', whatever depends on it"
    elif first == "truncate" or words[:2] == ("delete", "from"):
        lost = [name for name in _names(words[1:] if first == "truncate" else words[2:])[:1] if name not in made]
        if lost:
            yield f"deletes rows of {lost[0]}"
    elif first == "update" and "where" not in words:
        changed = _names(words[1:])[:1]
        if changed and changed[0] not in made:
            yield f"changes every row of {changed[0]} in one transaction"
    elif words[:2] == ("alter", "table"):
        yield from _alter_table(words[2:], dialect, made)
    elif first == "alter" and "rename" in words:
        yield f"renames a {second} that running code still uses under its old name"
    elif dialect == "postgres":
        yield from _locks(words, made)


def _locks(words: Words, made: set[str]) -> Iterator[str]:
    """What blocks others on PostgreSQL."""
    first = words[0]
    if first == "create" and "index" in words[1:3] and "concurrently" not in words[2:5]:
        table = _names(words[words.index("on") + 1 :])[0] if "on" in words else ""
        if table not in made:
            yield f"makes an index on {table} without 'concurrently': nobody can write to it until it is done"
    elif words[:2] == ("drop", "index") and "concurrently" not in words[2:3]:
        yield "drops an index without 'concurrently': it waits for, and then stops, everybody who uses its table"
    elif first == "reindex" and "concurrently" not in words:
        yield "makes an index again without 'concurrently': nobody can write to its table until it is done"
    elif words[:3] == ("refresh", "materialized", "view") and words[3:4] != ("concurrently",):
        yield "fills a materialized view without 'concurrently': nobody can read it until it is done"
    elif first in ("cluster", "lock") or words[:2] == ("vacuum", "full"):
        yield f"locks a table for everybody ('{first}')"
    elif first == "do":
        yield "runs a block of code ('do'), which can't be examined"


def _alter_table(words: Words, dialect: Dialect, made: set[str]) -> Iterator[str]:
    table, rest = _altered(words)
    if table in made:
        return
    for action in _actions(rest):
        verb, object = action[0], action[1:2]
        if verb == "drop" and object and object[0] not in ("constraint", "not", "default", "expression", "identity"):
            column = _names(action[1:])[:1] or ["?"]
            yield f"drops the column {table}.{column[0]} with all its data"
        elif verb == "rename":
            what = "a constraint of" if object == ("constraint",) else "" if object == ("to",) else "a column of"
            if object != ("constraint",):
                yield f"renames {what} {table}, which running code still uses under its old name".replace("  ", " ")
        elif verb == "add" and object and object[0] not in _OUTSIDE_COLUMNS:
            yield from _added_column(table, action, dialect)
        elif verb == "add":
            yield from _added_constraint(table, action, dialect)
        elif verb == "alter":
            yield from _altered_column(table, action)
        elif verb == "set" and object and object[0] in ("tablespace", "logged", "unlogged", "access"):
            yield f"rewrites the whole table {table} under a lock"
        elif verb == "set" and object == ("schema",):
            yield f"moves {table}, which running code still expects in its old schema"


def _added_column(table: str, action: Words, dialect: Dialect) -> Iterator[str]:
    names = [word for word in action[1:] if word not in ("column", "if", "not", "exists")]
    column = f"{table}.{names[0]}" if names else table
    outside = _outside_brackets(action)
    makes_its_value = "default" in outside or "generated" in outside or _is_serial(names)
    if _follows(outside, "not", "null") and not makes_its_value:
        yield f"adds the column {column} as 'not null' without a default: it fails where the table has rows"
    if dialect == "sqlite":
        return
    if _is_serial(names) or "generated" in outside or _default_differs(action):
        yield f"adds the column {column} with a value of its own for each row: the whole table is rewritten"
    for word, what in (("check", "a check"), ("references", "a foreign key"), ("unique", "a unique constraint")):
        if word in outside:
            yield f"adds the column {column} with {what}: the whole table is read under its lock"


def _added_constraint(table: str, action: Words, dialect: Dialect) -> Iterator[str]:
    outside = _outside_brackets(action)
    if dialect == "sqlite" or _follows(outside, "not", "valid") or _follows(outside, "using", "index"):
        return
    for word, what in (("foreign", "a foreign key"), ("check", "a check")):
        if word in outside:
            yield f"adds {what} to {table} without 'not valid': the whole table is read under its lock"
            return
    yield f"adds a constraint to {table} without 'using index': nobody can write to it until its index is made"


def _altered_column(table: str, action: Words) -> Iterator[str]:
    names = [word for word in action[1:] if word != "column"]
    column = f"{table}.{names[0]}" if names else table
    if names[1:2] == ["type"] or names[1:4] == ["set", "data", "type"]:
        yield f"changes the type of {column}: the whole table may be rewritten under a lock"
    elif names[1:4] == ["set", "not", "null"]:
        yield f"makes {column} 'not null': it fails where a row has none, and reads the whole table under its lock"


# --- words -------------------------------------------------------------------------------------------------


def _made(words: Words) -> list[str]:
    """The table that a statement creates."""
    if words[:1] == ("create",) and "table" in words[1:4]:
        return _names(words[words.index("table") + 1 :])[:1]
    if words[:2] == ("alter", "table") and "rename" in words and "to" in words:
        return _names(words[words.index("to") + 1 :])[:1] if _follows(words, "rename", "to") else []
    return []


def _names(words: Words) -> list[str]:
    return read_names(words)[0]


def _altered(words: Words) -> tuple[str, Words]:
    """The table, and what is done to it."""
    names, rest = read_names(words)
    return (names[0] if names else ""), tuple(rest)


def _actions(words: Words) -> Iterator[Words]:
    depth = 0
    current: list[str] = []
    for word in words:
        depth += (word == "(") - (word == ")")
        if depth == 0 and word in (",", ";"):
            if current:
                yield tuple(current)
            current = []
        else:
            current.append(word)
    if current:
        yield tuple(current)


def _outside_brackets(words: Words) -> Words:
    depth = 0
    found = []
    for word in words:
        depth += (word == "(") - (word == ")")
        if depth == 0 and word != ")":
            found.append(word)
    return tuple(found)


def _follows(words: Words, first: str, second: str) -> bool:
    return any(words[at : at + 2] == (first, second) for at in range(len(words)))


def _is_serial(names: list[str]) -> bool:
    return names[1:2] != [] and names[1] in ("serial", "bigserial", "smallserial", "serial4", "serial8", "serial2")


def _default_differs(action: Words) -> bool:
    """Whether the default calls a function that may return another value for each row."""
    if "default" not in action:
        return False
    value = action[action.index("default") + 1 :]
    end = next((at for at, word in enumerate(value) if word in ("check", "references", "constraint")), len(value))
    calls = [word for at, word in enumerate(value[:end]) if value[at + 1 : at + 2] == ("(",) and word.isidentifier()]
    return any(word not in _SAME_FOR_ALL_ROWS for word in calls)


# --- reasons -----------------------------------------------------------------------------------------------


def _reasons(text: str) -> list[_Reason]:
    found = []
    for token in scan(text):
        match = _SAFE.match(token.text) if token.kind is Kind.LINE_COMMENT else None
        if match:
            line, column = position(text, token.start)
            found.append(_Reason(line, column, match[1]))
    return found


def _for_whole_file(text: str, statements: list[SqlStatement], reasons: list[_Reason]) -> _Reason | None:
    """The reason above the first statement with an empty line between them."""
    if not statements or not reasons or reasons[0].line >= statements[0].line:
        return None
    between = text.split("\n")[reasons[0].line : statements[0].line - 1]
    return reasons[0] if any(not line.strip() for line in between) else None


def _by_statement(statements: list[SqlStatement], reasons: list[_Reason]) -> dict[int, _Reason]:
    """A reason belongs to the statement whose lines include it, else to the next one."""
    found: dict[int, _Reason] = {}
    for reason in reasons:
        for number, statement in enumerate(statements):
            if reason.line <= statement.first_line + statement.text.count("\n"):
                found[number] = reason
                break
    return found
