"""Splits SQL text into tokens without parsing it, for both dialects at once.

A token is a piece of text of one kind; together they are the text, unchanged. The scanner knows what may hide a
``:name`` or a ``%``: strings (``''``, ``E''``), quoted identifiers, dollar quotes and (nested) comments, and what only
looks like a parameter: casts ``::``, assignments ``:=`` and array slices ``a[i:j]``. Nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum

import msgspec

from diglot.errors import QueryFileError


class Kind(Enum):
    """What a token is."""

    CODE = "code"
    """Words, numbers, operators, white space: everything else."""
    PARAMETER = "parameter"
    """``:name``"""
    STRING = "string"
    """``'…'``, ``E'…'``, ``x'…'`` with its quotes, and dollar quotes ``$tag$…$tag$``"""
    IDENTIFIER = "identifier"
    """``"…"`` with its quotes (and SQLite's back-ticks)"""
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
_CONTINUED = re.compile(r"(?:[ \t\f\v]|--[^\r\n]*)*[\r\n](?:[ \t\f\v\r\n]|--[^\r\n]*[\r\n])*'")


def position(source: str, offset: int) -> tuple[int, int]:
    """The line and column (both from 1) of an offset."""
    line = source.count("\n", 0, offset) + 1
    return line, offset - (source.rfind("\n", 0, offset) + 1) + 1


def scan(source: str, file: str = "<text>") -> list[Token]:
    """The tokens of a SQL text. QueryFileError for a string, identifier or comment that does not end."""
    return list(_tokens(source, file))


def _tokens(source: str, file: str) -> Iterator[Token]:
    code_start = at = 0
    brackets = 0
    length = len(source)
    while at < length:
        found = _INTERESTING.search(source, at)
        if found is None:
            break
        start, lexeme = found.start(), found.group()
        kind: Kind | None = None
        end = found.end()
        if lexeme == "'":
            kind, end = Kind.STRING, _quoted_end(source, start, "'", file)
        elif lexeme in ("E'", "e'"):
            kind, end = Kind.STRING, _escape_string_end(source, start, file)
        elif lexeme in ('"', "`"):
            kind, end = Kind.IDENTIFIER, _quoted_end(source, start, lexeme, file)
        elif lexeme == "--":
            kind, end = Kind.LINE_COMMENT, _line_end(source, start)
        elif lexeme == "/*":
            kind, end = Kind.BLOCK_COMMENT, _block_comment_end(source, start, file)
        elif lexeme == "$":
            quote = _DOLLAR_QUOTE.match(source, start)
            if quote:
                kind, end = Kind.STRING, _dollar_quote_end(source, quote, file)
        elif lexeme == ":":
            parameter = _PARAMETER.match(source, start)
            if parameter and not (brackets and _is_slice(source, start)):
                kind, end = Kind.PARAMETER, parameter.end()
        elif lexeme == "[":
            brackets += 1
        elif lexeme == "]":
            brackets = max(0, brackets - 1)
        if kind is not None:
            if start > code_start:
                yield Token(Kind.CODE, source[code_start:start], code_start)
            yield Token(kind, source[start:end], start)
            code_start = end
        at = end
    if length > code_start:
        yield Token(Kind.CODE, source[code_start:], code_start)


def _is_slice(source: str, colon: int) -> bool:
    """In ``a[i:j]`` the colon directly follows a lower bound; ``a[:i]`` is a subscript with a parameter."""
    before = source[colon - 1]
    return before.isalnum() or before in "_)]'\""


def _quoted_end(source: str, start: int, quote: str, file: str) -> int:
    at = start + 1
    while (at := source.find(quote, at)) >= 0:
        if source.startswith(quote, at + 1):
            at += 2
            continue
        return at + 1
    raise _unended("string" if quote == "'" else "quoted identifier", source, start, file)


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


def _line_end(source: str, start: int) -> int:
    end = source.find("\n", start)
    if end < 0:
        return len(source)
    return end - 1 if source[end - 1] == "\r" else end


def _block_comment_end(source: str, start: int, file: str) -> int:
    # PostgreSQL nests comments, SQLite does not: a nested one would end at different places, so it is refused.
    end = source.find("*/", start + 2)
    if end < 0:
        raise _unended("comment", source, start, file)
    nested = source.find("/*", start + 2, end)
    if nested >= 0:
        line, column = position(source, nested)
        message = "a comment inside a comment: PostgreSQL and SQLite end it at different places"
        raise QueryFileError(message, file=file, line=line, column=column)
    return end + 2


def _dollar_quote_end(source: str, quote: re.Match[str], file: str) -> int:
    end = source.find(quote.group(), quote.end())
    if end < 0:
        raise _unended(f"dollar quote {quote.group()}", source, quote.start(), file)
    return end + len(quote.group())


def _unended(what: str, source: str, start: int, file: str) -> QueryFileError:
    line, column = position(source, start)
    return QueryFileError(f"this {what} does not end", file=file, line=line, column=column)
