"""Reads what SQLite's pragmas do not report from the CREATE statements in sqlite_schema.

sqlglot splits the text into tokens; the clauses are found by their keywords, so unknown types, options and conflict
clauses do no harm.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import msgspec
from sqlglot.dialects.sqlite import SQLite
from sqlglot.errors import SqlglotError

from diglot.errors import ConfigurationError
from diglot.schema.model import Check, Event, Timing, Trigger


class Reference(msgspec.Struct, frozen=True):
    """A foreign key as it is written: its name, its columns, and whether it is deferrable."""

    name: str | None
    columns: tuple[str, ...]
    deferrable: str


class TableText(msgspec.Struct):
    """The clauses of one CREATE TABLE."""

    checks: list[Check] = []
    references: list[Reference] = []
    generated: dict[str, str] = {}
    collations: dict[str, str] = {}
    uniques: dict[tuple[str, ...], str] = {}
    """Named unique constraints, by their columns."""
    primary_key: str | None = None
    autoincrement: bool = False


def read_table(sql: str) -> TableText:
    """The clauses of ``create table … ( … )``. Column names are in lower case."""
    found = TableText([], [], {}, {}, {})
    for item in _items(_words(sql)):
        words = item if item[0].is_constraint_start else item[1:]
        _read_clauses(words, None if item[0].is_constraint_start else item[0].name.lower(), found)
    return found


def read_index(sql: str) -> tuple[list[str], str | None]:
    """The keys of ``create index … on t ( … ) where …`` without their direction, and the predicate."""
    words = _words(sql)
    keys = []
    for item in _items(words):
        while item[-1].text in ("ASC", "DESC"):
            item = item[:-1]
        if len(item) > 2 and item[-2].text == "COLLATE":
            item = item[:-2]
        keys.append(_text(item))
    depth = 0
    for place, word in enumerate(words):
        depth += (word.text == "(") - (word.text == ")")
        if depth == 0 and word.text == "WHERE":
            return keys, _text(words[place + 1 :])
    return keys, None


def read_trigger(name: str, sql: str) -> Trigger:
    """``create trigger … before update of a on t when … begin … end``."""
    words = _words(sql)
    texts = [word.text for word in words]
    start = next((place for place, text in enumerate(texts) if text in _EVENTS), 0)
    if not start or not {"ON", "BEGIN"} <= set(texts[start:]):
        raise ConfigurationError(f"can't read the trigger {name} of sqlite_schema")
    on = texts.index("ON", start)
    begin = next(place for place in range(on, len(texts)) if texts[place] == "BEGIN" and _is_outside(texts[on:place]))
    when = texts.index("WHEN", on, begin) if "WHEN" in texts[on + 2 : begin] else begin
    timing: Timing = "instead of" if texts[start - 1] == "OF" else "after" if texts[start - 1] == "AFTER" else "before"
    columns = sorted(word.name.lower() for word in words[start + 1 : on] if word.text not in ("OF", ","))
    return Trigger(
        name=name,
        timing=timing,
        events=(_EVENTS[texts[start]],),
        columns=tuple(columns),
        when=" ".join(texts[when + 1 : begin]),
        body=" ".join(texts[begin + 1 : -1]),
    )


def read_view(sql: str) -> str:
    """The query of ``create view v as …``, its words in capitals."""
    texts = [word.text for word in _words(sql)]
    return " ".join(texts[texts.index("AS") + 1 :])


_EVENTS: dict[str, Event] = {"INSERT": "insert", "UPDATE": "update", "DELETE": "delete"}


def _is_outside(texts: list[str]) -> bool:
    return texts.count("(") == texts.count(")")


class _Word:
    """A token, or one word of a token that sqlglot joins (PRIMARY KEY)."""

    def __init__(self, source: str, start: int, end: int) -> None:
        self.source, self.start, self.end = source, start, end
        raw = source[start:end]
        self.quoted = raw[:1] in ('"', "`", "[", "'")
        self.text = raw if self.quoted else raw.upper()

    @cached_property
    def name(self) -> str:
        raw = self.source[self.start : self.end]
        if not self.quoted:
            return raw
        closing = "]" if raw[0] == "[" else raw[0]
        return raw[1:-1].replace(closing * 2, closing)

    @property
    def is_constraint_start(self) -> bool:
        return self.text in ("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN")


def _words(sql: str) -> list[_Word]:
    try:
        tokens = SQLite().tokenize(sql)
    except SqlglotError as error:
        raise ConfigurationError(f"can't read this statement of sqlite_schema: {sql.split('(')[0].strip()}") from error
    found = []
    for token in tokens:
        raw = sql[token.start : token.end + 1]
        if raw[:1] in ('"', "`", "[", "'"):
            found.append(_Word(sql, token.start, token.end + 1))
            continue
        place = token.start
        for part in raw.split():
            place = sql.index(part, place)
            found.append(_Word(sql, place, place + len(part)))
            place += len(part)
    return found


def _text(words: list[_Word]) -> str:
    """As it is written, without comments and line breaks."""
    parts: list[str] = []
    end = words[0].start
    for word in words:
        parts += [" " if word.start > end else "", word.source[word.start : word.end]]
        end = word.end
    return "".join(parts)


def _items(words: list[_Word]) -> Iterator[list[_Word]]:
    """The items between the commas of the first parentheses."""
    depth = 0
    item: list[_Word] = []
    for word in words:
        if word.text == ")" and depth == 1:
            break
        if depth == 1 and word.text == ",":
            yield item
            item = []
        elif depth:
            item.append(word)
        depth += (word.text == "(") - (word.text == ")")
    if item:
        yield item


def _read_clauses(words: list[_Word], column: str | None, found: TableText) -> None:
    """The constraints of a column, or (column None) of the table."""
    name: str | None = None
    columns: tuple[str, ...] = (column,) if column else ()
    place = 0
    while place < len(words):
        word, place = words[place], place + 1
        if word.text == "(":
            place = _closing(words, place - 1) + 1
        elif word.text == "CONSTRAINT":
            name, place = words[place].name, place + 1
        elif word.text == "CHECK":
            end = _closing(words, place)
            found.checks.append(Check(name=name, expression=_text(words[place + 1 : end])))
            name, place = None, end + 1
        elif word.text == "AS" and column:
            end = _closing(words, place)
            found.generated[column] = _text(words[place + 1 : end])
            place = end + 1
        elif word.text == "COLLATE" and column:
            found.collations[column], place = words[place].name.lower(), place + 1
        elif word.text == "AUTOINCREMENT":
            found.autoincrement = True
        elif word.text in ("PRIMARY", "UNIQUE", "FOREIGN"):
            place += word.text != "UNIQUE"  # KEY
            if column is None:
                end = _closing(words, place)
                columns = _names(words[place + 1 : end])
                if any(each.text == "AUTOINCREMENT" for each in words[place:end]):
                    found.autoincrement = True
                place = end + 1
            if word.text == "PRIMARY":
                found.primary_key = name
            elif word.text == "UNIQUE" and name is not None:
                found.uniques[columns] = name
            if word.text != "FOREIGN":
                name = None
        elif word.text == "REFERENCES":
            rest = words[place:]
            found.references.append(Reference(name, columns, _deferrable([each.text for each in rest])))
            name, place = None, place + 1
            if place < len(words) and words[place].text == "(":
                place = _closing(words, place) + 1


def _closing(words: list[_Word], opening: int) -> int:
    depth = 0
    for place in range(opening, len(words)):
        depth += (words[place].text == "(") - (words[place].text == ")")
        if depth == 0:
            return place
    raise ConfigurationError("a parenthesis is not closed in a statement of sqlite_schema")


def _names(words: list[_Word]) -> tuple[str, ...]:
    """The columns of a list: the first word of each item."""
    starts = [0, *(place + 1 for place, word in enumerate(words) if word.text == ",")]
    return tuple(words[start].name.lower() for start in starts)


def _deferrable(rest: list[str]) -> str:
    if "DEFERRABLE" not in rest:
        return ""
    place = rest.index("DEFERRABLE")
    others = [rest.index(word) for word in ("REFERENCES", "CHECK") if word in rest]
    if rest[place - 1] == "NOT" or any(other < place for other in others):
        return ""
    deferred = rest[place + 1 : place + 3] == ["INITIALLY", "DEFERRED"]
    return "deferrable initially deferred" if deferred else "deferrable"
