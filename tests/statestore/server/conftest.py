"""A database for the real program (a process takes a second, so only two kinds), and the application in this one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from diglot import statestore
from diglot.statestore.database import Database
from tests.databases import POSTGRES_PARAMS, _new_database
from tests.statestore.server.client import Client, key_of, serving

# Without the mark that has them run again on the other SQLite library: that both are the same is proven below.
BOTH = [pytest.param("sqlite-file", id="sqlite-file"), POSTGRES_PARAMS[-1]]


@pytest.fixture(params=BOTH)
def service_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, not migrated."""
    yield from _new_database(request, request.param, tmp_path, migrated=False)


@pytest.fixture(params=BOTH)
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An open, migrated, empty database."""
    for url in _new_database(request, request.param, tmp_path, migrated=True):
        with statestore.open(url, migrate=False) as database:
            yield database


@pytest.fixture(scope="module")
def memory() -> Iterator[Client]:
    """A user of a database in memory, for what does not come as far as the database."""
    with statestore.open("sqlite://:memory:") as database, serving(database) as client:
        yield Client(client, key_of(database, "ada@example.org"))


@pytest.fixture
def http(db: Database) -> Iterator[TestClient[Any]]:
    with serving(db) as client:
        yield client


@pytest.fixture
def admin(db: Database, http: TestClient[Any]) -> Client:
    return Client(http, key_of(db, "root@example.org", "admin"))


@pytest.fixture
def user(db: Database, http: TestClient[Any]) -> Client:
    return Client(http, key_of(db, "ada@example.org"))
