"""The rules for unsafe statements: what loses data, fails on a table with rows, or locks a table that is in use.

A table that the same file creates is empty and not in use yet, so statements on it don't count. One that is created
``if not exists`` may have rows: it counts as new for locks, but not where rows would be lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from diglot.sql.changes import Change, Words, altered_table, changes, outside_brackets
from diglot.sql.session import Dialect
from diglot.sql.statements import Name, Quoted, SqlStatement, read_names

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


LONGEST_NAME = 63
"""Bytes of a name that PostgreSQL keeps."""


def dangers(statements: list[SqlStatement], dialect: Dialect) -> Iterator[tuple[int, str]]:
    """The number of each unsafe statement, and what it does."""
    tables = _Tables(dialect)
    for number, statement in enumerate(statements):
        found = list(changes(statement.words))
        messages = [*_lost(found, tables), *_dangers(statement.words, dialect, tables)]
        yield from ((number, message) for message in dict.fromkeys(messages))
        for change in found:
            tables.follow(change)


class _Tables:
    """The tables that the file has created so far."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._new: set[Name] = set()
        self._perhaps_new: set[Name] = set()
        self._gone: set[Name] = set()

    def is_new(self, name: Name) -> bool:
        """The file has created it, so it has no rows from before."""
        return self._key(name) in self._new

    def may_be_new(self, name: Name) -> bool:
        """As ``is_new``, also if it is created only where it does not exist."""
        key = self._key(name)
        return key in self._new or key in self._perhaps_new

    def follow(self, change: Change) -> None:
        """What the tables are after a change."""
        key = self._key(change.table)
        if change.kind == "create table":
            key = Name("temp", key.name) if change.temporary else key
            (self._new if change.certain or key in self._gone else self._perhaps_new).add(key)
        elif change.kind == "drop table":
            self._forget(key)
            self._gone.add(key)
        elif change.kind == "rename table":
            to = Name(key.schema, self._fold(change.to))
            for among in (self._new, self._perhaps_new):
                among.discard(to)
                if key in among:
                    among.add(to)
            self._forget(key)
            self._gone.add(key)

    def _forget(self, key: Name) -> None:
        self._new.discard(key)
        self._perhaps_new.discard(key)

    def _key(self, name: Name) -> Name:
        """One key for the ways to write a name. A temporary table hides another of its name."""
        schema, table = self._fold(name.schema), self._fold(name.name)
        schema = {"public": "", "main": "", "pg_temp": "temp"}.get(schema, schema)
        temporary = Name("temp", table)
        hides = name.schema == "" and (temporary in self._new or temporary in self._perhaps_new)
        return temporary if hides else Name(schema, table)

    def _fold(self, name: str) -> str:
        """SQLite ignores the case of every name; PostgreSQL that of unquoted ones, which are in lower case here."""
        return name.lower() if self._dialect == "sqlite" else name


# --- what is lost ------------------------------------------------------------------------------------------


def _lost(found: list[Change], tables: _Tables) -> Iterator[str]:
    lost = [change for change in found if change.kind == "drop schema" or not tables.is_new(change.table)]

    def of(kind: str, changed: Iterable[Change] = lost) -> str:
        return ", ".join(dict.fromkeys(change.table.name for change in changed if change.kind == kind))

    if of("drop table"):
        yield f"drops the table {of('drop table')} with all its data"
    if of("drop schema"):
        yield f"drops the schema {of('drop schema')} with all its data"
    if of("delete"):
        yield f"deletes rows of {of('delete')}"
    if of("replace"):
        yield f"replaces rows of {of('replace')}: one with the same key is deleted, also its values that are not given"
    if every := of("update", [change for change in lost if change.every_row]):
        yield f"changes every row of {every} in one transaction"
    for change in lost:
        if change.kind == "drop column":
            yield f"drops the column {change.table.name}.{change.column} with all its data"


# --- what locks, or breaks running code --------------------------------------------------------------------


def _dangers(words: Words, dialect: Dialect, tables: _Tables) -> Iterator[str]:
    first, second = words[0], words[1] if len(words) > 1 else ""
    if dialect == "postgres":
        yield from _too_long(words)
    if first == "drop" and second not in ("table", "schema", "database") and "cascade" in words:
        yield f"drops a {second} and, by 'cascade', whatever depends on it"
    elif words[:2] == ("alter", "table"):
        yield from _alter_table(words, dialect, tables)
    elif first == "alter" and "rename" in words:
        yield f"renames a {second} that running code still uses under its old name"
    elif dialect == "postgres":
        yield from _locks(words, tables)


