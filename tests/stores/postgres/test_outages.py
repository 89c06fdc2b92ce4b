"""When PostgreSQL is gone, restarts, or does not answer: who waits, who is told what, and that nobody hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from diglot.errors import DatabaseTimeout, DatabaseUnavailable, DiglotError, OutcomeUnknown
from diglot.sql.session import Statement
from diglot.stores.postgres import health as postgres_health
from diglot.stores.postgres.store import PostgresStore, open_postgres
from diglot.stores.settings import PostgresSettings
from diglot.stores.url import parse_url
from tests.postgres_server import PostgresServer
from tests.stores.postgres.proxy import Proxy

ONE = Statement("test.one", "select 1")
WRITE = Statement("test.write", "insert into written values ($1)", writes=True)
UPSERT = Statement(
    "test.upsert", "insert into written values ($1) on conflict do nothing", writes=True, idempotent=True
)
DEADLINE = 0.5


@contextmanager
def opened(url: str, **changes: Any) -> Iterator[PostgresStore]:
    settings = parse_url(url)
    assert isinstance(settings, PostgresSettings)
    with open_postgres(msgspec.structs.replace(settings, **changes)) as store:
        yield store


# --- answers that do not come ------------------------------------------------------------------------------


@pytest.fixture
def proxy(postgres_url_of_module: str) -> Iterator[Proxy]:
    with psycopg.connect(postgres_url_of_module) as admin:
        admin.execute("drop table if exists written")
        admin.execute("create table written (id text primary key)")
    with Proxy(postgres_url_of_module) as running:
        yield running


def in_transaction(store: PostgresStore) -> None:
    with store.transaction() as tx:
        tx.rows(ONE)


def in_savepoint(store: PostgresStore) -> None:
    with store.transaction() as tx, tx.transaction() as inner:
        inner.rows(WRITE, ("a",))


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        pytest.param(lambda store: store.rows(ONE), DatabaseTimeout, id="rows"),
        pytest.param(lambda store: store.columns(ONE), DatabaseTimeout, id="columns"),
        pytest.param(lambda store: store.together([(ONE, ()), (ONE, ())]), DatabaseTimeout, id="together"),
        pytest.param(lambda store: store.count(WRITE, ("a",)), OutcomeUnknown, id="write"),
        pytest.param(lambda store: store.rows(UPSERT, ("a",)), OutcomeUnknown, id="upsert"),
        pytest.param(lambda store: store.many(UPSERT, [("a",), ("b",)]), OutcomeUnknown, id="many"),
        pytest.param(lambda store: store.script(Statement("test.script", "select 1")), OutcomeUnknown, id="script"),
        pytest.param(in_transaction, DatabaseTimeout, id="transaction"),
        pytest.param(in_savepoint, DatabaseTimeout, id="savepoint"),
    ],
)
def test_a_call_whose_answer_does_not_come_ends_at_its_deadline(
    proxy: Proxy, call: Callable[[PostgresStore], Any], kind: type[DiglotError]
) -> None:
    with opened(proxy.url, deadline=DEADLINE) as store:
        store.rows(ONE)
        proxy.be_silent()
        started = time.monotonic()
        with pytest.raises(DiglotError) as refused:
            call(store)
        assert type(refused.value) is kind
        assert DEADLINE <= time.monotonic() - started < DEADLINE + 15
        proxy.speak()
        assert store.rows(ONE) == [(1,)], "on a new connection"
        assert store.statistics()["database_connections_lost_total"] == 1


def test_a_commit_whose_answer_does_not_come_has_an_unknown_outcome(proxy: Proxy) -> None:
    with opened(proxy.url, deadline=DEADLINE) as store:
        with pytest.raises(OutcomeUnknown, match="during COMMIT"), store.transaction() as tx:
            tx.count(WRITE, ("a",))
            proxy.be_silent_after(b"commit")
        proxy.speak()
        with pytest.raises(DatabaseTimeout, match="during COMMIT"), store.transaction() as tx:
            assert tx.rows(Statement("test.count", "select count(*) from written")) == [(1,)], "here it was stored"
            proxy.be_silent_after(b"commit")


def test_a_call_that_is_answered_in_time_is_left_alone_however_many_went_before(proxy: Proxy) -> None:
    with opened(proxy.url, deadline=DEADLINE) as store:
        until = time.monotonic() + 3 * DEADLINE
        while time.monotonic() < until:
            store.rows(Statement("test.short", "select pg_sleep(0.01)"))
        assert store.statistics()["database_connections_opened_total"] == 1


def test_several_calls_end_each_at_its_own_deadline(proxy: Proxy) -> None:
    with opened(proxy.url, deadline=DEADLINE) as store:
        took: list[float] = []

        def call() -> None:
            started = time.monotonic()
            with pytest.raises(DatabaseTimeout):
                store.rows(ONE)
            took.append(time.monotonic() - started)

        with store.transaction() as tx:
            tx.rows(ONE)
            other = threading.Thread(target=lambda: store.rows(ONE))
            other.start()
            other.join()
        proxy.be_silent()
        first, second = threading.Thread(target=call), threading.Thread(target=call)
        first.start()
        assert not first.join(DEADLINE / 2)
        second.start()
        first.join()
        second.join()
        assert all(DEADLINE <= seconds < DEADLINE + 2 for seconds in took)


def test_a_log_in_that_is_not_answered_ends_too(proxy: Proxy) -> None:
    proxy.be_silent()
    with opened(proxy.url, connect_timeout=1) as store, pytest.raises(DatabaseUnavailable, match="timeout"):
        store.rows(ONE)


def test_the_settings_of_a_session_that_are_not_answered_end_too(proxy: Proxy) -> None:
    proxy.be_silent_after(b"set_config")
    with opened(proxy.url, connect_timeout=0.2) as store:
        with pytest.raises(DatabaseUnavailable, match="while it was set up"):
            store.rows(ONE)
        proxy.speak()
        assert store.rows(ONE) == [(1,)]


def test_the_health_of_a_server_that_does_not_answer_is_told_in_time(proxy: Proxy) -> None:
    with opened(proxy.url) as store:
        assert store.health().ok
        proxy.be_silent()
        started = time.monotonic()
        health = postgres_health.health(store._calls, seconds=DEADLINE)
        assert time.monotonic() - started < DEADLINE + 15
        assert [(check.name, check.ok) for check in health.checks] == [("reachable", False)]
        assert "no answer came in time" in health.checks[0].detail


def test_a_cut_that_comes_too_late_hits_no_other_call(proxy: Proxy) -> None:
    with opened(proxy.url) as store:
        store.rows(ONE)
        (link,) = store._calls.pool.links()
        link.cut(expires=1.0)
        assert store.rows(ONE) == [(1,)]
        assert not link.overdue
    link.cut(expires=link.expires)  # closed: nothing to cut


def test_a_cut_connection_is_replaced_and_the_read_sent_again(proxy: Proxy) -> None:
    with opened(proxy.url) as store:
        found: list[Any] = []
        reader = threading.Thread(target=lambda: found.append(store.rows(ONE, ())))
        store.rows(ONE)
        proxy.be_silent()
        reader.start()
        (link,) = store._calls.pool.links()
        wait_for(lambda: not link.idle)
        proxy.speak()
        proxy.cut()
        reader.join(20)
        assert found == [[(1,)]]


def test_a_store_that_is_forgotten_without_a_close_leaves_no_thread(postgres_url_of_module: str) -> None:
    import gc

    before = threading.active_count()
    store = open_postgres(msgspec.structs.replace(parse_url(postgres_url_of_module), deadline=0.05))  # type: ignore[arg-type]
    store.rows(ONE)
    assert threading.active_count() == before + 1
    for link in store._calls.pool.links():
        link.close()
    del store, link
    gc.collect()
    wait_for(lambda: threading.active_count() == before)


# --- a server that is gone, and comes back -----------------------------------------------------------------


@pytest.fixture(scope="module")
def server(session_folder: Path) -> Iterator[PostgresServer]:
    """A server of this module's own, to be stopped and killed."""
    own = PostgresServer(18, session_folder / f"outages-{threading.get_native_id()}")
    own.acquire()
    with psycopg.connect(own.url()) as admin:
        admin.execute("create table written (id text primary key)")
    yield own
    own.release()


