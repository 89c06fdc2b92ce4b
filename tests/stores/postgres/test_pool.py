"""The pool of connections: how many, who gets one next, what becomes of those that are dead, old or forked."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import msgspec
import psycopg
import pytest
from psycopg.pq import TransactionStatus

from diglot.errors import (
    DatabaseTimeout,
    DatabaseUnavailable,
    OutcomeUnknown,
    PoolTimeout,
    StoreClosed,
    TransactionError,
)
from diglot.sql.session import Session, Statement
from diglot.stores.postgres import pool
from diglot.stores.postgres.connection import Link
from diglot.stores.postgres.store import PostgresStore, open_postgres
from diglot.stores.settings import PostgresSettings
from diglot.stores.url import parse_url

ONE = Statement("test.one", "select 1")
IDLE = Statement("test.idle", "select set_config('diglot.idle', $1, true)", writes=True)
SLEEP = Statement("test.sleep", "select pg_sleep(60)")
PID = Statement("test.pid", "select pg_backend_pid()")
TERMINATE = """
    select pg_terminate_backend(pid, 10000) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()"""


@pytest.fixture
def make(postgres_url_of_module: str) -> Iterator[Callable[..., PostgresStore]]:
    """A store on the module's database with other settings; all are closed at the end."""
    with ExitStack() as stores:

        def open_with(**changes: Any) -> PostgresStore:
            settings = parse_url(postgres_url_of_module)
            assert isinstance(settings, PostgresSettings)
            return stores.enter_context(open_postgres(msgspec.structs.replace(settings, **changes)))

        yield open_with


def wait_for(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)


# --- how many, and who is next -----------------------------------------------------------------------------


def test_one_connection_serves_one_thread_after_the_other(make: Callable[..., PostgresStore]) -> None:
    store = make()
    pids = {store.rows(PID)[0][0] for _ in range(10)}
    assert len(pids) == 1
    assert store.statistics()["database_connections_opened_total"] == 1


def test_the_connection_that_was_used_last_is_used_next(make: Callable[..., PostgresStore]) -> None:
    store = make()
    with store.transaction() as tx:
        in_transaction = tx.rows(PID)
        other = in_thread(lambda: store.rows(PID))
    assert other != in_transaction
    assert store.rows(PID) == in_transaction


