"""What every repository needs: a session to run on, the loaded queries, and a clock.

Repositories are thin: they check values, call queries and name errors. They have no SQL and don't know the dialect.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from diglot.errors import QueryResultError
from diglot.sql.session import Session
from diglot.statestore.repositories.paging import MAX_LIMIT, check_limit

if TYPE_CHECKING:
    from diglot.statestore.queries import Queries

Clock = Callable[[], datetime]
T = TypeVar("T")


class Context(msgspec.Struct, frozen=True):
    """What repositories share. ``queries`` has one attribute per file of queries (``queries.tasks.get_task``)."""

    session: Session
    queries: Queries
    clock: Clock
    new_id: Callable[[], str]
    random: Callable[[int], bytes]
    max_document: int
    """The most bytes that a document may have."""

    def on(self, session: Session) -> Context:
        """The same on another session."""
        return msgspec.structs.replace(self, session=session)


def always(row: T | None, query: str) -> T:
    """The row from a write that always returns one. Raises QueryResultError if it did not."""
    if row is None:
        raise QueryResultError(f"query {query} returned no row")
    return row


def page_parameters(limit: Any, most: int = MAX_LIMIT) -> tuple[int, int]:
    """The checked limit, and the limit for the query: one more, which shows whether another page follows."""
    limit = check_limit(limit, most)
    return limit, limit + 1
