"""Which parameters are numbers of rows: those after LIMIT, OFFSET or FETCH FIRST.

The databases disagree about invalid counts: for null PostgreSQL returns all rows and SQLite an error, for a negative
number it is the other way round. So both are refused when the query is called, and ``diglot check`` finds parameters
that may be null.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from diglot.sql.scanner import Kind

if TYPE_CHECKING:
    from diglot.sql.header import QuerySource

_BEFORE = re.compile(
    r"(?:\b(?P<word>limit|offset|fetch\s+(?:first|next))|(?P<comma>,))[\s(]*(?:\bcast\s*\(\s*)?\Z", re.IGNORECASE
)
_CALCULATES = re.compile(r"(?:\s*::\s*\w+|\s*\))*\s*[-+*/%|&<>]")
_COMMENTS = (Kind.LINE_COMMENT, Kind.BLOCK_COMMENT)


class RowLimit(NamedTuple):
    """``keyword`` is the word before it. ``guarded``: only in a block that requires the parameter not to be null.

    ``plain``: it is the whole count, not part of a calculation. ``start`` is its offset in the file.
    """

    keyword: str
    guarded: bool
    plain: bool
    start: int


def row_limits(source: QuerySource) -> dict[str, RowLimit]:
    """By the name of the parameter."""
    found: dict[str, RowLimit] = {}
    tokens = [
        (token, segment.condition)
        for segment in source.segments
        for token in segment.tokens
        if token.kind not in _COMMENTS
    ]
    texts = [token.text for token, _ in tokens]
    for i, (token, condition) in enumerate(tokens):
        if token.kind is not Kind.PARAMETER:
            continue
        keyword = _keyword(texts[:i])
        if keyword:
            guarded = condition == token.name and found.get(token.name, _NOWHERE).guarded
            plain = _CALCULATES.match("".join(texts[i + 1 : i + 3])) is None
            found[token.name] = RowLimit(keyword, guarded, plain, token.start)
    return found


_NOWHERE = RowLimit("", guarded=True, plain=True, start=0)


def _keyword(before: Sequence[str]) -> str:
    text = "".join(before[-12:])
    match = _BEFORE.search(text)
    if match is None or match["word"]:
        return " ".join(match["word"].lower().split()) if match else ""
    # SQLite's ``limit :offset, :count``
    first = re.search(r"\blimit\s+:?\w+\s*,\s*\Z", text, re.IGNORECASE)
    return "limit" if first else ""
