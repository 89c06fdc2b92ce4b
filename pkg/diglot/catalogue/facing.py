"""Two SQL texts side by side: lines aligned, words highlighted by kind, and the differences marked.

Lines are aligned first, then words are compared within the lines that differ. Everything stays plain text with a
kind: no HTML is built here, so no escape can be forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import groupby
from typing import Literal

import msgspec
from pygments.lexers.sql import PostgresLexer
from pygments.token import Token as Lexeme

from diglot.sql.scanner import Kind, scan

Style = Literal["", "keyword", "type", "name", "string", "number", "comment", "parameter", "condition"]


class Piece(msgspec.Struct, frozen=True):
    """A part of a line: its ``style``, and whether only this side has it."""

    text: str
    style: Style = ""
    marked: bool = False


class Line(msgspec.Struct, frozen=True):
    """A line of one page. A ``gap`` is where only the other page has a line."""

    pieces: list[Piece]
    gap: bool = False

    @property
    def changed(self) -> bool:
        return any(piece.marked for piece in self.pieces)


class Facing(msgspec.Struct, frozen=True):
    """The two pages, with the same number of lines."""

    left: list[Line]
    right: list[Line]

    @property
    def same(self) -> bool:
        return not any(line.changed for line in (*self.left, *self.right))


def facing(left: str, right: str) -> Facing:
    """The text for PostgreSQL and the text for SQLite, side by side."""
    coloured = _Page(left), _Page(right)
    pages: tuple[list[Line], list[Line]] = ([], [])
    for rows in _aligned(coloured[0].lines, coloured[1].lines):
        marks = _marks(coloured[0].text_of(rows[0]), coloured[1].text_of(rows[1]))
        for page, lines, row, marked in zip(pages, coloured, rows, marks, strict=True):
            page.append(Line([], gap=True) if row is None else Line(lines.pieces(row, marked)))
    return Facing(*pages)


def alone(text: str) -> list[Line]:
    """A text without a counterpart: the other dialect does not have this query."""
    page = _Page(text)
    return [Line(page.pieces(row, set())) for row in range(len(page.lines))]


class _Page:
    """One text: its lines without the semicolon at the end, and the style of each character."""

    def __init__(self, text: str) -> None:
        self._styles: list[list[Style]] = [[]]
        self._texts = text.split("\n")
        for part, style in _coloured(text):
            for number, line in enumerate(part.split("\n")):
                if number:
                    self._styles.append([])
                self._styles[-1] += [style] * len(line)
        self.lines = [*self._texts[:-1], self._texts[-1].rstrip().removesuffix(";")]

    def text_of(self, row: int | None) -> str | None:
        return None if row is None else self.lines[row]

    def pieces(self, row: int, marked: set[int]) -> list[Piece]:
        """The line, cut where the style or the mark changes; ``marked`` are the positions of its marked characters."""
        characters = zip(self._texts[row], self._styles[row], strict=True)
        looks = [(style, at in marked, character) for at, (character, style) in enumerate(characters)]
        return [
            Piece("".join(character for *_, character in run), style, is_marked)
            for (style, is_marked), run in groupby(looks, key=lambda look: look[:2])
        ]


# --- colours -----------------------------------------------------------------------------------------------

_STYLES: dict[Kind, Style] = {
    Kind.STRING: "string",
    Kind.IDENTIFIER: "name",
    Kind.PARAMETER: "parameter",
    Kind.LINE_COMMENT: "comment",
    Kind.BLOCK_COMMENT: "comment",
}
_MARK_OF_BLOCK = re.compile(r"/\*\s*(if\s+:\w+|end)\s*\*/$")
# PostgreSQL allows all other words as column names: they are keywords only where a column is not possible.
_NEVER_A_NAME = re.compile(
    "all|any|and|asc?|between|case|default|desc|distinct|else|end|exists|false|from|group|in|is|like|limit|not|null|or|"
    "order|select|then|true|union|using|when|where|with",
    re.IGNORECASE,
)


def _coloured(text: str) -> Iterator[tuple[str, Style]]:
    """Our own scanner finds strings, comments and parameters, as when a query is loaded.

    Both dialects use one lexer: the same word looks the same on both pages.
    """
    lexer = PostgresLexer(stripnl=False, ensurenl=False)
    for token in scan(text):
        if token.kind is not Kind.CODE:
            condition = token.kind is Kind.BLOCK_COMMENT and _MARK_OF_BLOCK.match(token.text)
            yield token.text, "condition" if condition else _STYLES[token.kind]
            continue
        for at, lexeme, part in lexer.get_tokens_unprocessed(token.text):
            style = _style(lexeme)
            if style == "number" and not part[0].isdigit():
                style = ""
            is_name = style in ("keyword", "type") and not _NEVER_A_NAME.fullmatch(part)
            yield part, "" if is_name and _is_name_position(token.text, at, at + len(part)) else style


def _is_name_position(code: str, start: int, end: int) -> bool:
    """Next to a comma or a dot, or before a comparison: ``select name, version from … where status = …``."""
    before, after = code[:start].rstrip()[-1:], code[end:].lstrip()[:1]
    return before in tuple(",.") or after in tuple(",.=<>")


def _style(lexeme: object) -> Style:
    if lexeme in Lexeme.Keyword or lexeme in Lexeme.Operator.Word:
        return "keyword"
    if lexeme in Lexeme.Name.Builtin:
        return "type"
    if lexeme in Lexeme.Literal.Number:
        return "number"
    return ""


# --- what differs ------------------------------------------------------------------------------------------

_WORD = re.compile(r"[:$]?\w+|\s+|::|<>|[<>!]=|\|\||.")
_Rows = tuple[int | None, int | None]


def _aligned(left: Sequence[str], right: Sequence[str]) -> Iterator[_Rows]:
    """The lines that face each other; None for a gap."""
    compared = [line.strip() for line in left], [line.strip() for line in right]
    for _, l1, l2, r1, r2 in SequenceMatcher(None, *compared, autojunk=False).get_opcodes():
        for number in range(max(l2 - l1, r2 - r1)):
            yield (l1 + number if l1 + number < l2 else None), (r1 + number if r1 + number < r2 else None)


def _marks(left: str | None, right: str | None) -> tuple[set[int], set[int]]:
    """The positions of the characters that only one of the two lines has."""
    if left is None or right is None:
        return _everything(left), _everything(right)
    words = _WORD.findall(left), _WORD.findall(right)
    changes = SequenceMatcher(None, *words, autojunk=False).get_opcodes()
    marked: tuple[set[int], set[int]] = (set(), set())
    for first, last in _joined(changes, words[0]):
        ranges = (changes[first][1], changes[last][2]), (changes[first][3], changes[last][4])
        closing = _brackets_to_close(
            [side[a:b] for side, (a, b) in zip(words, ranges, strict=True)], words[0][ranges[0][1] :]
        )
        for side, (start, end) in enumerate(ranges):
            at = len("".join(words[side][:start]))
            said = "".join(words[side][start : end + closing])
            marked[side].update(at + place for place in _everything(said))
    return marked


def _joined(changes: Sequence[tuple[str, int, int, int, int]], words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The first and last of the changes that are shown as one: at most one word is between them."""

    def says_little(number: int) -> bool:
        start, end = changes[number][1:3]
        return number + 1 < len(changes) and sum(word[-1].isalnum() for word in words[start:end]) <= 1

    start = 0
    while start < len(changes):
        if changes[start][0] == "equal":
            start += 1
            continue
        end = start
        while end + 1 < len(changes) and (changes[end + 1][0] != "equal" or says_little(end + 1)):
            end += 1
        yield start, end
        start = end + 1


def _brackets_to_close(changed: Sequence[Sequence[str]], rest: Sequence[str]) -> int:
    """How many closing parentheses right after a change belong to it: both of its sides opened them."""
    opened = min(side.count("(") - side.count(")") for side in changed)
    closing = next((number for number, word in enumerate(rest) if word != ")"), len(rest))
    return max(0, min(opened, closing))


def _everything(line: str | None) -> set[int]:
    """Every position of a line except the white space around it."""
    if line is None:
        return set()
    return set(range(len(line) - len(line.lstrip()), len(line.rstrip())))
