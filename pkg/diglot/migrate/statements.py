"""From the text of a migration to its statements, each with the line it begins on.

The text is cut by the scanner that query files use, so semicolons in strings, comments and dollar quotes are
nothing special; bodies of triggers and of ``begin atomic`` functions stay whole. (sqlparse, which yoyo uses, takes an
unquoted column called ``begin`` for a block and swallows the statements that follow.)
"""

from __future__ import annotations

import re

import msgspec

from diglot.errors import MigrationTreeError, QueryFileError
from diglot.sql.scanner import Kind, position, scan

_WORD = re.compile(r"[^\W\d][\w$]*|\S")
_COMMENTS = (Kind.LINE_COMMENT, Kind.BLOCK_COMMENT)
TRANSACTION_CONTROL = frozenset(
    {"begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release", "prepare"}
)


class SqlStatement(msgspec.Struct, frozen=True):
    """One statement as it stands in the file, with the comments before it.

    ``line`` is the line of its first word. ``words`` are its words and signs in lower case, without comments; a
    quoted identifier is one of them without its quotes, a string is ``''``.
    """

    text: str
    line: int
    words: tuple[str, ...]
    first_line: int
    """The line of its text, which may begin with comments."""

    def line_at(self, offset: int) -> int:
        """The line of the file in which this character of the text stands."""
        return self.first_line + self.text.count("\n", 0, offset)


def split(text: str, file: str, *, own_transactions: bool = False) -> list[SqlStatement]:
    """The statements of a file; MigrationTreeError where the text can't be cut.

    A statement that begins or ends a transaction is refused too, unless they are the file's own affair.
    """
    statements = [statement for statement in _cut(text, file) if statement.words]
    for statement in statements:
        first = statement.words[0]
        if first in TRANSACTION_CONTROL and not own_transactions:
            raise MigrationTreeError(
                f"{file}:{statement.line}: {first!r} is not for a migration: the runner begins and commits"
            )
    return statements


def _cut(text: str, file: str) -> list[SqlStatement]:
    try:
        tokens = scan(text, file)
    except QueryFileError as error:
        raise MigrationTreeError(str(error)) from error
    statements: list[SqlStatement] = []
    words: list[str] = []
    start = first_word = depth = 0
    for token in tokens:
        if token.kind in _COMMENTS:
            continue
        for offset, word in _words(token.kind, token.text):
            at = token.start + offset
            if word == ";" and depth == 0:
                statements.append(_statement(text, start, at + 1, first_word, words))
                start, words = at + 1, []
                continue
            if not words:
                first_word = at
            words.append(word)
            if token.kind is Kind.CODE:
                depth = _depth(depth, words)
    statements.append(_statement(text, start, len(text), first_word, words))
    return statements


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


def _depth(depth: int, words: list[str]) -> int:
    """How deep in a body we are after the last word: its semicolons end no statement."""
    word = words[-1]
    if depth:
        return depth + (word == "case") - (word == "end")
    if word == "begin" and words[0] == "create" and "trigger" in words[1:3]:
        return 1
    if word == "atomic" and words[-2:-1] == ["begin"] and words[0] == "create":
        return 1
    return 0
