"""How much one answer may hold: a page ends early and gives its cursor, and what can't be cut into pages is refused.

A document takes several times its bytes while it is read, decoded and encoded again, and several requests do so at
once.
"""

from __future__ import annotations

from collections.abc import Sequence

from litestar.exceptions import ClientException

from diglot.statestore.database import Database

PAGE_BYTES = 8 * 1024 * 1024
"""Of the documents on a page; one item is always there, however large it is."""


def refuse_large(database: Database, exec_ids: Sequence[str]) -> None:
    """413 if the documents of all tasks of these executions are too many bytes for one answer."""
    size = database.tasks.bytes_of(exec_ids)
    if size > PAGE_BYTES:
        raise ClientException(
            detail=f"the documents of its tasks have {size:,} bytes, and one answer has at most {PAGE_BYTES:,}: "
            "ask for the tasks page by page (/workflows/{exec_id}/tasks)",
            status_code=413,
        )
