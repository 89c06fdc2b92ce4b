"""The readers' SQL: one file for each statement, in ``schema/DIALECT/``."""

from __future__ import annotations

from diglot.sql.package_statements import package_statement
from diglot.sql.session import Dialect, Statement


def statement(dialect: Dialect, name: str) -> Statement:
    """The statement of ``schema/DIALECT/NAME.sql``, ready for its driver."""
    return package_statement("schema", dialect, name)
