"""Migrations behind PgBouncer in transaction mode: one transaction with a lock of its own, which leaves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from diglot.errors import LockTimeout, MigrationFailed
from diglot.sql.session import Statement
from diglot.stores import open_store
from diglot.stores.store import Store
from diglot.stores.url import parse_url
from tests.databases import POSTGRES, Databases
from tests.migrate.dump import tables
from tests.migrate.test_processes import all_start_at_once, killed_in_the_middle
from tests.migrate.trees import A, B, C, Tree, migrator, write, write_abc
from tests.pgbouncer import PgBouncer

pytestmark = pytest.mark.postgres
HELD = "select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())"  # noqa: E501


@pytest.fixture
def direct_url(databases: Databases) -> Iterator[str]:
    server = databases.postgres(POSTGRES[-1])
    name = server.create(migrated=False)
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def url(direct_url: str, pooled: Callable[..., PgBouncer]) -> str:
    """The same database through a PgBouncer."""
    with psycopg.connect(direct_url) as connection:
        return pooled().url(connection.info.dbname)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with open_store(parse_url(url)) as opened:
        yield opened


def test_they_run_up_and_down_and_leave_no_lock_and_no_setting(
    store: Store, url: str, direct_url: str, tmp_path: Path
) -> None:
    write_abc(tmp_path)
    changed = "select name, setting from pg_settings where source = 'session' and name <> 'application_name' order by 1"
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as other:
        before = other.execute(changed).fetchall()
        assert [migration.id for migration in migrator(store, tmp_path).up()] == [A, B, C]
        assert [migration.id for migration in migrator(store, tmp_path).down(2)] == [C, B]
        (tmp_path / "postgres" / f"{A}.sql").write_text("create table a (id integer not null); -- edited\n")
        assert [migration.id for migration in migrator(store, tmp_path).bless()] == [A]
        assert other.execute(changed).fetchall() == before
        assert other.execute("select count(*) from pg_prepared_statements").fetchone() == (0,)
    with psycopg.connect(direct_url) as connection:
        assert connection.execute(HELD).fetchone() == (0,)
    assert tables(store) == ["a"]


def test_a_migration_that_fails_is_undone_and_those_before_it_stay(store: Store, tmp_path: Path) -> None:
    write_abc(tmp_path)
    write(tmp_path, C, up="create table c (id integer);\ninsert into c values ('x');\n")
    with pytest.raises(MigrationFailed, match=r"_c\.sql:2: statement 2: .*; the database is as it was before"):
        migrator(store, tmp_path).up()
    assert tables(store) == ["a", "b"]
    assert [status.state for status in migrator(store, tmp_path).status()] == ["applied", "applied", "pending"]
    write(tmp_path, C)
    assert [migration.id for migration in migrator(store, tmp_path).up()] == [C]


def test_the_lock_is_the_one_of_those_who_come_directly(store: Store, direct_url: str, tmp_path: Path) -> None:
    write_abc(tmp_path)
    with open_store(parse_url(direct_url)) as direct:
        with direct.migration_connection(5), pytest.raises(LockTimeout, match="another process has been migrating"):
            migrator(store, tmp_path, timeout=0.2).up()
        with store.migration_connection(5), pytest.raises(LockTimeout, match="another process has been migrating"):
            migrator(direct, tmp_path, timeout=0.2).up()
    assert [migration.id for migration in migrator(store, tmp_path).up()] == [A, B, C]


def test_a_table_that_somebody_holds_is_waited_for(store: Store, direct_url: str, tmp_path: Path) -> None:
    write_abc(tmp_path)
    migrator(store, tmp_path).up(target=A)
    write(tmp_path, B, up="alter table a add column b text;", down="alter table a drop column b;")
    with psycopg.connect(direct_url) as holder:
        holder.execute("select * from a")
        with pytest.raises(LockTimeout, match="another session held a lock"):
            migrator(store, tmp_path, timeout=0.5).up()
    assert [migration.id for migration in migrator(store, tmp_path).up()] == [B, C]


def test_processes_that_start_at_once_all_succeed(url: str) -> None:
    all_start_at_once(url)


def test_a_process_killed_in_a_migration_leaves_nothing_of_it(url: str, direct_url: str, tree: Tree) -> None:
    with psycopg.connect(direct_url, autocommit=True) as watcher:
        sleeping = "select 1 from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"

        def in_the_middle() -> bool:
            return watcher.execute(sleeping).fetchone() is not None

        killed_in_the_middle(url, tree, in_the_middle, slow=600)


def test_one_without_a_transaction_is_refused_with_what_to_do(store: Store, tmp_path: Path) -> None:
    write(tmp_path, A)
    write(tmp_path, B, up="-- transactional: false\nselect 1;\n")
    message = r"_b\.sql: '-- transactional: false' does not work through a connection pooler: migrate with the"
    with pytest.raises(MigrationFailed, match=message):
        migrator(store, tmp_path).up()
    assert tables(store) == ["a"]
    assert store.rows(Statement("test.open", HELD)) == [(0,)]
