"""Splits SQL text into tokens without parsing it, for one dialect or for both at once.

A token is a piece of text of one kind; together they are the text, unchanged. The scanner knows what may hide a
``:name`` or a ``%``: strings (``''``, ``E''``), quoted identifiers, dollar quotes and comments, and what only
looks like a parameter: casts ``::``, assignments ``:=`` and array slices ``a[i:j]``. Nothing else.

Query files are read for both dialects at once; misread.py finds what one of them reads differently. A migration is
read as its own database reads it: only SQLite has ``[name]`` and only PostgreSQL dollar quotes, nested comments, and
line comments that end at a carriage return.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from enum import Enum
from functools import partial

import msgspec

from diglot.errors import QueryFileError
from diglot.sql.session import Dialect


class Kind(Enum):
    """What a token is."""

    CODE = "code"
    """Words, numbers, operators, white space: everything else."""
    PARAMETER = "parameter"
    """``:name``"""
    STRING = "string"
    """``'…'``, ``E'…'``, ``x'…'`` with its quotes, and dollar quotes ``$tag$…$tag$``"""
    IDENTIFIER = "identifier"
    """``"…"`` with its quotes (and SQLite's back-ticks and brackets)"""
    LINE_COMMENT = "line comment"
    """``-- …`` without its line end"""
    BLOCK_COMMENT = "block comment"
    """``/* … */``"""


class Token(msgspec.Struct, frozen=True):
    """A piece of the text: ``text == source[start:start + len(text)]``."""

    kind: Kind
    text: str
    start: int

    @property
    def name(self) -> str:
        """A parameter's name, without the colon."""
        return self.text[1:]


# Both databases treat every character beyond ASCII as a letter.
_LETTER = r"[A-Za-z_\x80-\U0010ffff]"
_DOLLAR_QUOTE = re.compile(rf"\$(?:{_LETTER}[\w\x80-\U0010ffff]*)?\$")
_PARAMETER = re.compile(rf":{_LETTER}[\w$\x80-\U0010ffff]*")
# Where a token other than CODE may begin. A word is matched whole, so that `tag$x$` and `a1e'` are read correctly.
_INTERESTING = re.compile(rf"[Ee]'|'|\"|`|--|/\*|::|:=|:|\$|\[|\]|{_LETTER}[\w$\x80-\U0010ffff]*|\d[\w.]*")
# PostgreSQL continues a string after a line break: E'a'\n'b' is E'ab', and the second part has escapes, too.
_CONTINUED = re.compile(r"(?:[ \t\f\v]|--[^\r\n]*+)*+[\r\n](?:[ \t\f\v\r\n]|--[^\r\n]*+[\r\n])*+'")
_LINE_END = re.compile(r"\r?\n")
_POSTGRES_LINE_END = re.compile(r"[\r\n]")
_COMMENT_MARK = re.compile(r"/\*|\*/")


class Lines:
    """Where the lines of a text begin, for those who ask for many positions."""

    def __init__(self, source: str) -> None:
        self._starts = [0, *(found.end() for found in re.finditer("\n", source))]

    def position(self, offset: int) -> tuple[int, int]:
        """The line and column (both from 1) of an offset."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


def position(source: str, offset: int) -> tuple[int, int]:
    """The line and column (both from 1) of one offset. ``Lines`` is for many."""
    line = source.count("\n", 0, offset) + 1
    return line, offset - (source.rfind("\n", 0, offset) + 1) + 1


def scan(source: str, file: str = "<text>", dialect: Dialect | None = None) -> list[Token]:
    """The tokens of a SQL text, without a dialect for both at once.

    QueryFileError for a string, identifier or comment that does not end.
    """
    return list(tokens(source, file, dialect))


def tokens(source: str, file: str = "<text>", dialect: Dialect | None = None, start: int = 0) -> Iterator[Token]:
    """As ``scan``, one after the other, from an offset."""
    code_start = at = start
    brackets = 0
    length = len(source)
    while at < length:
        found = _INTERESTING.search(source, at)
        if found is None:
            break
        begin, lexeme = found.start(), found.group()
        at = found.end()
        if lexeme == "[":
            brackets += 1
        elif lexeme == "]":
            brackets = max(0, brackets - 1)
        opened = _opened(source, found, dialect)
        if opened is None or (opened[0] is Kind.PARAMETER and brackets and _is_slice(source, begin)):
            continue
        if begin > code_start:
            yield Token(Kind.CODE, source[code_start:begin], code_start)
        kind, end_of = opened
        code_start = at = end_of(source, begin, file)
        yield Token(kind, source[begin:at], begin)
        if lexeme == "[":
            brackets = 0
    if length > code_start:
        yield Token(Kind.CODE, source[code_start:], code_start)


_EndOf = Callable[[str, int, str], int]


def _opened(source: str, found: re.Match[str], dialect: Dialect | None) -> tuple[Kind, _EndOf] | None:
    """The token other than CODE that begins here, and what finds its end."""
    lexeme, start = found.group(), found.start()
    if lexeme == "'" or (lexeme in ("E'", "e'") and dialect == "sqlite"):
        return Kind.STRING, partial(_quoted_end, quote="'")
    if lexeme in ("E'", "e'"):
        return Kind.STRING, _escape_string_end
    if lexeme == '"' or (lexeme == "`" and dialect != "postgres"):
        return Kind.IDENTIFIER, partial(_quoted_end, quote=lexeme)
    if lexeme == "[" and dialect == "sqlite":
        return Kind.IDENTIFIER, _bracketed_end
    if lexeme == "--":
        return Kind.LINE_COMMENT, partial(_line_end, dialect=dialect)
    if lexeme == "/*":
        return Kind.BLOCK_COMMENT, partial(_block_comment_end, dialect=dialect)
    if lexeme == "$" and dialect != "sqlite" and _DOLLAR_QUOTE.match(source, start):
        return Kind.STRING, _dollar_quote_end
    if lexeme == ":" and (parameter := _PARAMETER.match(source, start)):
        return Kind.PARAMETER, lambda _source, _start, _file: parameter.end()
    return None


def _is_slice(source: str, colon: int) -> bool:
    """In ``a[i:j]`` the colon directly follows a lower bound; ``a[:i]`` is a subscript with a parameter."""
    before = source[colon - 1]
    return before.isalnum() or before in "_)]'\""


def _quoted_end(source: str, start: int, file: str, *, quote: str) -> int:
    at = source.index(quote, start) + 1
    while (at := source.find(quote, at)) >= 0:
        if source.startswith(quote, at + 1):
            at += 2
            continue
        return at + 1
    raise _unended("string" if quote == "'" else "quoted identifier", source, start, file)


def _bracketed_end(source: str, start: int, file: str) -> int:
    end = source.find("]", start)
    if end < 0:
        raise _unended("quoted identifier", source, start, file)
    return end + 1


def _escape_string_end(source: str, start: int, file: str) -> int:
    at = start + 2
    while at < len(source):
        if source[at] == "\\":
            at += 2
        elif source[at] == "'":
            continued = _CONTINUED.match(source, at + 1)
            if continued is None and not source.startswith("''", at):
                return at + 1
            at = continued.end() if continued else at + 2
        else:
            at += 1
    raise _unended("string", source, start, file)


def _line_end(source: str, start: int, _file: str, *, dialect: Dialect | None) -> int:
    end = (_POSTGRES_LINE_END if dialect == "postgres" else _LINE_END).search(source, start)
    return end.start() if end else len(source)


def _block_comment_end(source: str, start: int, file: str, *, dialect: Dialect | None) -> int:
    # PostgreSQL nests comments, SQLite does not, so for both at once a nested one is refused.
    if dialect != "postgres":
        end = source.find("*/", start + 2)
        nested = source.find("/*", start + 2, max(end, 0))
        if nested >= 0 and dialect is None:
            line, column = position(source, nested)
            message = "a comment inside a comment: PostgreSQL and SQLite end it at different places"
            raise QueryFileError(message, file=file, line=line, column=column)
        if end >= 0:
            return end + 2
    depth = 0
    for mark in _COMMENT_MARK.finditer(source, start) if dialect == "postgres" else ():
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return mark.end()
    raise _unended("comment", source, start, file)


def _dollar_quote_end(source: str, start: int, file: str) -> int:
    quote = source[start : source.index("$", start + 1) + 1]
    end = source.find(quote, start + len(quote))
    if end < 0:
        raise _unended(f"dollar quote {quote}", source, start, file)
    return end + len(quote)


def _unended(what: str, source: str, start: int, file: str) -> QueryFileError:
    line, column = position(source, start)
    return QueryFileError(f"this {what} does not end", file=file, line=line, column=column)
