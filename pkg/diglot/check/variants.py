"""Each combination of a query's conditional blocks, with the mapping from its text to the lines of the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property

from diglot.check.queries import readable_queries
from diglot.project import Project
from diglot.sql.adapters import ADAPTERS
from diglot.sql.combinations import ALL_UP_TO, count
from diglot.sql.header import Parameter, QuerySource
from diglot.sql.query import Query, Variant
from diglot.sql.scanner import Kind, Token
from diglot.sql.session import Dialect


class Combination:
    """One combination: ``active`` are the parameters whose blocks are there."""

    def __init__(self, source: QuerySource, active: frozenset[str], variant: Variant) -> None:
        self.source = source
        self.active = active
        self.variant = variant

    @property
    def text(self) -> str:
        """The text that is sent."""
        return self.variant.statement.text

    @cached_property
    def tokens(self) -> list[Token]:
        return [
            token
            for segment in self.source.segments
            if segment.condition is None or segment.condition in self.active
            for token in segment.tokens
        ]

    @cached_property
    def named(self) -> str:
        """The text with ``:name`` parameters."""
        return "".join(token.text for token in self.tokens).strip().rstrip(";").rstrip()

    def offset_of_named(self, offset: int) -> int:
        """The offset in the file of one in ``named``."""
        whole = "".join(token.text for token in self.tokens)
        at = offset + len(whole) - len(whole.lstrip())
        for token in self.tokens:
            if at < len(token.text):
                return token.start + at
            at -= len(token.text)
        return self.tokens[-1].start

    def offset_of_sent(self, offset: int) -> int:
        """The offset in the file of one in ``text``: white space apart, both have the same characters."""
        begin = self.text.index("*/") + 2
        count = len(re.sub(r"\s", "", self.text[begin:offset]))
        numbers: dict[str, int] = {}
        for token in self.tokens:
            if token.kind is Kind.PARAMETER:
                number = numbers.setdefault(token.name, len(numbers) + 1)
                places = [token.start] * (len(f"${number}") if "$" in self._placeholder else 1)
            else:
                places = [token.start + i for i, c in enumerate(token.text) if not c.isspace()]
            if count < len(places):
                return places[count]
            count -= len(places)
        return self.tokens[-1].start

    def offset_of_word(self, word: str) -> int | None:
        """The first place of a name in the code."""
        pattern = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)
        for token in self.tokens:
            if token.kind in (Kind.CODE, Kind.IDENTIFIER, Kind.PARAMETER, Kind.STRING):
                found = pattern.search(token.text)
                if found:
                    return token.start + found.start()
        return None

    @cached_property
    def _placeholder(self) -> str:
        return "$" if re.search(r"\$\d", self.text) else "?"


def combinations(source: QuerySource, dialect: Dialect) -> Iterator[Combination]:
    """Those that are worth trying, with few blocks first."""
    variants = Query(source, ADAPTERS[dialect]()).variants()
    found = [Combination(source, frozenset(variant.given), variant) for variant in variants]
    return iter(sorted(found, key=lambda each: len(each.active)))


def not_all_tried(project: Project) -> str:
    """The queries with so many blocks that not every combination is tried, in one line; "" if there is none."""
    many: dict[str, int] = {}
    for dialect in project.dialects:
        for query in readable_queries(project, dialect):
            if len(query.source.conditions) > ALL_UP_TO:
                many[query.source.full_name] = len(query.source.conditions)
    if not many:
        return ""
    counts = ", ".join(f"{name} ({count(blocks):,} of {2**blocks:,})" for name, blocks in sorted(many.items()))
    return f"more than {ALL_UP_TO} conditional blocks, so every two were combined, not all: {counts}"


def characteristic(all_of_them: list[Combination]) -> list[Combination]:
    """None of the blocks, each alone, all but each, and all: the result's form is derived from these."""
    conditions = len(all_of_them[-1].active)
    return [each for each in all_of_them if len(each.active) in (0, 1, conditions - 1, conditions)]


def declared(source: QuerySource) -> dict[str, Parameter]:
    return {parameter.name: parameter for parameter in source.parameters}
