"""The statements of a migration, each with the line on which it begins."""

from __future__ import annotations

from diglot.errors import MigrationTreeError, QueryFileError
from diglot.sql import statements
from diglot.sql.statements import SqlStatement

__all__ = ["SqlStatement", "split"]


def split(text: str, file: str, *, own_transactions: bool = False) -> list[SqlStatement]:
    """The statements of a file. MigrationTreeError if the text can't be split.

    A statement that begins or ends a transaction is refused too, unless ``own_transactions`` allows it.
    """
    try:
        found = statements.split(text, file)
    except QueryFileError as error:
        raise MigrationTreeError(str(error)) from error
    for statement in found:
        control = statement.transaction_control
        if control and not own_transactions:
            raise MigrationTreeError(
                f"{file}:{statement.line}: {control!r} is not allowed in a migration: the runner begins and commits"
            )
    return found