def test_there_are_never_more_connections_than_the_pool_may_have(make: Callable[..., PostgresStore]) -> None:
    store = make(pool_max=3)
    threads = [threading.Thread(target=lambda: [store.rows(ONE) for _ in range(30)]) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = store.statistics()
    assert 1 <= found["database_connections_opened_total"] <= 3
    assert (found["database_connection_pool_active"], found["database_connection_pool_waiting"]) == (0, 0)


def test_an_exhausted_pool_is_a_pool_timeout_and_works_again_afterwards(make: Callable[..., PostgresStore]) -> None:
    store = make(pool_max=1, pool_timeout=0.05)
    with store.transaction() as tx:
        tx.rows(ONE)
        with pytest.raises(PoolTimeout, match=r"no connection was free in 0.05 s: all 1 are in use \(pool_max\)"):
            in_thread(lambda: store.rows(ONE))
        assert store.statistics()["database_connection_pool_active"] == 1
    assert in_thread(lambda: store.rows(ONE)) == [(1,)]
    assert store.statistics()["database_connection_pool_wait_seconds_total"] >= 0.05


def test_threads_that_wait_are_served_in_their_order(make: Callable[..., PostgresStore]) -> None:
    store = make(pool_max=1)
    served: list[int] = []
    threads = []
    with store.transaction() as tx:
        tx.rows(ONE)
        for number in range(5):
            thread = threading.Thread(target=lambda number=number: served.append(store.rows(ONE) and number))  # type: ignore[misc]
            thread.start()
            threads.append(thread)
            wait_for(lambda: store.statistics()["database_connection_pool_waiting"] == len(threads))
    for thread in threads:
        thread.join()
    assert served == [0, 1, 2, 3, 4]


def test_closing_refuses_those_who_wait_and_closes_what_is_in_use_when_it_comes_back(
    make: Callable[..., PostgresStore],
) -> None:
    store = make(pool_max=1)
    refused: list[Exception] = []

    def wait() -> None:
        try:
            store.rows(ONE)
        except StoreClosed as error:
            refused.append(error)

    in_use, close = threading.Event(), threading.Event()

    def use() -> None:
        with pytest.raises(StoreClosed), store.transaction() as tx:
            tx.rows(ONE)
            in_use.set()
            close.wait(10)

    user, waiter = threading.Thread(target=use), threading.Thread(target=wait)
    user.start()
    assert in_use.wait(10)
    waiter.start()
    wait_for(lambda: store.statistics()["database_connection_pool_waiting"] == 1)
    store.close()
    waiter.join(10)
    assert len(refused) == 1
    assert store.statistics()["database_connection_pool_size"] == 1
    close.set()
    user.join(10)
    assert store.statistics()["database_connection_pool_size"] == 0


def test_an_interruption_while_it_runs_gives_the_place_up(make: Callable[..., PostgresStore]) -> None:
    store = make(pool_max=1)
    store.rows(ONE)

    class Interrupting:
        def execute(self, *_: Any) -> None:
            raise KeyboardInterrupt

    (link,) = store._calls.pool.links()
    link.cursor = Interrupting()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        store.rows(ONE)
    assert store.rows(ONE) == [(1,)]
    assert store.statistics()["database_connections_opened_total"] == 2


def test_an_interruption_while_it_waits_gives_the_place_up(
    make: Callable[..., PostgresStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make(pool_max=1)
    wait = pool._Waiting.wait

    def interrupted(self: pool._Waiting, seconds: float) -> bool:
        if served:
            assert wait(self, seconds)
        raise KeyboardInterrupt

    for served in (False, True):
        in_use, let_go = threading.Event(), threading.Event()

        def use(in_use: threading.Event = in_use, let_go: threading.Event = let_go) -> None:
            with store.transaction() as tx:
                tx.rows(ONE)
                in_use.set()
                let_go.wait(10)

        user = threading.Thread(target=use)
        user.start()
        assert in_use.wait(10)
        if served:
            release = threading.Thread(
                target=lambda: wait_for(lambda: store._calls.pool._waiting != deque()) or let_go.set()  # noqa: B023
            )
            release.start()
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(pool._Waiting, "wait", interrupted)
            store.rows(ONE)
        let_go.set()
        user.join()
        assert store.rows(ONE) == [(1,)]
    assert store.statistics()["database_connections_opened_total"] == 1


def test_a_connection_that_comes_just_after_the_time_is_over_is_used(
    make: Callable[..., PostgresStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make(pool_max=1)
    wait = pool._Waiting.wait

    def late(self: pool._Waiting, seconds: float) -> bool:
        assert wait(self, seconds)
        return False

    with store.transaction() as tx:
        tx.rows(ONE)
        found: list[Any] = []
        waiter = threading.Thread(target=lambda: found.append(store.rows(ONE)))
        monkeypatch.setattr(pool._Waiting, "wait", late)
        waiter.start()
        wait_for(lambda: store.statistics()["database_connection_pool_waiting"] == 1)
    waiter.join()
    assert found == [[(1,)]]


@contextmanager
def ctrl_c(when: Callable[[], bool]) -> Iterator[None]:
    """Ctrl-C for this thread as soon as it is so."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=lambda: (wait_for(when), signal.pthread_kill(main, signal.SIGINT)))
    main = threading.get_ident()
    try:
        thread.start()
        yield
    finally:
        thread.join()
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_ends_a_statement_and_the_store_stays_usable(make: Callable[..., PostgresStore]) -> None:
    store = make()
    store.rows(ONE)
    (link,) = store._calls.pool.links()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), ctrl_c(lambda: not link.idle):
        store.rows(SLEEP)
    with store.transaction() as tx:
        tx.rows(ONE)
        busy = next(link for link in store._calls.pool.links() if not link.idle)
        with pytest.raises(KeyboardInterrupt), tx.transaction() as inner, ctrl_c(lambda: is_active(busy)):
            inner.rows(SLEEP)
        assert tx.rows(ONE) == [(1,)]
    with pytest.raises(TransactionError, match="KeyboardInterrupt"), store.transaction() as tx:
        tx.rows(ONE)
        with pytest.raises(KeyboardInterrupt), ctrl_c(lambda: is_active(busy)):
            tx.rows(SLEEP)
    assert store.rows(ONE) == [(1,)]
    assert time.monotonic() - started < 20


def is_active(link: Link) -> bool:
    return link.pgconn.transaction_status == TransactionStatus.ACTIVE


# --- dead, idle and old connections ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda store: store.rows(ONE), id="read"),
        pytest.param(lambda store: store.count(Statement("test.write", "select 1", writes=True)), id="write"),
        pytest.param(lambda store: store.many(Statement("test.write", "select $1::bigint"), [(1,), (2,)]), id="many"),
        pytest.param(lambda store: store.script(Statement("test.write", "select 1")), id="script"),
        pytest.param(lambda store: store.together([(ONE, ()), (ONE, ())]), id="together"),
        pytest.param(lambda store: in_transaction(store), id="transaction"),
    ],
)
def test_a_connection_that_the_server_ended_while_it_was_idle_is_replaced_unseen(
    make: Callable[..., PostgresStore], postgres_url_of_module: str, call: Any
) -> None:
    store = make()
    with store.transaction() as tx:
        tx.rows(ONE)
        in_thread(lambda: store.rows(ONE))
    assert store.statistics()["database_connection_pool_size"] == 2
    with psycopg.connect(postgres_url_of_module) as admin:
        admin.execute(TERMINATE)
    call(store)
    found = store.statistics()
    assert (found["database_connection_pool_size"], found["database_connections_lost_total"]) == (1, 2)


def in_transaction(store: PostgresStore) -> None:
    with store.transaction() as tx:
        tx.rows(ONE)


def test_a_dead_connection_is_not_handed_to_one_who_waits(
    make: Callable[..., PostgresStore], postgres_url_of_module: str
) -> None:
    store = make(pool_max=1)
    before = store.rows(PID)
    found: list[Any] = []
    write = Statement("test.write", PID.text, writes=True)
    waiter = threading.Thread(target=lambda: found.append(store.rows(write)))
    with store.transaction():
        waiter.start()
        wait_for(lambda: store.statistics()["database_connection_pool_waiting"] == 1)
        with psycopg.connect(postgres_url_of_module) as admin:
            admin.execute(TERMINATE)
    waiter.join(10)
    assert found
    assert found[0] != before


def test_nobody_overtakes_one_who_waits(make: Callable[..., PostgresStore]) -> None:
    store = make(pool_max=1, pool_timeout=0.05)
    store.rows(ONE)
    first = pool._Waiting()
    store._calls.pool._waiting.append(first)
    with pytest.raises(PoolTimeout):
        store.rows(ONE)
    assert first.link is not None
    store._calls.pool.release(first.link)
    assert store.rows(ONE) == [(1,)]


def test_connections_that_nobody_needs_are_closed_down_to_the_minimum(make: Callable[..., PostgresStore]) -> None:
    for least, left in ((0, 1), (2, 2)):
        store = make(pool_min=least)
        with store.transaction() as one:
            one.rows(ONE)
            in_thread(lambda store=store: nested(store))  # type: ignore[misc]
        assert store.statistics()["database_connection_pool_size"] == 3
        for _ in range(5):
            store.rows(ONE)
        assert store.statistics()["database_connection_pool_size"] == 3, "all were used a moment ago"
        for link in store._calls.pool.links():
            link.used -= pool.IDLE + 1
        for _ in range(5):
            store.rows(ONE)
        assert store.statistics()["database_connection_pool_size"] == left


def nested(store: PostgresStore) -> None:
    with store.transaction() as two:
        two.rows(ONE)
        in_thread(lambda: store.rows(ONE))


def test_an_old_connection_is_replaced(make: Callable[..., PostgresStore]) -> None:
    store = make()
    before = store.rows(PID)
    (link,) = store._calls.pool.links()
    link.retires = link.used - 1
    assert store.rows(PID) != before
    assert store.statistics()["database_connection_pool_size"] == 1


# --- lost while a statement runs ---------------------------------------------------------------------------

END = "select pg_terminate_backend(pg_backend_pid())"
END_ONCE = """
    do $$ begin
        if nextval('ends') = 1 then perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(60); end if;
    end $$"""


@pytest.fixture
def once(postgres_url_of_module: str) -> None:
    with psycopg.connect(postgres_url_of_module, autocommit=True) as admin:
        admin.execute("drop sequence if exists ends")
        admin.execute("create sequence ends")


@pytest.mark.usefixtures("once")
def test_a_read_whose_connection_is_lost_is_sent_again(make: Callable[..., PostgresStore]) -> None:
    store = make()
    store.rows(Statement("test.read", END_ONCE))
    store.count(Statement("test.read", END_ONCE))
    found = store.statistics()
    assert (found["database_statements_repeated_total"], found["database_connections_lost_total"]) == (1, 1)


@pytest.mark.usefixtures("once")
def test_a_write_that_may_be_repeated_is_sent_again(make: Callable[..., PostgresStore]) -> None:
    store = make()
    store.count(Statement("test.upsert", END_ONCE, writes=True, idempotent=True))
    assert store.statistics()["database_statements_repeated_total"] == 1


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda store: store.rows(Statement("test.write", END, writes=True)), id="rows"),
        pytest.param(lambda store: store.count(Statement("test.write", END, writes=True)), id="count"),
        pytest.param(lambda store: store.many(Statement("test.write", END + " where $1"), [(True,)]), id="many"),
        pytest.param(lambda store: store.script(Statement("test.write", END)), id="script"),
    ],
)
def test_any_other_write_whose_connection_is_lost_has_an_unknown_outcome(
    make: Callable[..., PostgresStore], call: Any
) -> None:
    store = make()
    with pytest.raises(OutcomeUnknown, match=r"may or may not have been stored \[test.write\]"):
        call(store)
    assert store.statistics()["database_statements_repeated_total"] == 0
    assert store.rows(ONE) == [(1,)]


def test_a_statement_that_kills_each_connection_is_given_up(make: Callable[..., PostgresStore]) -> None:
    store = make()
    with pytest.raises(DatabaseUnavailable, match="lost"):
        store.rows(Statement("test.read", END))
    assert store.statistics()["database_connections_lost_total"] == 5
    with pytest.raises(OutcomeUnknown):
        store.rows(Statement("test.upsert", END, writes=True, idempotent=True))


def test_a_transaction_whose_connection_is_lost_has_stored_nothing_and_says_so(
    make: Callable[..., PostgresStore],
) -> None:
    store = make()
    with (
        pytest.raises(TransactionError, match=r"was rolled back: .* nothing of it was stored"),
        store.transaction() as tx,
    ):
        tx.rows(ONE)
        with pytest.raises(DatabaseUnavailable, match="nothing of it was stored"), tx.transaction() as inner:
            inner.rows(Statement("test.end", END))
    assert store.rows(ONE) == [(1,)]


def test_a_rollback_whose_connection_is_lost_does_not_hide_the_error_that_made_it(
    make: Callable[..., PostgresStore], postgres_url_of_module: str
) -> None:
    store = make()
    with psycopg.connect(postgres_url_of_module, autocommit=True) as admin:
        with pytest.raises(KeyError), store.transaction() as tx:
            tx.rows(ONE)
            admin.execute(TERMINATE)
            raise KeyError
        with pytest.raises(TransactionError, match="nothing of it was stored"), store.transaction() as tx:  # noqa: SIM117
            with pytest.raises(KeyError), tx.transaction() as inner:
                inner.rows(ONE)
                admin.execute(TERMINATE)
                raise KeyError
    assert store.rows(ONE) == [(1,)]


@pytest.mark.parametrize("near", [True, False], ids=["near", "far"])
@pytest.mark.parametrize(
    "call",
    [
        lambda tx: tx.rows(ONE),
        lambda tx: tx.many(IDLE, [["1"], ["2"]]),
        lambda tx: tx.together([(ONE, ()), (ONE, ())]),
    ],
    ids=["rows", "many", "together"],
)
def test_a_transaction_that_idles_too_long_is_ended_by_the_server(
    make: Callable[..., PostgresStore], call: Callable[[Session], object], near: bool
) -> None:
    store = make(idle_in_transaction_timeout=0.05)
    assert store.rows(ONE) == [(1,)]
    (link,) = store._calls.pool.links()
    link.near = near  # far: what comes before the first statement is sent with it, in a pipeline
    with (
        pytest.raises(DatabaseTimeout, match=r"was open for too long and was ended; .* nothing of it was stored"),
        store.transaction() as tx,
    ):
        call(tx)
        wait_for(link.has_news)
        tx.rows(ONE)
    assert store.rows(ONE) == [(1,)]


# --- forks -------------------------------------------------------------------------------------------------

FORKS = """
import os, sys, threading
from diglot.errors import TransactionError
from diglot.stores import open_store
from diglot.sql.session import Session, Statement
from diglot.stores.url import parse_url

PID = Statement("test.pid", "select pg_backend_pid()")
INSERT = Statement("test.insert", "insert into forked values ($1)", writes=True)
store = open_store(parse_url(sys.argv[1]))
store.script(Statement("test.schema", "drop table if exists forked; create table forked (who text)"))
parents = store.rows(PID)

def child(run):
    pid = os.fork()
    if pid == 0:
        run()
        sys.exit(0)  # through whatever block its parent is in
    assert os.waitpid(pid, 0)[1] == 0

def uses_the_store():
    assert store.rows(PID) != parents
    found = []
    thread = threading.Thread(target=lambda: found.append(store.rows(PID)))
    thread.start(); thread.join()
    assert found and found[0] != parents
    store.close()

def in_the_block():
    for use in (lambda: tx.rows(PID), lambda: tx.transaction(), lambda: tx.__exit__(None, None, None)):
        try:
            use()
        except TransactionError as error:
            assert "belongs to the process that was forked" in str(error)
        else:
            raise AssertionError
    assert store.rows(PID) != parents
    with store.transaction() as own:
        own.rows(INSERT, ("child",))

def statistics_first():
    assert store.statistics()["database_connection_pool_size"] == 0
    assert store.server_version.startswith("PostgreSQL")

def health_first():
    assert store.health().ok

child(uses_the_store)
child(statistics_first)
child(health_first)
child(store.close)
assert store.rows(PID) == parents
with store.transaction() as tx:
    tx.rows(INSERT, ("parent",))
    child(in_the_block)
    tx.rows(INSERT, ("parent",))
assert store.rows(PID) == parents
count = Statement("test.count", "select who, count(*) from forked group by who order by who")
assert store.rows(count) == [("child", 1), ("parent", 2)], store.rows(count)
store.close()
print("fine")
"""


def test_a_forked_child_has_connections_of_its_own_and_leaves_its_parents_alone(postgres_url_of_module: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORKS, postgres_url_of_module]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("fine\n", "", 0)


def in_thread(call: Callable[[], Any]) -> Any:
    """What it answers, or raises, in another thread."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(call())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]
