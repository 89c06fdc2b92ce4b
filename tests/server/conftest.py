"""A database for the real program: SQLite and the newer PostgreSQL, each once, since a process takes a second."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import POSTGRES_PARAMS, SQLITE_PARAMS, _new_database


@pytest.fixture(params=[SQLITE_PARAMS[0], POSTGRES_PARAMS[-1]])
def service_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, not migrated."""
    yield from _new_database(request, request.param, tmp_path, migrated=False)
