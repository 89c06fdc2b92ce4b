"""Finds what one database's own tokenizer reads differently from the scanner, which knows both dialects at once.

The scanner takes ``:name`` for a parameter and ``$$…$$`` for a string whatever the dialect. SQLite also has parameters
``?1``, ``@name``, ``#name``, ``$name`` and Tcl's ``:name::part(suffix)``, and reads ``[name]`` as an identifier;
PostgreSQL has ``$1``. Such a text would mean one thing in a database's shell and another when it is sent, so a query
file that contains one is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from diglot.sql.scanner import Kind, Token
from diglot.sql.session import Dialect

# Both databases treat every character beyond ASCII as a letter. Words and numbers are matched first, so that a `$` in
# the middle of one does not look like the beginning of a parameter.
_LETTER = r"[\w$\x80-\U0010ffff]"
_WORD = rf"[A-Za-z_\x80-\U0010ffff]{_LETTER}*|\d[\w.$]*"
_VARIABLE = rf"\?\d*|[:@#$](?:::)*{_LETTER}(?:{_LETTER}|::)*(?:\([^\s)]*\)?)?"
_SQLITE = re.compile(rf"{_WORD}|(?P<parameter>{_VARIABLE})|(?P<cast>::)|(?P<bracket>\[)")
_POSTGRES = re.compile(rf"{_WORD}|(?P<parameter>\$\d+)")


def misread(tokens: list[Token], dialect: Dialect) -> Iterator[tuple[int, str]]:
    """The offset of everything that the database reads differently, with what to write instead."""
    yield from _misread_by_sqlite(tokens) if dialect == "sqlite" else _misread_by_postgres(tokens)
    yield from carriage_returns(tokens)


def carriage_returns(tokens: Iterable[Token]) -> Iterator[tuple[int, str]]:
    """The offset of each one in a line comment, which hides the rest of the line on SQLite alone."""
    for token in tokens:
        if token.kind is Kind.LINE_COMMENT and "\r" in token.text:
            message = "a carriage return in a comment: PostgreSQL ends the comment there, SQLite at the end of the line"
            yield token.start + token.text.index("\r"), message


def _misread_by_sqlite(tokens: list[Token]) -> Iterator[tuple[int, str]]:
    for token in tokens:
        if token.kind is Kind.STRING and token.text[0] == "$":
            quote = token.text[: token.text.index("$", 1) + 1]
            yield token.start, f"SQLite has no dollar quotes and reads {quote} as a parameter: write '…'"
        elif token.kind is Kind.STRING and token.text[0] in "Ee":
            yield token.start, "SQLite has no E'…' strings: write '…', where a backslash is a backslash"
    parameters = {(token.start, token.text) for token in tokens if token.kind is Kind.PARAMETER}
    for start, code in _stretches_of_code(tokens):
        for found in _SQLITE.finditer(code):
            at, text = start + found.start(), found.group()
            if found["cast"]:
                yield at, "SQLite has no casts with '::': write cast(… as …)"
            elif found["bracket"]:
                yield at, "SQLite reads […] as an identifier: write an identifier in double quotes"
            elif found["parameter"] and (at, text) not in parameters:
                yield at, f"SQLite reads {text} as a parameter: {_instead(text)}"


def _instead(text: str) -> str:
    if text[0] != ":" or text[1].isdigit():
        return "write a parameter as :name"
    if "::" in text:
        return "it has no casts with '::', write cast(… as …)"
    return "put a space before the parenthesis"


def _stretches_of_code(tokens: list[Token]) -> Iterator[tuple[int, str]]:
    """Consecutive code and parameters, as one text with its offset."""
    start, texts = 0, list[str]()
    for token in tokens:
        if token.kind in (Kind.CODE, Kind.PARAMETER):
            start = start if texts else token.start
            texts.append(token.text)
        elif texts:
            yield start, "".join(texts)
            texts.clear()
    if texts:
        yield start, "".join(texts)


def _misread_by_postgres(tokens: list[Token]) -> Iterator[tuple[int, str]]:
    for token in tokens:
        if token.kind is Kind.CODE:
            for found in _POSTGRES.finditer(token.text):
                if found["parameter"]:
                    message = f"PostgreSQL reads {found.group()} as a parameter: write a parameter as :name"
                    yield token.start + found.start(), message
        elif token.kind is Kind.IDENTIFIER and token.text[0] == "`":
            yield token.start, "PostgreSQL has no `…` identifiers: write an identifier in double quotes"
