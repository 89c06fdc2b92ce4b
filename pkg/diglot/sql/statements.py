"""The statements of a script or a migration, each with the line it begins on and its words.

The text is split by the scanner that query files use, so semicolons in strings, comments and dollar quotes do not
end a statement; bodies of triggers, rules and ``begin atomic`` functions stay whole. (sqlparse, which yoyo uses, takes
an unquoted column called ``begin`` for a block and swallows the statements that follow.) The rows that follow
``copy … from stdin`` are no statements. The time is proportional to the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec

from diglot.sql.scanner import Kind, Lines, Token, tokens
from diglot.sql.session import Dialect

BEGINS = frozenset({"begin", "start"})
COMMITS = frozenset({"commit", "end"})
TRANSACTION_CONTROL = BEGINS | COMMITS | {"rollback", "abort", "savepoint", "release", "prepare"}
"""The first words of statements that begin or end a transaction or a savepoint, on either database."""
_ONLY_WITH_TRANSACTION = ("start", "prepare")
_WORD = re.compile(r"[^\W\d][\w$]*|\d[\w.]*|\S")
_COMMENTS = (Kind.LINE_COMMENT, Kind.BLOCK_COMMENT)
_BEFORE_A_NAME = frozenset({"if", "not", "exists", "only", "table", "column"})
_END_OF_ROWS = re.compile(r"^\\\.[ \t\r]*$", re.MULTILINE)


class Quoted(str):
    """A quoted identifier among the words of a statement: never a keyword."""

    __slots__ = ()


class Name(NamedTuple):
    """The name of a table, a column or the like; ``schema`` is "" if the statement names none."""

    schema: str
    name: str


class SqlStatement(msgspec.Struct, frozen=True):
    """One statement as it is written in the file, with the comments before it.

    ``line`` is the line of its first word. ``words`` are its words and signs in lower case, without comments; a
    quoted identifier is one of them (``Quoted``) without its quotes, a string is one with its quotes.
    """

    text: str
    line: int
    words: tuple[str, ...]
    first_line: int
    """The line of its text, which may begin with comments."""

    @property
    def transaction_control(self) -> str | None:
        """``begin``, ``start transaction`` …: what it does to the transaction; None for other statements."""
        first = self.words[0]
        if first not in TRANSACTION_CONTROL:
            return None
        if first in _ONLY_WITH_TRANSACTION:
            return f"{first} transaction" if self.words[1:2] == ("transaction",) else None
        return first

    @property
    def copy_with_client(self) -> str | None:
        """``from stdin`` or ``to stdout`` of a COPY whose rows a client such as psql sends or receives."""
        return _copy_with_client(self.words)

    def line_at(self, offset: int) -> int:
        """The line of the file that has this character of the text."""
        return self.first_line + self.text.count("\n", 0, offset)


def split(text: str, file: str = "<text>", dialect: Dialect | None = None) -> list[SqlStatement]:
    """The statements of a text, as this dialect reads it, or as both do.

    QueryFileError if a string, an identifier or a comment in it does not end.
    """
    splitter = _Splitter(text, file, dialect)
    start: int | None = 0
    while start is not None:
        start = splitter.read_from(start)
    return splitter.found


def read_names(words: Sequence[str]) -> tuple[list[Name], Sequence[str]]:
    """The names at the beginning, separated by commas, and the words after them.

    ``words`` are what follows DROP TABLE, DELETE FROM, ALTER TABLE and the like.
    """
    names: list[Name] = []
    wanted = True
    for at, word in enumerate(words):
        sign = "" if isinstance(word, Quoted) else word
        after_dot = at > 0 and words[at - 1] == "."
        if sign in _BEFORE_A_NAME and not after_dot:
            continue
        if sign == "," or (sign == "." and names):
            wanted = True
        elif wanted:
            schema = names.pop().name if after_dot and names else ""
            names.append(Name(schema, _without_quotes(word)))
            wanted = False
        else:
            return names, words[at:]
    return names, ()


def _without_quotes(word: str) -> str:
    """SQLite takes a string for a name where it needs one."""
    return word[1:-1].replace("''", "'") if word[:1] == "'" and not isinstance(word, Quoted) else str(word)


class _Splitter:
    """Collects the statements; the words of the current one, and whether it is inside a body."""

    def __init__(self, text: str, file: str, dialect: Dialect | None) -> None:
        self.found: list[SqlStatement] = []
        self._text, self._file, self._dialect = text, file, dialect
        self._lines = Lines(text)
        self._words: list[str] = []
        self._in_body = False
        self._begin(0)

    def read_from(self, start: int) -> int | None:
        """Read from an offset to the end; or to rows of COPY, and return where the statements go on after them."""
        self._begin(start)
        for token in tokens(self._text, self._file, self._dialect, start):
            if token.kind in _COMMENTS:
                continue
            for at, word in _words(token):
                if word == ";" and token.kind is Kind.CODE and not self._in_body:
                    rows_follow = self._dialect != "sqlite" and _copy_with_client(self._words) == "from stdin"
                    self._end(at + 1)
                    if rows_follow:
                        rows_end = _END_OF_ROWS.search(self._text, at)
                        return rows_end.end() if rows_end else len(self._text)
                    continue
                if not self._words:
                    self._first_word = at
                self._words.append(word)
                self._follow_body(word if token.kind is Kind.CODE else "")
        self._end(len(self._text))
        return None

    def _begin(self, start: int) -> None:
        self._start = self._first_word = start
        self._words = []
        self._in_body = False
        self._body_start = 0
        self._after_semicolon = False
        self._depth = 0

    def _end(self, end: int) -> None:
        if self._words:
            part = self._text[self._start : end]
            statement = SqlStatement(
                text=part.strip(),
                line=self._lines.position(self._first_word)[0],
                words=tuple(self._words),
                first_line=self._lines.position(end - len(part.lstrip()))[0],
            )
            self.found.append(statement)
        self._begin(end)

    def _follow_body(self, word: str) -> None:
        """Whether the next semicolon is inside a body, where it ends no statement."""
        words = self._words
        if words[0] != "create":
            return
        if self._dialect != "sqlite" and "rule" in words[1:4]:
            self._depth += (word == "(") - (word == ")")
            self._in_body = self._depth > 0
        elif not self._in_body:
            # On SQLite a trigger or its table may have the name BEGIN: the body still ends at the first ``; end``.
            trigger = word == "begin" and self._dialect != "postgres" and "trigger" in words[1:3]
            self._in_body = trigger or (self._dialect != "sqlite" and words[-2:] == ["begin", "atomic"])
            self._body_start = len(words)
        elif word == "end" and (self._after_semicolon or len(words) == self._body_start + 1):
            # Only the END of the body follows a semicolon, or nothing: that of a CASE or a column does not.
            self._in_body = False
        self._after_semicolon = word == ";"


def _words(token: Token) -> Iterator[tuple[int, str]]:
    text = token.text
    if token.kind is Kind.STRING:
        yield token.start, text
    elif token.kind is Kind.IDENTIFIER:
        closing = "]" if text[0] == "[" else text[0]
        yield token.start, Quoted(text[1:-1].replace(closing * 2, closing))
    else:
        for found in _WORD.finditer(text):
            yield token.start + found.start(), found.group().lower()


def _copy_with_client(words: Sequence[str]) -> str | None:
    ends = (("from", "stdin"), ("to", "stdout"))
    if not words or words[0] != "copy":
        return None
    return next((" ".join(pair) for pair in pairwise(words) if pair in ends), None)
