"""Whatever a database or its role has set, directly and behind PgBouncer: a value that was stored comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest

from diglot.errors import ConfigurationError
from diglot.sql.session import Statement
from diglot.stores.postgres import set_up
from diglot.stores.postgres.set_up import FIXED
from diglot.stores.postgres.store import PostgresStore, open_postgres
from diglot.stores.url import parse_url
from tests.databases import POOLED_PARAM, POSTGRES, POSTGRES_PARAMS, Databases, skip_without_pgbouncer

FOREIGN = {
    "datestyle": "'SQL, DMY'",
    "intervalstyle": "'sql_standard'",
    "timezone": "'Asia/Kathmandu'",
    "extra_float_digits": "-5",
    "bytea_output": "'escape'",
    "standard_conforming_strings": "off",
    "escape_string_warning": "off",
    "client_encoding": "'latin1'",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "gin_fuzzy_search_limit": "5",
    "default_transaction_isolation": "'serializable'",
    "default_transaction_deferrable": "on",
    "statement_timeout": "'7d'",
    "lock_timeout": "'7d'",
    "idle_in_transaction_session_timeout": "'7d'",
    "search_path": "of_the_database, public",
    "lc_numeric": "'POSIX'",
}
MOMENT = datetime(2026, 3, 2, 1, 2, 3, 456789, tzinfo=UTC)
VALUES = (MOMENT, 0.1 + 0.2, b"\x00\\\xff'", "C:\\temp\\new 'é€😀", '{"a":"\\u00e9"}', ["a", None, "NULL"])
ANSWER = "$1::timestamptz, $2::float8, $3::bytea, $4::text, $5::jsonb, $6::text[]"
ECHO = Statement("test.echo", f"select {ANSWER}")
STORE = Statement("test.store", f"insert into of_the_database.kept values ({ANSWER}) returning *", writes=True)


@pytest.fixture(scope="module", params=["database", "role"])
def url(request: pytest.FixtureRequest, kind: str, databases: Databases) -> Iterator[str]:
    """Of a database with the settings above, or that a role with them owns."""
    server = databases.postgres(POSTGRES[-1] if kind == "pgbouncer" else kind)
    name = server.create(migrated=False)
    try:
        with psycopg.connect(server.url(name), autocommit=True) as admin:
            admin.execute("create schema of_the_database")
            admin.execute(
                "create table of_the_database.kept (t timestamptz, f float8, b bytea, s text, j jsonb, a text[])"
            )
            where = f'database "{name}"' if request.param == "database" else f'role postgres in database "{name}"'
            for setting, value in FOREIGN.items():
                admin.execute(f"alter {where} set {setting} = {value}")  # type: ignore[arg-type]
        yield (databases.pgbouncer() if kind == "pgbouncer" else server).url(name)
    finally:
        server.drop(name)


@pytest.fixture(scope="module", params=[*POSTGRES_PARAMS, POOLED_PARAM])
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "pgbouncer":
        skip_without_pgbouncer()
    return str(request.param)


@pytest.fixture
def store(url: str) -> Iterator[PostgresStore]:
    with open_postgres(parse_url(url)) as opened:
        yield opened


def by_itself(store: PostgresStore, statement: Statement) -> Any:
    return store.rows(statement, VALUES)


def with_columns(store: PostgresStore, statement: Statement) -> Any:
    return store.columns(statement, VALUES)[1]


def in_a_transaction(store: PostgresStore, statement: Statement) -> Any:
    with store.transaction() as tx:
        tx.rows(Statement("test.one", "select 1"))
        return tx.rows(statement, VALUES)


def in_a_snapshot(store: PostgresStore, statement: Statement) -> Any:
    with store.snapshot() as snapshot:
        return snapshot.rows(statement, VALUES)


def together(store: PostgresStore, statement: Statement) -> Any:
    return store.together([(statement, VALUES), (statement, VALUES)])[1]


Call = Callable[[PostgresStore, Statement], Any]
CALLS = [by_itself, with_columns, in_a_transaction, in_a_snapshot, together]


@pytest.mark.parametrize("call", CALLS)
def test_values_come_back_as_they_were_sent(store: PostgresStore, call: Call) -> None:
    ((moment, number, octets, text, document, items),) = call(store, ECHO)
    assert (moment, number, octets, text, items) == (MOMENT, VALUES[1], VALUES[2], VALUES[3], VALUES[5])
    assert moment.utcoffset() == timedelta(0)
    assert msgspec.json.decode(document) == {"a": "é"}


@pytest.mark.parametrize("call", CALLS[:3])
def test_a_write_answers_with_the_row_that_it_stored(store: PostgresStore, call: Call) -> None:
    ((moment, *_),) = call(store, STORE)
    assert moment == MOMENT
    found = store.rows(Statement("test.kept", "select distinct t from kept"))
    assert found == [(MOMENT,)], "its search_path is kept"


@pytest.mark.parametrize("call", CALLS)
def test_every_setting_holds_for_every_kind_of_call(store: PostgresStore, call: Call) -> None:
    wanted = {
        **FIXED,
        "statement_timeout": "30s",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "1min",
        "search_path": "of_the_database, public",
        "lc_numeric": "POSIX",
    }
    shown = ", ".join(f"current_setting('{name}')" for name in wanted)
    unused = "$1::timestamptz, $2::float8, $3::bytea, $4::text, $5::jsonb, $6::text[]"
    statement = Statement("test.settings", f"select {shown} from (select {unused}) as unused")  # type: ignore[arg-type]
    ((*found,),) = call(store, statement)
    assert dict(zip(wanted, found, strict=True)) == wanted


def test_dates_and_intervals_are_read_too(store: PostgresStore) -> None:
    statement = Statement(
        "test.dates",
        "select date '2026-03-02', timestamp '2026-03-02 01:02:03', interval '1 day -2 hours',"
        " array[date '2026-03-02'], '03/02/2026'::date",
    )
    assert store.rows(statement) == [
        (
            date(2026, 3, 2),
            datetime(2026, 3, 2, 1, 2, 3),
            timedelta(days=1, hours=-2),
            [date(2026, 3, 2)],
            date(2026, 3, 2),
        )
    ]


def test_a_statement_by_itself_is_read_committed(store: PostgresStore) -> None:
    statement = Statement("test.isolation", "select current_setting('transaction_isolation')")
    assert store.rows(statement) == [("read committed",)]
    with store.transaction() as tx:
        assert tx.rows(statement) == [("read committed",)]


def test_null_equals_nothing(store: PostgresStore) -> None:
    assert store.rows(Statement("test.null", "select (null = null) is null")) == [(True,)]


def test_a_session_that_does_not_keep_its_settings_is_refused(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"alter database {admin.info.dbname} set datestyle = 'SQL, DMY'")  # type: ignore[arg-type]
    monkeypatch.setattr(set_up, "_set_config", lambda values, local: "1")
    with (
        open_postgres(parse_url(postgres_url)) as store,
        pytest.raises(ConfigurationError, match=r"does not keep the session's \w+: set pooler to 'transaction'"),
    ):
        store.rows(Statement("test.one", "select 1"))
