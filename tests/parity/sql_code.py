"""SQL text without what is in strings and comments: what the rules about queries and migrations look at."""

import re
from importlib import resources

from diglot.sql.scanner import Kind, scan
from diglot.sql.session import DIALECTS
from diglot.statestore.database import packaged_queries


def tidy(sql: str) -> str:
    """Lower case, one space between words, no comments; a string is ``''``, an identifier in quotes stays."""
    parts = []
    for token in scan(sql):
        if token.kind is Kind.STRING:
            parts.append(re.sub(r"'.*", "''", token.text, flags=re.DOTALL).lower())
        elif token.kind not in (Kind.LINE_COMMENT, Kind.BLOCK_COMMENT):
            parts.append(token.text.lower())
        else:
            parts.append(" ")
    return re.sub(r"\s+", " ", "".join(parts)).strip()


def words(sql: str) -> set[str]:
    return set(re.findall(r"[a-z_]\w*", re.sub(r":\w+|''|\"[^\"]*\"", " ", tidy(sql))))


def queries():
    """(dialect, query source) of each packaged query."""
    return [(dialect, query.source) for dialect in DIALECTS for query in packaged_queries(dialect)]


def migrations():
    """(dialect, file name, text) of each packaged migration and rollback."""
    return [
        (dialect, file.name, file.read_text("utf-8"))
        for dialect in DIALECTS
        for file in sorted((resources.files("diglot.statestore.migrations") / dialect).iterdir(), key=lambda f: f.name)
        if file.name.endswith(".sql")
    ]
