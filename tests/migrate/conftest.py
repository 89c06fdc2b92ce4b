"""A store with the packaged schema, and a small tree in each layout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from diglot.stores import open_store
from diglot.stores.store import Store
from diglot.stores.url import parse_url
from tests.migrate.rows import GOOD, insert
from tests.migrate.trees import LAYOUTS, Tree


@pytest.fixture
def schema(migrated_url: str) -> Iterator[Store]:
    """A migrated store with a workflow, a task, a user and a key."""
    with open_store(parse_url(migrated_url)) as store:
        for table in GOOD:
            insert(store, table)
        yield store


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def tree(layout: str, tmp_path: Path) -> Tree:
    """Three migrations that make the tables a, b and c, in every layout."""
    return Tree(tmp_path / "tree", layout)
