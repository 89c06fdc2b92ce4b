"""aiosql's adapters for the two dialects: they turn ``:name`` into the driver's own positional placeholders.

PostgreSQL takes ``$1`` (psycopg's raw cursor), SQLite takes ``?``. So nothing is escaped and nothing is formatted: a
``%`` in the text is a ``%``, a cast is a cast, and strings and comments stay as they are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from aiosql.adapters.generic import GenericAdapter

from diglot.sql.encoding import MAX_DOCUMENT
from diglot.sql.scanner import Kind, Token, scan
from diglot.sql.session import Dialect


class PositionalAdapter(GenericAdapter, ABC):
    """Common to both: aiosql's hook ``process_sql`` returns the text that is sent."""

    dialect: Dialect

    def __init__(self, max_document: int = MAX_DOCUMENT) -> None:
        """``max_document``: the most bytes that a value may have."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.max_document = max_document

    def process_sql(self, query_name: str, op_type: Any, sql: str) -> str:
        return self.positional(scan(sql))[0]

    def positional(self, tokens: Iterable[Token]) -> tuple[str, list[str]]:
        """The text for the driver, and the parameter's name for each value to pass, in order."""
        order: list[str] = []
        text = "".join(
            self.placeholder(token.name, order) if token.kind is Kind.PARAMETER else token.text for token in tokens
        )
        return text, order

    @abstractmethod
    def placeholder(self, name: str, order: list[str]) -> str:
        """The placeholder of a parameter; appends its name to ``order`` if one more value must be passed."""


class PostgresAdapter(PositionalAdapter):
    """``$1``, ``$2`` …; a parameter that appears twice has one number."""

    dialect: Dialect = "postgres"

    def placeholder(self, name: str, order: list[str]) -> str:
        if name not in order:
            order.append(name)
        return f"${order.index(name) + 1}"


class SQLiteAdapter(PositionalAdapter):
    """``?``; a parameter that appears twice is passed twice."""

    dialect: Dialect = "sqlite"

    def placeholder(self, name: str, order: list[str]) -> str:
        order.append(name)
        return "?"


ADAPTERS: dict[Dialect, type[PositionalAdapter]] = {"postgres": PostgresAdapter, "sqlite": SQLiteAdapter}
