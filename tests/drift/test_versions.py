"""Each version of PostgreSQL, and our own trees on it."""

from __future__ import annotations

from importlib.resources.abc import Traversable

from diglot.drift import compare
from diglot.schema.read import read_schema
from diglot.statestore.project import TREES
from diglot.stores import open_store
from diglot.stores.url import parse_url
from tests.drift.shop import POSTGRES, SQLITE, read_postgres_text, read_sqlite_text


def test_the_schemas_are_the_same_on_every_version(postgres_url: str) -> None:
    with open_store(parse_url(postgres_url)) as store:
        schema = read_postgres_text(store, POSTGRES)
    assert len(schema.tables) == 3
    assert compare(schema, read_sqlite_text(SQLITE)) == []


def test_our_own_trees_do_not_differ(migrated_url: str) -> None:
    """Also by the names of constraints and indexes; yoyo's tables and ours for checksums are no part of it."""
    schema = read_schema(migrated_url)
    assert [table.name for table in schema.tables] == ["api_keys", "task_states", "users", "workflow_states"]
    other = read_sqlite_text("".join(file.read_text() for file in sorted_files()))
    assert compare(schema, other, names=True) == []


def sorted_files() -> list[Traversable]:
    folder = TREES.migrations / "sqlite"
    files = [file for file in folder.iterdir() if file.name.endswith(".sql") and ".rollback." not in file.name]
    return sorted(files, key=lambda file: file.name)
