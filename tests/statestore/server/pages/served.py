"""Databases with their applications, one of each for a whole module: to make one takes longer than most tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from litestar.testing import TestClient

from diglot import statestore
from diglot.statestore.database import Database
from tests.statestore.server.client import serving

MANY = 1_000_000
BASE = "http://testserver.local"


class Served:
    """An open database, and its application, in which as many may fail to sign in as like."""

    def __init__(self, db: Database, http: TestClient[Any]) -> None:
        self.db = db
        self.http = http

    @contextmanager
    def for_one_test(self) -> Iterator[Served]:
        """Without a cookie, and afterwards without users, keys and executions."""
        self.http.cookies.clear()
        self.http.base_url = BASE
        yield self
        for run in self.db.workflows.list(limit=1000).items:
            self.db.workflows.delete(run.workflow_exec_id)
        for user in self.db.users.list(limit=1000).items:
            if user.role != "admin":
                self.db.users.delete(user.id)


@contextmanager
def served(url: str) -> Iterator[Served]:
    with statestore.open(url) as db, serving(db, failures_per_minute=MANY) as http:
        yield Served(db, http)
