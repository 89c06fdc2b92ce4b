"""Writes docs/schema-differences.md from both schemas and the query files.

``python -m tests.statestore.schema_differences``

A test compares the page with what is there.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from diglot.check.scratch import scratch_postgres, scratch_sqlite
from diglot.schema.model import Column, Schema
from diglot.schema.read import read_schema
from diglot.sql.header import read_queries
from diglot.sql.session import DIALECTS
from diglot.statestore.project import TREES

PAGE = Path(__file__).parent.parent.parent / "docs" / "schema-differences.md"
INTRODUCTION = """\
# How the two schemas of the state store differ

Both trees of migrations make the same tables, columns, keys, checks and indexes: `diglot drift` proves it. This page
lists what is written in another way, and why a query has another text. It is generated:
`python -m tests.statestore.schema_differences`.

## Types of columns

| PostgreSQL | SQLite | columns |
|---|---|---|
"""


def page(postgres_url: str | None) -> str:
    """The page, from scratch databases."""
    with scratch_sqlite(TREES.migrations) as sqlite, scratch_postgres(TREES.migrations, postgres_url) as postgres:
        return INTRODUCTION + _types(read_schema(postgres), read_schema(sqlite)) + _queries()


def _types(postgres: Schema, sqlite: Schema) -> str:
    others = {(table.name, column.name): column for table in sqlite.tables for column in table.columns}
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for table in postgres.tables:
        for column in table.columns:
            found[_type(column), _type(others[table.name, column.name])].append(f"{table.name}.{column.name}")
    rows = [f"| `{one}` | `{other}` | {_some(columns)} |" for (one, other), columns in sorted(found.items())]
    return "\n".join(rows) + "\n"


def _type(column: Column) -> str:
    collation = f' collate "{column.collation}"' if column.collation else ""
    return column.type + collation


def _some(columns: list[str]) -> str:
    more = f" and {len(columns) - 3} more" if len(columns) > 3 else ""
    return ", ".join(f"`{name}`" for name in columns[:3]) + more


def _queries() -> str:
    reasons: dict[str, str] = {}
    for dialect in DIALECTS:
        for file in TREES.query_files(dialect):
            for query in read_queries(file.read_text("utf-8"), file.stem, file.name, dialect):
                if query.differs:
                    reasons.setdefault(f"{file.stem}.{query.name}", query.differs)
    rows = [f"| `{name}` | {reason} |" for name, reason in sorted(reasons.items())]
    return "\n## Queries with another text, and why\n\n| query | reason |\n|---|---|\n" + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(None), "utf-8")
