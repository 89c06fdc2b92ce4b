"""A store with the packaged schema."""

from __future__ import annotations

import pytest

from diglot.stores.session import Store
from tests.migrate.rows import GOOD, insert, packaged


@pytest.fixture
def schema(store: Store) -> Store:
    """A migrated store with a workflow, a task, a user and a key."""
    packaged(store).up()
    for table in GOOD:
        insert(store, table)
    return store
