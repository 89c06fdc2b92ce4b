"""Databases to back up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from diglot.project import Project
from tests.databases import POSTGRES, Databases
from tests.ops.awkward import fill


@pytest.fixture(
    params=[
        pytest.param("sqlite", marks=pytest.mark.sqlite),
        *(pytest.param(name, marks=pytest.mark.postgres) for name in POSTGRES),
    ]
)
def url(request: pytest.FixtureRequest, tmp_path: Path, databases: Databases) -> Any:
    """The URL of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/app.db"
        return
    server = databases.postgres(request.param)
    name = server.create(migrated=False)
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def filled(url: str, project: Project) -> str:
    fill(url, project)
    return url
