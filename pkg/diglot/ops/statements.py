"""The SQL of the operations: one file for each statement, in ``ops/DIALECT/``."""

from __future__ import annotations

from diglot.sql.package_statements import package_statement
from diglot.sql.session import Dialect, Statement


def statement(dialect: Dialect, name: str) -> Statement:
    """The statement of ``ops/DIALECT/NAME.sql``, ready for its driver."""
    return package_statement("ops", dialect, name)
