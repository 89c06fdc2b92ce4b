"""Whether the two texts of a query are the same except for what the dialects always write differently."""

from __future__ import annotations

import re

from diglot.sql.header import QuerySource
from diglot.sql.scanner import Kind, scan

_IN_JSON = re.compile(r"in \(select (?:\w+\.)?value from json_each\((:\w+)\)(?: as \w+)?\)")


def same_text(postgres: QuerySource, sqlite: QuerySource) -> bool:
    """Whether they differ only in comments, white space, case and how a list parameter is written."""
    return tidy(postgres.text) == _IN_JSON.sub(r"= any(\1)", tidy(sqlite.text))


def tidy(sql: str) -> str:
    """The code in lower case with single spaces, strings and identifiers as they are, conditional blocks kept."""
    parts = []
    for token in scan(sql):
        if token.kind is Kind.LINE_COMMENT:
            parts.append(" ")
        elif token.kind is Kind.CODE:
            parts.append(re.sub(r"\s+", " ", token.text.lower()))
        elif token.kind is Kind.BLOCK_COMMENT:
            inner = " ".join(token.text[2:-2].split())
            parts.append(f" /* {inner} */ " if inner == "end" or inner.startswith("if :") else " ")
        else:
            parts.append(token.text)
    return re.sub(r" +", " ", "".join(parts)).strip().rstrip(";").rstrip()
