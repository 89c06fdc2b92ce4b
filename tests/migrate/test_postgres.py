"""What only PostgreSQL has: indexes made concurrently, locks on tables that others use, schemas, and a server's log."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from diglot.errors import LockTimeout, MigrationFailed
from diglot.migrate import MigrationTree, Migrator, execution
from diglot.sql.session import Statement
from diglot.statestore.project import TREES
from diglot.stores import open_store
from diglot.stores.store import Store
from diglot.stores.url import parse_url
from tests.databases import with_parameters
from tests.migrate.child import start
from tests.migrate.dump import indexes, tables
from tests.migrate.rows import packaged
from tests.migrate.test_processes import tell, wait
from tests.migrate.trees import NOW, A, B, Tree, migrator, write
from tests.postgres_server import PostgresServer

CONCURRENTLY = """-- transactional: false
drop index concurrently if exists ix_a_id;
create index concurrently ix_a_id on a (id);
"""


@pytest.fixture
def store(postgres_url: str) -> Iterator[Store]:
    with open_store(parse_url(postgres_url)) as opened:
        yield opened


@contextmanager
def holding(url: str, table: str) -> Iterator[psycopg.Connection]:
    """Somebody else's open transaction that has read the table."""
    with psycopg.connect(url) as connection:
        connection.execute(psycopg.sql.SQL("select * from {}").format(psycopg.sql.Identifier(table)))
        yield connection


def concurrently(folder: Path, text: str = CONCURRENTLY) -> None:
    write(folder, A)
    write(folder, B)
    (folder / "postgres" / f"{B}.sql").write_text(text)
    (folder / "postgres" / f"{B}.rollback.sql").write_text("drop index concurrently ix_a_id;\n")


# --- transactional: false ----------------------------------------------------------------------------------


def test_an_index_is_made_concurrently_and_dropped(store: Store, tmp_path: Path) -> None:
    concurrently(tmp_path)
    assert [migration.id for migration in migrator(store, tmp_path).up()] == [A, B]
    assert "ix_a_id" in indexes(store)
    assert [migration.id for migration in migrator(store, tmp_path).down()] == [B]
    assert "ix_a_id" not in indexes(store)


def test_killed_before_its_mark_a_migration_without_transaction_runs_again(
    store: Store, postgres_url: str, tree: Tree
) -> None:
    tree.write("b", CONCURRENTLY + "select pg_sleep((select coalesce(max(id), 0) from a));\n")
    killed_before_its_mark(store, postgres_url, tree)


@pytest.mark.parametrize("layout", ["up and down", "plain"], indirect=True)
def test_killed_before_its_mark_one_that_does_not_declare_it_runs_again(
    store: Store, postgres_url: str, tree: Tree
) -> None:
    text = CONCURRENTLY.removeprefix("-- transactional: false\n")
    tree.write("b", text + "select pg_sleep((select coalesce(max(id), 0) from a));\n")
    killed_before_its_mark(store, postgres_url, tree)


def killed_before_its_mark(store: Store, url: str, tree: Tree) -> None:
    # The tree is written for both dialects, and SQLite's would be refused; only PostgreSQL's is read here.
    tree.migrator(store).up(target=tree.id("a"))
    store.count(Statement("test.pace", "insert into a values (600)", writes=True))
    process = start(url, tree.folder)
    try:
        tell(process)
        assert wait(lambda: sleeps(store) or process.poll() is not None)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    finally:
        process.kill()
        process.communicate()
    assert "ix_a_id" in indexes(store)
    assert tree.states(store) == ["applied", "pending", "pending"]
    store.count(Statement("test.pace", "delete from a", writes=True))
    assert tree.letters(tree.migrator(store).up()) == "bc"
    assert "ix_a_id" in indexes(store)


def sleeps(store: Store) -> bool:
    text = "select 1 from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
    return bool(store.rows(Statement("test.sleeps", text)))


def test_what_a_failed_migration_without_transaction_leaves_is_said(store: Store, tmp_path: Path) -> None:
    concurrently(tmp_path, CONCURRENTLY + "drop table no_such_table;\n")
    message = r"b\.sql:4: statement 3: table \"no_such_table\" does not exist; the statements before it are applied"
    with pytest.raises(MigrationFailed, match=message):
        migrator(store, tmp_path).up()
    assert "ix_a_id" in indexes(store)
    concurrently(tmp_path)
    assert [migration.id for migration in migrator(store, tmp_path).up()] == [B]


def test_an_index_is_made_concurrently_while_others_wait_to_migrate(postgres_url: str, tmp_path: Path) -> None:
    concurrently(tmp_path)
    failures: list[BaseException] = []
    begin = threading.Barrier(4)

    def up() -> None:
        try:
            with open_store(parse_url(postgres_url)) as store:
                begin.wait()
                migrator(store, tmp_path, timeout=30).up()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_statement_that_needs_no_transaction_says_so(store: Store, tmp_path: Path) -> None:
    concurrently(tmp_path, CONCURRENTLY.replace("-- transactional: false\n", ""))
    with pytest.raises(MigrationFailed, match=r"b\.sql:1: .* '-- transactional: false'"):
        migrator(store, tmp_path).up()
    assert tables(store) == ["a"]


# --- locks -------------------------------------------------------------------------------------------------


