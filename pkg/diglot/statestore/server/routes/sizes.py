"""The size limit of a response: a page ends early with its cursor; a response that has no pages is refused.

A document takes several times its size while it is read, decoded and encoded again, and several requests do that at
once.
"""

from __future__ import annotations

from collections.abc import Sequence

from litestar.exceptions import ClientException

from diglot.statestore.database import Database

PAGE_BYTES = 8 * 1024 * 1024
"""The most bytes of documents on a page; a page always has one item, however large."""


def refuse_large(database: Database, exec_ids: Sequence[str]) -> None:
    """Raises 413 if the documents of all tasks of these executions are too large for one response."""
    size = database.tasks.bytes_of(exec_ids)
    if size > PAGE_BYTES:
        raise ClientException(
            detail=f"the documents of its tasks have {size:,} bytes, but one response has at most {PAGE_BYTES:,}: "
            "ask for the tasks page by page (/workflows/{exec_id}/tasks)",
            status_code=413,
        )
