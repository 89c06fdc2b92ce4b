"""A database that its operator made read-only, or a standby: nothing is written, and all is well once it is over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from diglot import statestore
from diglot.errors import DatabaseReadOnly
from diglot.sql.session import Statement
from diglot.stores.postgres.store import PostgresStore, open_postgres
from diglot.stores.url import parse_url
from tests.postgres_server import PostgresServer

INSERT = Statement("things.insert", "insert into things values ($1)", writes=True)
LOCK = Statement("things.lock", "select id from things for update", locks=True)
IDS = Statement("things.ids", "select id from things order by id")
SAYS = r"^the database can't be written: it is a standby, or default_transaction_read_only is on \(25006\) \[things\."


def ids(store: PostgresStore) -> list[str]:
    return [id for (id,) in store.rows(IDS)]


def write_in_transaction(store: PostgresStore, id: str) -> None:
    with store.transaction() as tx:
        tx.rows(IDS)
        with tx.transaction() as inner:
            inner.count(INSERT, (id,))


def lock(store: PostgresStore, _id: str) -> None:
    with store.transaction() as tx:
        tx.rows(LOCK)


WRITES: list[Any] = [
    pytest.param(lambda store, id: store.count(INSERT, (id,)), id="statement"),
    pytest.param(lambda store, id: store.many(INSERT, [(id,)]), id="many"),
    pytest.param(write_in_transaction, id="transaction"),
    pytest.param(lock, id="lock"),
]


@contextmanager
def read_only(url: str) -> Iterator[None]:
    """New sessions of this database are read-only, as after ``alter database … set``."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("create table if not exists things (id text primary key)")
        alter = f"alter database {admin.info.dbname}"
        admin.execute(f"{alter} set default_transaction_read_only = on")  # type: ignore[arg-type]
        yield
        admin.execute(f"{alter} reset default_transaction_read_only")  # type: ignore[arg-type]


@pytest.mark.parametrize("write", WRITES)
def test_the_operators_setting_holds_and_the_next_call_after_it_works(
    postgres_url: str, write: Callable[[PostgresStore, str], None]
) -> None:
    with open_postgres(parse_url(postgres_url)) as store:  # type: ignore[arg-type]
        with read_only(postgres_url):
            for _ in range(2):
                with pytest.raises(DatabaseReadOnly, match=SAYS) as refused:
                    write(store, "a")
                assert "\n" not in str(refused.value)
                assert ids(store) == []
            with store.transaction() as tx:
                assert tx.rows(IDS) == [], "a transaction may read"
        write(store, "b")
        assert ids(store) == ([] if write is lock else ["b"])


def test_no_pooled_connection_stays_read_only(postgres_url: str) -> None:
    at_once = threading.Barrier(4)
    failures: list[Exception] = []

    def together(use: Callable[[str], None]) -> None:
        def run(id: str) -> None:
            try:
                use(id)
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=run, args=(id,)) for id in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    with open_postgres(parse_url(postgres_url)) as store:  # type: ignore[arg-type]

        def read(_id: str) -> None:
            with store.snapshot() as snapshot:
                snapshot.rows(IDS)
                at_once.wait(20)

        def write(id: str) -> None:
            with store.transaction() as tx:
                tx.count(INSERT, (id,))
                at_once.wait(20)

        with read_only(postgres_url):
            together(read)
            assert store.statistics()["database_connection_pool_size"] == 4
        together(write)
        assert failures == []
        assert ids(store) == ["a", "b", "c", "d"]


def test_the_health_is_good_again_at_once(postgres_url: str) -> None:
    with open_postgres(parse_url(postgres_url)) as store:  # type: ignore[arg-type]
        with read_only(postgres_url):
            assert not store.health().ok
        assert store.health().ok


def test_a_snapshot_that_is_written_in_does_not_blame_the_server(postgres_url: str) -> None:
    lie = Statement("test.lie", "create table made_by_a_reader ()")
    with open_postgres(parse_url(postgres_url)) as store:  # type: ignore[arg-type]
        with pytest.raises(DatabaseReadOnly, match="in a snapshot, which only reads"), store.snapshot() as snapshot:
            snapshot.rows(lie)
        assert store.rows(Statement("test.one", "select 1")) == [(1,)]
        assert store.statistics()["database_connections_opened_total"] == 1


def test_the_repositories_write_nothing_either(postgres_url: str) -> None:
    with statestore.open(postgres_url, migrate=True) as db:
        user = db.users.create("a@x.org")
        issued = db.api_keys.issue(user.id)
    with read_only(postgres_url), statestore.open(postgres_url) as db:
        for call in (
            lambda: db.users.delete(user.id),
            lambda: db.users.create("b@x.org"),
            lambda: db.api_keys.issue(user.id),
            lambda: db.run(lambda tx: tx.users.update(user.id, role="admin")),
        ):
            with pytest.raises(DatabaseReadOnly, match="default_transaction_read_only"):
                call()
        assert db.api_keys.authenticate(issued.secret) == user, "noting the use fails, and that is only logged"
        assert db.users.list().items == [user]


@pytest.mark.parametrize("write", WRITES)
def test_the_setting_of_the_whole_server_and_its_end_reach_open_connections(
    server: PostgresServer, write: Callable[[PostgresStore, str], None]
) -> None:
    with open_postgres(parse_url(server.url())) as store:  # type: ignore[arg-type]
        assert ids(store) == []
        for setting, refused in (("on", True), ("off", False)):
            with psycopg.connect(server.url(), autocommit=True) as admin:
                admin.execute(f"alter system set default_transaction_read_only = {setting}")  # type: ignore[arg-type]
                admin.execute("select pg_reload_conf()")
            wait_for(lambda refused=refused: is_refused(store, write) == refused)  # type: ignore[misc]
            assert is_refused(store, write) == refused
        store.count(Statement("test.empty", "delete from things", writes=True))


@pytest.mark.parametrize("write", WRITES)
def test_a_standby_takes_writes_once_it_is_promoted(
    server: PostgresServer, write: Callable[[PostgresStore, str], None]
) -> None:
    server.stop()
    (server.data / "standby.signal").touch()
    server.start()
    with open_postgres(parse_url(server.url())) as store:  # type: ignore[arg-type]
        for _ in range(2):
            with pytest.raises(DatabaseReadOnly, match=SAYS):
                write(store, "a")
        assert ids(store) == []
        assert not store.health().ok
        with psycopg.connect(server.url(), autocommit=True) as admin:
            assert admin.execute("select pg_promote()").fetchone() == (True,)
        write(store, "b")
        assert store.health().ok
        store.count(Statement("test.empty", "delete from things", writes=True))


@pytest.fixture(scope="module")
def server(session_folder: Any) -> Iterator[PostgresServer]:
    """A server of this module's own, which can be a standby."""
    own = PostgresServer(18, session_folder / f"read-only-{threading.get_native_id()}")
    own.acquire()
    own.stop()
    with (own.data / "postgresql.conf").open("a") as configuration:
        configuration.write("wal_level = replica\n")
    own.start()
    with psycopg.connect(own.url()) as admin:
        admin.execute("create table things (id text primary key)")
    yield own
    own.release()


def is_refused(store: PostgresStore, write: Callable[[PostgresStore, str], None]) -> bool:
    try:
        write(store, str(time.monotonic_ns()))
    except DatabaseReadOnly:
        return True
    return False


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
