"""Pairs of databases to copy between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from diglot.project import Project
from tests.databases import OLDER, POSTGRES, Databases
from tests.ops.awkward import awkward_project

NEWEST, OLDEST = POSTGRES[-1], POSTGRES[0]
PAIRS = [("sqlite", NEWEST), (NEWEST, "sqlite"), ("sqlite", "sqlite"), (OLDEST, NEWEST)]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The project with awkward tables."""
    return awkward_project(tmp_path / "project")


def _marks(pair: tuple[str, str]) -> list[pytest.MarkDecorator]:
    if pair == ("sqlite", "sqlite"):
        return [pytest.mark.sqlite]
    return [pytest.mark.postgres, *([pytest.mark.older] if OLDER in pair else [])]


@pytest.fixture(params=[pytest.param(pair, id="-to-".join(pair), marks=_marks(pair)) for pair in dict.fromkeys(PAIRS)])
def urls(request: pytest.FixtureRequest, tmp_path: Path, databases: Databases) -> Iterator[tuple[str, str]]:
    """The URLs of two empty databases, the first to copy from, the second to copy to."""
    found, servers = [], []
    for place, name in enumerate(request.param):
        if name == "sqlite":
            found.append(f"sqlite:///{tmp_path}/{place}.db")
            continue
        server = databases.postgres(name)
        database = server.create(migrated=False)
        servers.append((server, database))
        found.append(server.url(database))
    yield found[0], found[1]
    for server, database in servers:
        server.drop(database)
