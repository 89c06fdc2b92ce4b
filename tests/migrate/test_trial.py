"""Migrations that are tried on a database which is thrown away: nothing is recorded, and nothing is left open."""

from __future__ import annotations

from pathlib import Path

import pytest

from diglot.errors import MigrationFailed
from diglot.migrate import MigrationTree
from diglot.migrate.trial import LOCK_WAIT, apply, apply_all, roll_back
from diglot.stores import open_store
from diglot.stores.store import Store
from diglot.stores.url import parse_url
from tests.migrate.dump import tables


def tree(folder: Path, store: Store, **texts: str) -> MigrationTree:
    for name, text in texts.items():
        (folder / f"{name.replace('__', '.')}.sql").write_text(text)
    return MigrationTree.scan(folder, store.dialect)


def test_nothing_is_recorded(store: Store, tmp_path: Path) -> None:
    tried = tree(tmp_path, store, a__up="create table a (x int);", a__down="drop table a;")
    apply_all(store, tried)
    assert tables(store) == ["a"]
    with store.migration_connection(LOCK_WAIT) as connection:
        roll_back(connection, tried.migrations[0])
    assert tables(store) == []


@pytest.mark.parametrize("begin", ["", "begin;\n"], ids=["the runner's transaction", "its own"])
def test_a_file_that_fails_leaves_nothing_and_no_transaction(begin: str, store: Store, tmp_path: Path) -> None:
    text = f"{begin}create table a (x int);\ninsert into nowhere values (1);\n{begin and 'commit;'}"
    tried = tree(tmp_path, store, a=text, b="create table b (x int);")
    with store.migration_connection(LOCK_WAIT) as connection:
        with pytest.raises(MigrationFailed, match=rf"a\.sql:{3 if begin else 2}: .*nowhere"):
            apply(connection, tried.migrations[0])
        apply(connection, tried.migrations[1])
    assert tables(store) == ["b"]


def test_an_extension_that_the_server_lacks_is_to_be_had_from_another(postgres_url: str, tmp_path: Path) -> None:
    with open_store(parse_url(postgres_url)) as store:
        tried = tree(tmp_path, store, a="create extension if not exists nowhere;")
        with pytest.raises(MigrationFailed, match=r"a\.sql:1: .*not available.*; name a server .* --postgres-url"):
            apply_all(store, tried)