@pytest.mark.parametrize("end", ["immediate", "kill"])
def test_load_survives_a_restart(server: PostgresServer, end: str) -> None:
    """Reads and upserts never see it; of other writes, what was acknowledged is stored and the rest is told."""
    with opened(server.url(), pool_max=4) as store:
        stop = threading.Event()
        acknowledged: list[str] = []
        unknown: list[str] = []
        unexpected: list[BaseException] = []
        done = {"reads": 0, "upserts": 0}

        def read() -> None:
            store.rows(Statement("test.read", "select count(*) from written"))
            done["reads"] += 1

        def upsert() -> None:
            key = f"{end}-upsert-{done['upserts']}"
            store.count(UPSERT, (key,))
            acknowledged.append(key)
            done["upserts"] += 1

        def write() -> None:
            key = f"{end}-write-{time.monotonic_ns()}"
            try:
                store.count(WRITE, (key,))
            except OutcomeUnknown:
                unknown.append(key)
            else:
                acknowledged.append(key)

        def load(call: Callable[[], None]) -> None:
            try:
                while not stop.is_set():
                    call()
            except BaseException as error:
                unexpected.append(error)

        threads = [threading.Thread(target=load, args=(call,)) for call in (read, upsert, write)]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(acknowledged) > 50)
        server.kill() if end == "kill" else server.stop("immediate")
        before = dict(done)
        server.start()
        wait_for(lambda: all(done[name] > before[name] + 5 for name in done) or bool(unexpected))
        stop.set()
        for thread in threads:
            thread.join()
        assert unexpected == []
        with psycopg.connect(server.url()) as admin:
            stored = {key for (key,) in admin.execute("select id from written").fetchall()}
        assert set(acknowledged) <= stored
        assert len(unknown) <= 1
        assert store.statistics()["database_connections_lost_total"] >= 1


