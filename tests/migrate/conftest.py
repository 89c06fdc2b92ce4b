"""A store with the packaged schema."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from diglot.stores import open_store
from diglot.stores.session import Store
from diglot.stores.url import parse_url
from tests.migrate.rows import GOOD, insert


@pytest.fixture
def schema(migrated_url: str) -> Iterator[Store]:
    """A migrated store with a workflow, a task, a user and a key."""
    with open_store(parse_url(migrated_url)) as store:
        for table in GOOD:
            insert(store, table)
        yield store
