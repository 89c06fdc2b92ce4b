"""The pages of a database of each kind, and of one in memory for what does not depend on the database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from litestar.testing import TestClient

from diglot.statestore.database import Database
from tests.databases import _new_database
from tests.statestore.server.conftest import BOTH
from tests.statestore.server.pages.served import Served, served


@pytest.fixture(scope="module", params=BOTH)
def of_databases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    for url in _new_database(request, request.param, tmp_path_factory.mktemp("pages"), migrated=True):
        with served(url) as found:
            yield found


@pytest.fixture
def each(of_databases: Served) -> Iterator[Served]:
    with of_databases.for_one_test() as found:
        yield found


@pytest.fixture
def db(each: Served) -> Database:
    return each.db


@pytest.fixture
def http(each: Served) -> TestClient[Any]:
    return each.http


@pytest.fixture(scope="module")
def in_memory() -> Iterator[Served]:
    with served("sqlite://:memory:") as found:
        yield found


@pytest.fixture
def memory(in_memory: Served) -> Iterator[Served]:
    with in_memory.for_one_test() as found:
        yield found
