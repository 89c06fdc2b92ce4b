"""A database in memory for the pages, one for a whole module: to make the application takes longer than most tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from litestar.testing import TestClient

import diglot
from diglot.database import Database
from tests.server.client import serving

MANY = 1_000_000


class InMemory:
    """An open database, and its application."""

    def __init__(self, db: Database, http: TestClient[Any]) -> None:
        self.db = db
        self.http = http

    @contextmanager
    def emptied(self) -> Iterator[InMemory]:
        """For one test: without a cookie, and afterwards without users, keys and executions."""
        self.http.cookies.clear()
        yield self
        for run in self.db.workflows.list(limit=1000).items:
            self.db.workflows.delete(run.workflow_exec_id)
        for user in self.db.users.list(limit=1000).items:
            self.db.users.delete(user.id)


@contextmanager
def in_memory() -> Iterator[InMemory]:
    """As many may fail to sign in as like."""
    with diglot.open("sqlite://:memory:") as db, serving(db, failures_per_minute=MANY) as http:
        yield InMemory(db, http)