def _locks(words: Words, tables: _Tables) -> Iterator[str]:
    """What blocks others on PostgreSQL."""
    first = words[0]
    if first == "create" and "index" in words[1:3] and "concurrently" not in words[2:5]:
        table = _indexed(words)
        if not tables.may_be_new(table):
            yield f"makes an index on {table.name} without 'concurrently': nobody can write to it until it is done"
    elif words[:2] == ("drop", "index") and "concurrently" not in words[2:3]:
        yield "drops an index without 'concurrently': it waits for, and then stops, everybody who uses its table"
    elif first == "reindex" and "concurrently" not in words:
        yield "makes an index again without 'concurrently': nobody can write to its table until it is done"
    elif words[:3] == ("refresh", "materialized", "view") and words[3:4] != ("concurrently",):
        yield "fills a materialized view without 'concurrently': nobody can read it until it is done"
    elif first in ("cluster", "lock") or (first == "vacuum" and "full" in _options(words)):
        yield f"locks a table for everybody ('{first}')"
    elif words[:2] == ("alter", "domain"):
        yield from _altered_domain(words)
    elif words[:2] == ("alter", "type") and _follows(words, "drop", "attribute"):
        yield "drops an attribute with its values in every column of this type"
    elif words[:2] == ("drop", "sequence"):
        yield "drops a sequence with its position: numbers that were used may be used again"
    elif first == "do":
        yield "runs a block of code ('do'), which can't be examined"
    elif first == "call":
        yield "calls a procedure, which can't be examined"


def _altered_domain(words: Words) -> Iterator[str]:
    checks = _follows(words, "add", "constraint") or _follows(words, "add", "check")
    if _follows(words, "set", "not") or (checks and not _follows(words, "not", "valid")):
        yield "adds a constraint to a domain: every table with a column of it is read under a lock"


def _too_long(words: Words) -> Iterator[str]:
    for word in words:
        is_name = isinstance(word, Quoted) or word[0] == "_" or word[0].isalpha()
        if is_name and len(word.encode()) > LONGEST_NAME:
            yield f"uses the name {word}, of which PostgreSQL keeps only the first {LONGEST_NAME} bytes"


def _alter_table(words: Words, dialect: Dialect, tables: _Tables) -> Iterator[str]:
    altered, actions = altered_table(words)
    if tables.may_be_new(altered):
        return
    table = altered.name
    for action in actions:
        verb, object = action[0], action[1:2] if not isinstance((*action, "")[1], Quoted) else ()
        if verb == "rename":
            what = "a constraint of" if object == ("constraint",) else "" if object == ("to",) else "a column of"
            if object != ("constraint",):
                yield f"renames {what} {table}, which running code still uses under its old name".replace("  ", " ")
        elif verb == "add" and (not object or object[0] not in _OUTSIDE_COLUMNS):
            yield from _added_column(table, action, dialect)
        elif verb == "add":
            yield from _added_constraint(table, action, dialect)
        elif verb == "alter":
            yield from _altered_column(table, action)
        elif verb == "set" and object and object[0] in ("tablespace", "logged", "unlogged", "access"):
            yield f"rewrites the whole table {table} under a lock"
        elif verb == "detach" and "concurrently" not in action:
            yield f"detaches a partition of {table} without 'concurrently': nobody can use {table} until it is done"
        elif verb == "set" and object == ("schema",):
            yield f"moves {table}, which running code still expects in its old schema"


def _added_column(table: str, action: Words, dialect: Dialect) -> Iterator[str]:
    names = [word for word in action[1:] if word not in ("column", "if", "not", "exists")]
    column = f"{table}.{names[0]}" if names else table
    outside = outside_brackets(action)
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
    outside = outside_brackets(action)
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


def _indexed(words: Words) -> Name:
    """The table of CREATE INDEX."""
    for at, word in enumerate(words):
        if word == "on" and not isinstance(word, Quoted):
            return next(iter(read_names(words[at + 1 :])[0]), Name("", ""))
    return Name("", "")


def _options(words: Words) -> Words:
    """``full`` of ``vacuum full t`` and of ``vacuum (full, analyze) t``."""
    return words[1 : words.index(")")] if words[1:2] == ("(",) and ")" in words else words[1:2]


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