def test_a_migration_waits_until_others_are_done_with_its_table(
    store: Store, postgres_url: str, tmp_path: Path
) -> None:
    write(tmp_path, A)
    write(tmp_path, B, up="alter table a add column extra text;", down="alter table a drop column extra;")
    migrator(store, tmp_path).up(target=A)
    with holding(postgres_url, "a") as other:
        done: list[object] = []
        thread = threading.Thread(target=lambda: done.append(migrator(store, tmp_path).up()))
        thread.start()
        waiting = Statement("test.waits", "select 1 from pg_locks where not granted and locktype = 'relation'")
        assert wait(lambda: bool(store.rows(waiting)))
        assert not done
        other.rollback()
        thread.join()
    assert len(done) == 1


def test_others_get_at_a_table_that_a_migration_waits_for(
    store: Store, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "LONGEST_WAIT_FOR_A_TABLE", 0.1)
    write(tmp_path, A)
    write(tmp_path, B, up="alter table a add column extra text;", down="alter table a drop column extra;")
    migrator(store, tmp_path).up(target=A)
    done: list[object] = []
    thread = threading.Thread(target=lambda: done.append(migrator(store, tmp_path).up()))
    with holding(postgres_url, "a") as first:
        thread.start()
        waiting = Statement("test.waits", "select 1 from pg_locks where not granted and locktype = 'relation'")
        assert wait(lambda: bool(store.rows(waiting)))
        with holding(postgres_url, "a") as second:
            assert not done
            first.rollback()
            second.rollback()
        thread.join()
    assert len(done) == 1


def test_a_table_that_others_keep_ends_in_a_lock_timeout(store: Store, postgres_url: str, tmp_path: Path) -> None:
    write(tmp_path, A)
    write(tmp_path, B, up="create table b (id int);\nalter table a add column extra text;", down="drop table b;")
    migrator(store, tmp_path).up(target=A)
    with holding(postgres_url, "a"):
        begin = time.monotonic()
        with pytest.raises(LockTimeout, match=r"b\.sql: another session held a lock .* nothing was changed"):
            migrator(store, tmp_path, timeout=0.5).up()
        assert time.monotonic() - begin < 15
    assert tables(store) == ["a"]
    assert [migration.id for migration in migrator(store, tmp_path).up()] == [B]


def test_a_statement_may_take_only_so_long(store: Store, tmp_path: Path) -> None:
    write(tmp_path, A, up="select pg_sleep(60);")
    tree = MigrationTree.read(tmp_path, "postgres")
    with pytest.raises(MigrationFailed, match="statement timeout"):
        Migrator(store, tree, timeout=5, clock=lambda: NOW, statement_timeout=0.05).up()


# --- what it says ------------------------------------------------------------------------------------------


def test_an_error_names_the_line_that_the_server_speaks_of(store: Store, tmp_path: Path) -> None:
    write(tmp_path, A, up="-- Why.\ncreate table a (\n    id integer,\n    other no_such_type\n);\n")
    with pytest.raises(MigrationFailed, match=rf'{A}\.sql:4: statement 1: type "no_such_type" does not exist'):
        migrator(store, tmp_path).up()


def test_an_error_leaves_out_the_detail_that_shows_rows(store: Store, tmp_path: Path) -> None:
    write(tmp_path, A, up="create table a (id text unique);\ninsert into a values ('secret'), ('secret');")
    with pytest.raises(MigrationFailed, match="duplicate key") as caught:
        migrator(store, tmp_path).up()
    assert "DETAIL" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_each_schema_has_migrations_of_its_own(store: Store, postgres_url: str) -> None:
    for name in ("one", "two"):
        store.script(Statement("test.schema", f"create schema {name}", writes=True))
        with open_store(parse_url(with_parameters(postgres_url, options=f"-csearch_path={name}"))) as inside:
            assert len(packaged(inside).up()) == len(TREES.migration_tree("postgres").ids)
            assert "users" in tables(inside)
            assert packaged(inside).pending() == []
    assert tables(store) == []


def test_looking_needs_no_right_to_write(store: Store, postgres_url: str, tmp_path: Path) -> None:
    write(tmp_path, A)
    read_only = parse_url(with_parameters(postgres_url, options="-cdefault_transaction_read_only=on"))
    with open_store(read_only) as inside:
        assert [status.state for status in migrator(inside, tmp_path).status()] == ["pending"]
        with pytest.raises(MigrationFailed, match=r"the tables that record the migrations: .*read-only"):
            migrator(inside, tmp_path).up()
        migrator(store, tmp_path).up()
        assert [status.state for status in migrator(inside, tmp_path).status()] == ["applied"]
        assert migrator(inside, tmp_path).up() == []


def test_the_log_of_the_server_stays_clean(own_postgres: Callable[[int], PostgresServer]) -> None:
    server = own_postgres(18)
    with open_store(parse_url(server.url())) as store:
        runner = packaged(store)
        runner.status()
        runner.up()
        runner.pending()
        runner.bless()
        plan = runner.down(10, dry_run=True)
        for migration in plan:
            runner.data_loss(migration)
        runner.down(10)
        runner.up()
    said = server.log.read_text()
    assert not [line for line in said.splitlines() if "ERROR" in line or "WARNING" in line], said