def test_a_server_that_is_down_is_told_at_once_when_it_never_was_up(server: PostgresServer) -> None:
    server.stop()
    try:
        with opened(server.url()) as store:
            started = time.monotonic()
            with pytest.raises(DatabaseUnavailable) as refused:
                store.rows(ONE)
            assert time.monotonic() - started < 15
            assert str(refused.value).startswith("can't reach PostgreSQL at postgresql://:5432/postgres?host=")
            assert str(refused.value).endswith("is the server running, and does it listen there?")
            assert "\n" not in str(refused.value)
            health = store.health()
            assert not health.ok
            assert [(check.name, check.ok) for check in health.checks] == [("reachable", False)]
            assert "can't reach PostgreSQL" in health.checks[0].detail
    finally:
        server.start()


def test_an_outage_longer_than_the_deadline_is_told(server: PostgresServer) -> None:
    with opened(server.url(), deadline=0.5) as store:
        store.rows(ONE)
        server.stop()
        try:
            started = time.monotonic()
            with pytest.raises(DatabaseUnavailable, match="can't reach PostgreSQL"):
                store.rows(ONE)
            assert time.monotonic() - started < 15
            with pytest.raises(DatabaseUnavailable), store.transaction() as tx:
                tx.rows(ONE)
            assert not store.health().ok
        finally:
            server.start()
        assert store.rows(ONE) == [(1,)]


def test_an_upsert_that_was_sent_before_an_outage_has_an_unknown_outcome_when_it_lasts(server: PostgresServer) -> None:
    with opened(server.url(), deadline=1.0) as store:
        store.rows(ONE)
        slow = Statement("test.upsert", "select pg_sleep(60)", writes=True, idempotent=True)
        raised: list[Exception] = []

        def upsert() -> None:
            try:
                store.rows(slow)
            except Exception as error:
                raised.append(error)

        writer = threading.Thread(target=upsert)
        writer.start()
        (link,) = store._calls.pool.links()
        wait_for(lambda: not link.idle)
        server.stop("immediate")
        try:
            writer.join(20)
        finally:
            server.start()
        assert [type(error) for error in raised] == [OutcomeUnknown]


# --- log-ins that are refused ------------------------------------------------------------------------------

CANARY = "s3cr3t-c4n4ry"


@pytest.fixture(scope="module")
def with_password(server: PostgresServer) -> str:
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("create role with_password login password 'right'")
    return server.url(user="with_password")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"password": CANARY}, 'password authentication failed for user "with_password"'),
        ({}, "it asks for a password; put it in"),
        ({"user": "nobody_at_all"}, 'role "nobody_at_all" does not exist'),
        ({"user": "postgres", "dbname": "no_such"}, 'database "no_such" does not exist'),
        ({"host": "127.0.0.1", "port": 1, "password": CANARY}, "is the server running, and does it listen there?"),
    ],
    ids=["wrong", "missing", "role", "database", "refused"],
)
def test_a_refused_log_in_is_one_line_without_the_password_and_is_not_tried_again(
    with_password: str, changes: dict[str, Any], says: str
) -> None:
    with opened(with_password, **{"ssl_mode": "prefer", **changes}) as store:
        for call in (lambda store: store.rows(ONE), lambda store: store.count(WRITE, ("a",)), in_transaction):
            started = time.monotonic()
            with pytest.raises(DatabaseUnavailable) as refused:
                call(store)
            assert time.monotonic() - started < 15
            assert says in str(refused.value)
            assert "\n" not in str(refused.value)
            assert CANARY not in f"{refused.value} {refused.value!r} {refused.value.__cause__} {store.location}"
        found = store.statistics()
        assert (found["database_connection_pool_size"], found["database_connection_pool_active"]) == (0, 0)


def test_a_log_in_that_is_refused_after_an_outage_is_told_at_once(with_password: str, server: PostgresServer) -> None:
    with opened(with_password, password="right") as store:
        store.rows(ONE)
        with psycopg.connect(server.url(), autocommit=True) as admin:
            admin.execute("alter role with_password password 'other'")
            admin.execute(
                "select pg_terminate_backend(pid, 10000) from pg_stat_activity where usename = 'with_password'"
            )
            try:
                started = time.monotonic()
                with pytest.raises(DatabaseUnavailable, match="password authentication failed"):
                    store.rows(ONE)
                assert time.monotonic() - started < 15
            finally:
                admin.execute("alter role with_password password 'right'")


def test_a_server_that_is_full_is_waited_for(server: PostgresServer) -> None:
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("create role few login connection limit 1")
    with opened(server.url(user="few")) as store, psycopg.connect(server.url(), autocommit=True) as admin:
        with store.transaction() as tx:
            tx.rows(ONE)
            blocked = threading.Thread(target=lambda: store.rows(ONE))
            blocked.start()
            wait_for(lambda: store.statistics()["database_connections_opened_total"] == 1)
            admin.execute("alter role few connection limit -1")
            blocked.join(20)
            assert not blocked.is_alive()
        assert store.statistics()["database_connections_opened_total"] == 2


def wait_for(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)
