"""How a connection is made: what libpq is told, TLS, the words for people; health and the migration lock."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from diglot.errors import ConfigurationError, DatabaseUnavailable, DiglotError, LockTimeout
from diglot.sql.session import Statement
from diglot.stores.postgres.connection import connect, location, may_pass, parameters
from diglot.stores.postgres.migration import LOCK
from diglot.stores.postgres.store import PostgresStore, open_postgres
from diglot.stores.settings import PostgresSettings
from diglot.stores.url import parse_url
from tests.stores.postgres.proxy import Proxy

CANARY = "s3cr3t-c4n4ry"
ONE = Statement("test.one", "select 1")


@pytest.fixture
def store(postgres_url_of_module: str) -> Iterator[PostgresStore]:
    with open_postgres(parse_url(postgres_url_of_module)) as opened:
        yield opened


# --- what libpq is told ------------------------------------------------------------------------------------


def test_the_settings_become_parameters_of_libpq_and_the_urls_options_beat_the_defaults() -> None:
    settings = PostgresSettings(
        host="127.0.0.1",
        port=6432,
        user="ada",
        password="pw",
        dbname="app",
        connect_timeout=2.5,
        deadline=20,
        application_name="mine",
        options={"keepalives_idle": "5", "target_session_attrs": "primary"},
    )
    assert parameters(settings) == {
        "host": "127.0.0.1",
        "port": 6432,
        "user": "ada",
        "password": "pw",
        "dbname": "app",
        "connect_timeout": 3,
        "application_name": "mine",
        "client_encoding": "utf8",
        "sslmode": "prefer",
        "keepalives": 1,
        "keepalives_idle": "5",
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 20000,
        "target_session_attrs": "primary",
    }


def test_what_is_not_set_is_left_to_libpq() -> None:
    found = parameters(PostgresSettings())
    assert not {"host", "user", "password", "dbname"} & found.keys()


@pytest.mark.parametrize(
    ("host", "mode"),
    [
        ("", "prefer"),
        ("/run/postgresql", "prefer"),
        ("@abstract", "prefer"),
        ("localhost", "prefer"),
        ("127.0.0.1", "prefer"),
        ("127.1.2.3", "prefer"),
        ("::1", "prefer"),
        ("db", "verify-full"),
        ("127.0.0.1.example.org", "verify-full"),
        ("10.0.0.1", "verify-full"),
        ("localhost,db", "verify-full"),
    ],
)
def test_every_host_but_this_one_is_verified_unless_the_settings_say_otherwise(
    host: str, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert parameters(PostgresSettings(host=host))["sslmode"] == mode
        assert caplog.records == []
        assert parameters(PostgresSettings(host=host, ssl_mode="require"))["sslmode"] == "require"
    warned = [record.getMessage() for record in caplog.records]
    assert bool(warned) == (mode == "verify-full")
    assert all("is not verified (sslmode=require)" in message for message in warned)


def test_an_address_given_as_hostaddr_counts_as_the_host() -> None:
    assert parameters(PostgresSettings(host="localhost", options={"hostaddr": "10.0.0.1"}))["sslmode"] == "verify-full"
    assert parameters(PostgresSettings(host="db", options={"hostaddr": "127.0.0.1"}))["sslmode"] == "prefer"


def test_the_machines_authorities_verify_a_server_where_the_user_names_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = PostgresSettings(host="db")
    found = parameters(settings)["sslrootcert"]
    assert found == "system" or Path(found).exists()
    own = msgspec.structs.replace(settings, options={"sslrootcert": "/ca.pem"})
    assert parameters(own)["sslrootcert"] == "/ca.pem"
    (tmp_path / ".postgresql").mkdir()
    (tmp_path / ".postgresql" / "root.crt").touch()
    assert "sslrootcert" not in parameters(settings), "libpq finds it"


def test_a_server_without_tls_is_refused_where_it_is_required(postgres_url_of_module: str) -> None:
    with Proxy(postgres_url_of_module) as proxy:
        url = proxy.url.replace("sslmode=disable", "sslmode=require")
        with open_postgres(parse_url(url)) as store, pytest.raises(DatabaseUnavailable, match="does not support SSL"):
            store.rows(ONE)
        with open_postgres(parse_url(url.replace("require", "prefer"))) as store:
            assert store.rows(ONE) == [(1,)]


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"no_such": CANARY}, ConfigurationError),
        ({CANARY: "1"}, ConfigurationError),
        ({"keepalives": CANARY}, DatabaseUnavailable),
        ({"sslpassword": f"{CANARY}-2", "sslnegotiation": f"{CANARY}-2"}, DatabaseUnavailable),
        ({"target_session_attrs": CANARY}, DatabaseUnavailable),
    ],
    ids=str,
)
def test_settings_that_libpq_refuses_are_told_without_secrets(options: dict[str, str], kind: type[DiglotError]) -> None:
    with pytest.raises(kind) as refused:
        connect(PostgresSettings(host="127.0.0.1", port=1, password=CANARY, options=options))
    error: BaseException | None = refused.value
    while error is not None:
        assert CANARY not in f"{error!s} {error!r}"
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        (PostgresSettings(host="db", port=6432, dbname="app", user="a", password=CANARY), "postgresql://db:6432/app"),
        (PostgresSettings(host="::1", dbname="app"), "postgresql://[::1]:5432/app"),
        (PostgresSettings(host="/run/pg", dbname="app"), "postgresql://:5432/app?host=/run/pg"),
        (PostgresSettings(options={"hostaddr": "10.0.0.1"}, user="ada"), "postgresql://10.0.0.1:5432/ada"),
        (PostgresSettings(), "postgresql://localhost:5432/"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_location_is_for_people_and_shows_no_password(settings: PostgresSettings, shown: str) -> None:
    assert location(settings) == shown
    assert open_postgres(settings).location == shown


@pytest.mark.parametrize(
    ("said", "passes"),
    [
        ("connection failed: FATAL:  the database system is starting up", True),
        ("FATAL:  the database system is shutting down", True),
        ("FATAL:  the database system is not yet accepting connections", True),
        ("FATAL:  sorry, too many clients already", True),
        ("FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute", True),
        ("connection refused", True),
        ("server closed the connection unexpectedly", True),
        ('FATAL:  password authentication failed for user "ada"', False),
        ('FATAL:  database "app" does not exist', False),
        ("fe_sendauth: no password supplied", False),
        ("SSL error: certificate verify failed", False),
    ],
)
def test_only_what_passes_by_itself_is_worth_another_try(said: str, passes: bool) -> None:
    error = DatabaseUnavailable()
    error.__cause__ = psycopg.OperationalError(said)
    assert may_pass(error) is passes


# --- health ------------------------------------------------------------------------------------------------


def test_a_database_that_answers_and_takes_writes_is_healthy(store: PostgresStore) -> None:
    health = store.health()
    assert health.ok
    assert [(check.name, check.ok) for check in health.checks] == [
        ("reachable", True),
        ("writable", True),
        ("version", True),
    ]
    assert health.checks[0].detail == store.server_version
    assert 0 < health.checks[0].milliseconds < 5000
    with store.transaction() as tx:
        tx.rows(ONE)
        assert store.health().ok, "also while this thread has a transaction open"


def test_the_server_tells_its_version(postgres_url_of_module: str) -> None:
    with psycopg.connect(postgres_url_of_module) as admin:
        number = admin.info.server_version
    with open_postgres(parse_url(postgres_url_of_module)) as store:
        assert store.server_version == f"PostgreSQL {number // 10000}.{number % 10000}"
        assert store.rows(ONE) == [(1,)]


def test_a_database_that_only_reads_is_not_healthy(postgres_url: str) -> None:
    name = postgres_url.partition("@/")[2].partition("?")[0]
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        name = admin.info.dbname
        admin.execute(f"alter database {name} set default_transaction_read_only = on")  # type: ignore[arg-type]
    with open_postgres(parse_url(postgres_url)) as store:
        health = store.health()
        assert not health.ok
        assert [check.name for check in health.checks if not check.ok] == ["writable"]
        assert health.checks[1].detail == "default_transaction_read_only is on"


def test_an_exhausted_pool_is_not_healthy_and_raises_nothing(postgres_url_of_module: str) -> None:
    settings = msgspec.structs.replace(parse_url(postgres_url_of_module), pool_max=1, pool_timeout=0.05)  # type: ignore[arg-type]
    with open_postgres(settings) as store, store.transaction() as tx:
        tx.rows(ONE)
        health = store.health()
        assert not health.ok
        assert "no connection was free" in health.checks[0].detail


# --- migrations --------------------------------------------------------------------------------------------


def test_the_migration_connection_is_the_drivers_own_outside_of_the_pool(store: PostgresStore) -> None:
    with store.migration_connection(1) as connection:
        assert isinstance(connection, psycopg.Connection)
        assert connection.autocommit
        assert connection.execute("select %s::text", ["x"]).fetchone() == ("x",)
        assert connection.execute("show statement_timeout").fetchone() == ("0",)
        assert connection.execute("show lock_timeout").fetchone() == ("5s",)
        held = connection.execute(
            "select classid::bigint << 32 | objid::bigint from pg_locks where locktype = 'advisory' and granted"
            " and database = (select oid from pg_database where datname = current_database())"
        )
        assert held.fetchall() == [(LOCK,)]
        assert store.statistics()["database_connection_pool_size"] == 0
    assert connection.closed


def test_the_migration_lock_is_held_by_one_at_a_time(store: PostgresStore) -> None:
    with store.migration_connection(1):
        started = time.monotonic()
        with pytest.raises(LockTimeout, match="another process has been migrating"):  # noqa: SIM117
            with store.migration_connection(0.2):
                raise AssertionError
        assert time.monotonic() - started >= 0.2
    with store.migration_connection(1):
        pass


def test_who_waits_for_the_migration_lock_gets_it_when_it_is_free(store: PostgresStore) -> None:
    order: list[str] = []

    def second() -> None:
        with store.migration_connection(20):
            order.append("second")

    waiter = threading.Thread(target=second)
    with store.migration_connection(1) as connection:
        waiter.start()
        others = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        wait_for(lambda: connection.execute(others).fetchone() == (1,))
        order.append("first")
    waiter.join(20)
    assert order == ["first", "second"]


HOLDS = """
import os, sys
from diglot.stores import open_store
from diglot.stores.url import parse_url
from tests.stores.postgres.proxy import Proxy
with open_store(parse_url(sys.argv[1])).migration_connection(10):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_migration_lock_is_free_when_its_process_was_killed(
    store: PostgresStore, postgres_url_of_module: str
) -> None:
    command = [sys.executable, "-c", HOLDS, postgres_url_of_module]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockTimeout):
            store.migration_connection(0).__enter__()
        holder.kill()
    with store.migration_connection(20):
        pass


def test_a_lost_connection_while_it_waits_for_the_migration_lock_is_told(
    store: PostgresStore, postgres_url_of_module: str
) -> None:
    raised: list[BaseException] = []

    def second() -> None:
        try:
            with store.migration_connection(20):
                pass
        except DatabaseUnavailable as error:
            raised.append(error)

    waiter = threading.Thread(target=second)
    with store.migration_connection(1) as connection:
        waiter.start()
        others = "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        wait_for(lambda: connection.execute(f"select pg_terminate_backend(pid) {others}").fetchall() != [])  # type: ignore[arg-type]
        waiter.join(20)
    assert len(raised) == 1


# --- imports -----------------------------------------------------------------------------------------------


def test_sqlite_needs_no_psycopg() -> None:
    script = (
        "import sys; from diglot.stores import open_store; from diglot.stores.url import parse_url;"
        "open_store(parse_url(':memory:')).close();"
        "sys.exit(any(name.split('.')[0].startswith('psycopg') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


def wait_for(condition: Callable[[], Any], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)
