"""The statements of a script or a migration, each with the line it begins on and its words.

The text is split by the scanner that query files use, so semicolons in strings, comments and dollar quotes do not
end a statement; bodies of triggers and of ``begin atomic`` functions stay whole. (sqlparse, which yoyo uses, takes an
unquoted column called ``begin`` for a block and swallows the statements that follow.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from diglot.sql.scanner import Kind, position, scan

TRANSACTION_CONTROL = frozenset(
    {"begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release", "prepare"}
)
"""The first words of statements that begin or end a transaction or a savepoint, on either database."""
_ONLY_WITH_TRANSACTION = ("start", "prepare")
_WORD = re.compile(r"[^\W\d][\w$]*|\S")
_COMMENTS = (Kind.LINE_COMMENT, Kind.BLOCK_COMMENT)
_BEFORE_A_NAME = frozenset({"if", "not", "exists", "only", "table", "column"})


class SqlStatement(msgspec.Struct, frozen=True):
    """One statement as it is written in the file, with the comments before it.

    ``line`` is the line of its first word. ``words`` are its words and signs in lower case, without comments; a
    quoted identifier is one of them without its quotes, a string is ``''``.
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

    def line_at(self, offset: int) -> int:
        """The line of the file that has this character of the text."""
        return self.first_line + self.text.count("\n", 0, offset)


def split(text: str, file: str = "<text>") -> list[SqlStatement]:
    """The statements of a text. QueryFileError if a string, an identifier or a comment in it does not end."""
    statements: list[SqlStatement] = []
    words: list[str] = []
    start = first_word = 0
    in_body = False
    for token in scan(text, file):
        if token.kind in _COMMENTS:
            continue
        for offset, word in _words(token.kind, token.text):
            at = token.start + offset
            if word == ";" and not in_body:
                statements.append(_statement(text, start, at + 1, first_word, words))
                start, words = at + 1, []
                continue
            if not words:
                first_word = at
            words.append(word)
            if token.kind is Kind.CODE:
                in_body = not _ends_body(words) if in_body else _begins_body(words)
    statements.append(_statement(text, start, len(text), first_word, words))
    return [statement for statement in statements if statement.words]


def read_names(words: Sequence[str]) -> tuple[list[str], Sequence[str]]:
    """The names at the beginning, separated by commas, without their schemas; and the words after them.

    ``words`` are what follows DROP TABLE, DELETE FROM, ALTER TABLE and the like.
    """
    names: list[str] = []
    wanted = True
    for at, word in enumerate(words):
        if word in _BEFORE_A_NAME:
            continue
        if word == ",":
            wanted = True
        elif word == "." and names:
            names.pop()
            wanted = True
        elif wanted:
            names.append(word)
            wanted = False
        else:
            return names, words[at:]
    return names, ()


def _statement(text: str, start: int, end: int, first_word: int, words: list[str]) -> SqlStatement:
    part = text[start:end]
    begin = start + len(part) - len(part.lstrip())
    return SqlStatement(
        text=part.strip(),
        line=position(text, first_word)[0],
        words=tuple(words),
        first_line=position(text, begin)[0],
    )


def _words(kind: Kind, text: str) -> list[tuple[int, str]]:
    if kind is Kind.STRING:
        return [(0, "''")]
    if kind is Kind.IDENTIFIER:
        return [(0, text[1:-1].replace(text[0] * 2, text[0]))]
    return [(found.start(), found.group().lower()) for found in _WORD.finditer(text)]


def _begins_body(words: list[str]) -> bool:
    """Whether the last word begins a body, whose semicolons end no statement."""
    if words[0] != "create":
        return False
    return (words[-1] == "begin" and "trigger" in words[1:3]) or words[-2:] == ["begin", "atomic"]


def _ends_body(words: list[str]) -> bool:
    """An END that is not of a CASE: only that one follows a semicolon, or nothing at all."""
    return words[-1] == "end" and words[-2] in (";", "begin", "atomic")
