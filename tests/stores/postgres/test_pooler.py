"""Behind PgBouncer: nothing of ours stays in a session that others use, and everything works as it does directly."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import msgspec
import psycopg
import pytest

from diglot.errors import DatabaseTimeout, DatabaseUnavailable, LockTimeout, StatementTimeout, TransactionError
from diglot.sql.session import Statement
from diglot.stores.postgres import statements
from diglot.stores.postgres.store import PostgresStore, open_postgres
from diglot.stores.settings import PostgresSettings
from diglot.stores.url import parse_url
from tests import pgbouncer
from tests.databases import POSTGRES, Databases, skip_without_pgbouncer
from tests.pgbouncer import PgBouncer
from tests.postgres_server import PostgresServer

ONE = Statement("test.one", "select 1")
GET = Statement("test.get", "select id from things where id = $1")
ADD = Statement("test.add", "insert into things (id) values ($1) returning id", writes=True)
REMOVE = Statement("test.remove", "delete from things where id = $1 returning id", writes=True)
SCRIPT = Statement("test.script", "insert into things values ('s1'); insert into things values ('s2')", writes=True)
LOCK = Statement("test.lock", "select id from things where id = $1 for update", locks=True)
TABLE = Statement("test.table", "create table things (id text primary key)", writes=True)


def settings_of(url: str, **changes: Any) -> PostgresSettings:
    return msgspec.structs.replace(parse_url(url), **changes)  # type: ignore[type-var, return-value]


@pytest.fixture(scope="module")
def dbname(databases: Databases) -> Iterator[str]:
    skip_without_pgbouncer()
    server = databases.postgres(POSTGRES[-1])
    name = server.create(migrated=False)
    with psycopg.connect(server.url(name), autocommit=True) as admin:
        admin.execute(TABLE.text)
    yield name
    server.drop(name)


MODES = {
    "transaction": {"pool_mode": "transaction", "default_pool_size": 2},
    "session": {"pool_mode": "session", "default_pool_size": 20},
    "with-prepared-statements": {"default_pool_size": 2, "max_prepared_statements": 100},
    "without-prepared-statements": {"default_pool_size": 2, "max_prepared_statements": 0},
}
SINCE = (1, 21)
"""The version of PgBouncer that knows prepared statements; the older ones are as it is without."""


EVERY_MODE = pytest.mark.parametrize("bouncer", MODES, indirect=True)


@pytest.fixture(scope="module", params=["transaction", "session"])
def bouncer(request: pytest.FixtureRequest, databases: Databases, dbname: str) -> Iterator[PgBouncer]:
    mode = MODES[request.param]
    if "max_prepared_statements" in mode and pgbouncer.version() < SINCE:
        pytest.skip("this PgBouncer is older than 1.21, the first with prepared statements")
    started = PgBouncer(databases.newest(), **mode)
    started.start()
    yield started
    started.stop()


@pytest.fixture
def make(bouncer: PgBouncer, dbname: str, databases: Databases) -> Iterator[Callable[..., PostgresStore]]:
    """Opens a store through PgBouncer, on an empty table ``things``."""
    with psycopg.connect(databases.newest().url(dbname), autocommit=True) as admin:
        admin.execute("truncate things")
    with ExitStack() as stores:
        yield lambda **changes: stores.enter_context(open_postgres(settings_of(bouncer.url(dbname), **changes)))


def everything(store: PostgresStore) -> None:
    """Each kind of call on an empty table, more often than it takes the driver to prepare a statement."""
    for i in range(8):
        assert store.rows(ADD, [f"a{i}"]) == [(f"a{i}",)]
        assert store.columns(GET, [f"a{i}"]) == (["id"], [(f"a{i}",)])
        assert store.count(REMOVE, [f"a{i}"]) == 1
        assert store.many(ADD, [[f"m{i}"], [f"n{i}"]]) == 2
        assert store.together([(GET, [f"m{i}"]), (GET, ["no"])]) == [[(f"m{i}",)], []]
        with store.snapshot() as snapshot:
            assert snapshot.rows(GET, [f"n{i}"]) == [(f"n{i}",)]
        with store.transaction() as tx:
            assert tx.rows(LOCK, [f"m{i}"]) == [(f"m{i}",)]
            with suppress(ValueError), tx.transaction() as inner:
                inner.many(REMOVE, [[f"m{i}"], [f"n{i}"]])
                raise ValueError
            assert tx.together([(GET, [f"m{i}"]), (GET, [f"n{i}"])]) == [[(f"m{i}",)], [(f"n{i}",)]]
        with pytest.raises(ZeroDivisionError), store.transaction() as tx:
            tx.count(REMOVE, [f"m{i}"])
            raise ZeroDivisionError
    store.script(SCRIPT)
    assert len(store.rows(Statement("test.all", "select id from things"))) == 18
    store.count(Statement("test.clear", "delete from things", writes=True))
    assert store.health().ok
    assert store.statistics()["database_connection_pool_size"] == 1


# --- detection ---------------------------------------------------------------------------------------------


@EVERY_MODE
@pytest.mark.parametrize("pooler", ["auto", "transaction"])
def test_every_kind_of_call_works(make: Callable[..., PostgresStore], pooler: str) -> None:
    everything(make(pooler=pooler))


def test_a_pooler_is_found_out_by_itself(make: Callable[..., PostgresStore]) -> None:
    store = make()
    assert store.health().checks[0].detail == f"{store.server_version}, through a connection pooler"


def test_a_direct_connection_is_none(databases: Databases, dbname: str) -> None:
    with open_postgres(settings_of(databases.newest().url(dbname))) as store:
        assert store.health().checks[0].detail == store.server_version
    with open_postgres(settings_of(databases.newest().url(dbname), pooler="transaction")) as store:
        assert store.health().checks[0].detail == f"{store.server_version}, through a connection pooler"
        assert store.rows(Statement("t.s", "select current_setting('statement_timeout')")) == [("30s",)]


def test_a_pooler_with_sessions_is_used_as_a_server_where_the_settings_say_so(
    databases: Databases, dbname: str
) -> None:
    bouncer = PgBouncer(databases.newest(), pool_mode="session")
    try:
        bouncer.start()
        with open_postgres(settings_of(bouncer.url(dbname), pooler="none")) as store:
            for _ in range(8):
                store.rows(GET, ["x"])
            prepared = "select count(*) from pg_prepared_statements where statement = $1"
            assert store.rows(Statement("t.p", prepared), [GET.text]) == [(1,)]  # type: ignore[arg-type]
            assert store.rows(Statement("t.s", "select current_setting('statement_timeout')")) == [("30s",)]
        with psycopg.connect(bouncer.url(dbname)) as next_client:
            assert next_client.execute("select count(*) from pg_prepared_statements").fetchone() == (0,)
    finally:
        bouncer.stop()


# --- nothing stays -----------------------------------------------------------------------------------------


def test_nothing_of_ours_stays_in_the_servers_session(databases: Databases, dbname: str) -> None:
    bouncer = PgBouncer(databases.newest(), default_pool_size=1)
    # PgBouncer itself passes on what each client is called.
    changed = "select name, setting from pg_settings where source = 'session' and name <> 'application_name' order by 1"
    left = "select (select count(*) from pg_prepared_statements), (select count(*) from pg_locks where pid = pg_backend_pid() and locktype = 'advisory')"  # noqa: E501
    try:
        bouncer.start()
        with psycopg.connect(bouncer.url(dbname), autocommit=True, prepare_threshold=None) as other:
            before = other.execute(changed).fetchall()
            pid = other.execute("select pg_backend_pid()").fetchone()
            with open_postgres(settings_of(bouncer.url(dbname))) as store:
                everything(store)
                with store.migration_connection(5) as connection:
                    connection.execute("select 1")
                with (
                    open_postgres(settings_of(bouncer.url(dbname), statement_timeout=0.05)) as hasty,
                    pytest.raises(StatementTimeout),
                ):
                    hasty.rows(SLEEP)
            assert other.execute("select pg_backend_pid()").fetchone() == pid, "it is the same session"
            assert other.execute(changed).fetchall() == before
            assert other.execute(left).fetchone() == (0, 0)
    finally:
        bouncer.stop()


# --- timeouts ----------------------------------------------------------------------------------------------

SLEEP = Statement("test.sleep", "select pg_sleep(20)")
CALLS: list[Any] = [
    pytest.param(lambda store: store.rows(SLEEP), id="rows"),
    pytest.param(lambda store: store.count(SLEEP), id="count"),
    pytest.param(lambda store: store.together([(ONE, ()), (SLEEP, ())]), id="together"),
    pytest.param(lambda store: store.many(Statement("t", "select pg_sleep($1)"), [[20.0]]), id="many"),
    pytest.param(lambda store: store.script(SLEEP), id="script"),
]


@pytest.mark.parametrize("call", CALLS)
def test_the_statement_timeout_is_kept(make: Callable[..., PostgresStore], call: Any) -> None:
    store = make(statement_timeout=0.1)
    with pytest.raises(StatementTimeout):
        call(store)
    assert store.rows(ONE) == [(1,)]


def test_the_lock_timeout_is_kept(make: Callable[..., PostgresStore]) -> None:
    store, other = make(lock_timeout=0.1), make()
    store.rows(ADD, ["x"])
    with other.transaction() as tx:
        tx.rows(LOCK, ["x"])
        with pytest.raises(LockTimeout):
            store.count(REMOVE, ["x"])
        with pytest.raises(LockTimeout), store.transaction() as mine:
            mine.rows(LOCK, ["x"])
    assert store.count(REMOVE, ["x"]) == 1


def test_a_transaction_that_idles_for_too_long_is_ended_and_nothing_of_it_stored(
    make: Callable[..., PostgresStore],
) -> None:
    store = make(idle_in_transaction_timeout=0.1)
    with pytest.raises((DatabaseTimeout, DatabaseUnavailable), match="nothing of it was stored"):  # noqa: SIM117
        with store.transaction() as tx:
            tx.rows(ADD, ["x"])
            time.sleep(0.5)
            tx.rows(ADD, ["y"])
    assert store.rows(GET, ["x"]) == []


def test_a_call_whose_answer_does_not_come_ends_at_its_deadline(make: Callable[..., PostgresStore]) -> None:
    store = make(statement_timeout=60.0, deadline=0.3)
    started = time.monotonic()
    with pytest.raises(DatabaseTimeout):
        store.rows(Statement("test.late", "select pg_sleep(6)"))
    assert time.monotonic() - started < 5
    assert store.rows(ONE) == [(1,)]


def test_ctrl_c_cancels_the_statement(make: Callable[..., PostgresStore], bouncer: PgBouncer, dbname: str) -> None:
    store = make()
    store.rows(ONE)
    main = threading.main_thread().ident
    assert main is not None
    running = "select count(*) from pg_stat_activity where query like '%pg_sleep(20)' and state = 'active'"

    def interrupt() -> None:
        with psycopg.connect(bouncer.url(dbname), autocommit=True, prepare_threshold=None) as admin:
            wait_for(lambda: admin.execute(running).fetchone() != (0,))
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        store.rows(SLEEP)
    assert time.monotonic() - started < 15
    thread.join()
    with psycopg.connect(bouncer.url(dbname), autocommit=True, prepare_threshold=None) as admin:
        wait_for(lambda: admin.execute(running).fetchone() == (0,))
    assert store.rows(ONE) == [(1,)]


# --- in the way of each other ------------------------------------------------------------------------------


@EVERY_MODE
def test_eight_threads_never_run_each_others_statements(make: Callable[..., PostgresStore]) -> None:
    """Two sessions for eight threads: with prepared statements or settings that stay, one would get another's."""
    rounds = 60
    keep = [f"keep{i}" for i in range(rounds)]
    stores = [make(statement_timeout=20.0 + number) for number in range(4)]
    stores[0].many(ADD, [[id] for id in keep])
    stores[0].many(ADD, [[f"{number}-{i}"] for number in range(8) for i in range(rounds)])
    wrong: list[Any] = []

    def work(number: int) -> None:
        store, limit = stores[number % 4], f"{20 + number % 4}s"
        shown = Statement("test.limit", "select current_setting('statement_timeout')")
        for i in range(rounds):
            try:
                found = [
                    store.rows(GET, [keep[i]]) == [(keep[i],)],
                    store.rows(shown) == [(limit,)],
                    store.together([(GET, [keep[i]]), (shown, ())]) == [[(keep[i],)], [(limit,)]],
                ]
                with store.transaction() as tx:
                    found.append(tx.rows(REMOVE, [f"{number}-{i}"]) == [(f"{number}-{i}",)])
                    found.append(tx.rows(shown) == [(limit,)])
                if not all(found):
                    wrong.append((number, i, found))
            except Exception as error:
                wrong.append((number, i, repr(error)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    left = stores[0].rows(Statement("test.all", "select id from things order by id"))
    assert left == sorted((id,) for id in keep)


FORKS = """
import os, sys
from diglot.stores.postgres import statements
from diglot.stores.postgres.store import open_postgres
from diglot.sql.session import Statement
from diglot.stores.url import parse_url
PID = Statement("t.pid", "select 7")
with open_postgres(parse_url(sys.argv[1])) as store:
    with store.transaction() as tx:
        tx.rows(PID)
        child = os.fork()
        if child == 0:
            os._exit(0 if [store.rows(PID) for _ in range(9)] == [[(7,)]] * 9 else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert tx.rows(PID) == [(7,)]
    assert store.rows(PID) == [(7,)]
print("fine")
"""


def test_a_forked_child_has_connections_of_its_own(bouncer: PgBouncer, dbname: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORKS, bouncer.url(dbname)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("fine\n", "", 0)


def test_ctrl_c_within_a_pipeline_waits_for_nothing(make: Callable[..., PostgresStore]) -> None:
    store = make()
    started = time.monotonic()
    with store._calls.leased(20) as link, pytest.raises(KeyboardInterrupt), statements._pipeline(link, (), ()):
        link.new_cursor().execute("begin")
        link.new_cursor().execute(SLEEP.text)
        time.sleep(0.2)
        raise KeyboardInterrupt
    assert time.monotonic() - started < 10


def test_a_transaction_is_not_begun_with_sql(make: Callable[..., PostgresStore]) -> None:
    store = make()
    for text in ("begin", "savepoint x", "/* x */ commit"):
        with pytest.raises(TransactionError, match=r"begin a transaction with transaction\(\)"):
            store.rows(Statement("test.begin", text))  # type: ignore[arg-type]
    assert store.rows(ONE) == [(1,)]


# --- outages -----------------------------------------------------------------------------------------------


def test_a_server_that_is_killed_behind_it_is_used_again_when_it_is_back(
    own_postgres: Callable[[int], PostgresServer],
) -> None:
    skip_without_pgbouncer()
    server = own_postgres(18)
    bouncer = PgBouncer(server, server_login_retry=1)
    try:
        bouncer.start()
        with open_postgres(settings_of(bouncer.url(), deadline=30.0)) as store:
            store.rows(TABLE)
            server.kill()
            server.start()
            assert store.rows(GET, ["x"]) == []
            assert store.rows(ADD, ["x"]) == [("x",)]
    finally:
        bouncer.stop()


def test_a_pooler_that_is_killed_is_used_again_when_it_is_back(databases: Databases, dbname: str) -> None:
    bouncer = PgBouncer(databases.newest())
    try:
        bouncer.start()
        with open_postgres(settings_of(bouncer.url(dbname))) as store:
            assert store.rows(ONE) == [(1,)]
            bouncer.stop()
            bouncer.start()
            assert store.rows(ONE) == [(1,)]
    finally:
        bouncer.stop()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
