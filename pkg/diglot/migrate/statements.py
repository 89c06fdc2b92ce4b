"""The statements of a migration, each with the line on which it begins."""

from __future__ import annotations

from diglot.errors import MigrationTreeError, QueryFileError
from diglot.sql import statements
from diglot.sql.session import Dialect
from diglot.sql.statements import SqlStatement

__all__ = ["SqlStatement", "split"]


def split(
    text: str, file: str, dialect: Dialect | None = None, *, own_transactions: bool = False
) -> list[SqlStatement]:
    """The statements of a file, as this dialect reads it. MigrationTreeError if the text can't be split.

    Refused too are COPY from and to the client, and statements that begin or end a transaction, unless
    ``own_transactions`` allows them.
    """
    try:
        found = statements.split(text, file, dialect)
    except QueryFileError as error:
        raise MigrationTreeError(str(error)) from error
    for statement in found:
        with_client = statement.copy_with_client
        if with_client == "from stdin":
            raise MigrationTreeError(
                f"{file}:{statement.line}: 'copy … from stdin' gets its rows from a client such as psql, not from the "
                "migration: write them as INSERT statements"
            )
        if with_client:
            raise MigrationTreeError(
                f"{file}:{statement.line}: 'copy … {with_client}' sends rows to a client such as psql, and a migration "
                "has none: remove it"
            )
        control = statement.transaction_control
        if control and not own_transactions:
            raise MigrationTreeError(
                f"{file}:{statement.line}: {control!r} is not allowed in a migration: the runner begins and commits"
            )
    return found
