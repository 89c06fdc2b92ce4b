"""Statements by themselves on PostgreSQL: values there and back, all or nothing, one round trip, prepared once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from diglot.errors import DatabaseError, StoreClosed, TransactionError, UniqueViolation
from diglot.sql.session import Statement
from diglot.stores import open_store
from diglot.stores.postgres.store import PostgresStore, open_postgres
from diglot.stores.store import Store
from diglot.stores.url import parse_url
from tests.stores.postgres.proxy import Proxy

TABLE = "create table things (id text primary key, n bigint, data jsonb, at timestamptz)"
INSERT = Statement("things.insert", "insert into things values ($1, $2, $3, $4)", writes=True)
GET = Statement("things.get", "select id, n, data, at from things where id = $1")
COUNT = Statement("things.count", "select count(*) from things")
ONE = Statement("test.one", "select 1")
AT = datetime(2026, 1, 31, 9, 5, 7, 123, tzinfo=UTC)


@pytest.fixture
def store(postgres_url_of_module: str) -> Iterator[PostgresStore]:
    """On an empty schema."""
    with open_postgres(parse_url(postgres_url_of_module)) as opened:
        opened.script(Statement("test.schema", f"drop schema public cascade; create schema public; {TABLE}"))
        yield opened


@pytest.fixture(scope="module")
def reading(postgres_url_of_module: str) -> Iterator[PostgresStore]:
    with open_postgres(parse_url(postgres_url_of_module)) as opened:
        yield opened


def test_it_is_a_store(postgres_url_of_module: str) -> None:
    with open_store(parse_url(postgres_url_of_module)) as store:
        assert isinstance(store, Store)
        assert (store.dialect, store.in_transaction) == ("postgres", False)


def test_a_row_comes_back_as_it_was_written_with_json_as_bytes_and_times_in_utc(store: PostgresStore) -> None:
    assert store.count(INSERT, ("a", 2**62, '{"x": [1.5, null]}', AT)) == 1
    assert store.rows(GET, ("a",)) == [("a", 2**62, b'{"x": [1.5, null]}', AT)]
    ((_, _, data, at),) = store.rows(GET, ("a",))
    assert (type(data), at.tzinfo) == (bytes, UTC)


@pytest.mark.parametrize(
    ("value", "type"),
    [
        ("", "text"),
        ("a\u00e9\u4e16\U0001f600\u202e' \\ \" $1 %s :x", "text"),
        (0, "bigint"),
        (-(2**63), "bigint"),
        (2**63 - 1, "bigint"),
        (1.5, "double precision"),
        (1e308, "double precision"),
        (True, "boolean"),
        (b"\x00\xff", "bytea"),
        (b"", "bytea"),
        (None, "text"),
        (datetime(1, 1, 1, tzinfo=UTC), "timestamptz"),
        (datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), "timestamptz"),
        (["a", "b", ""], "text[]"),
        ([], "text[]"),
        ([1, 2**62], "bigint[]"),
        ([True, False], "boolean[]"),
        ([AT], "timestamptz[]"),
    ],
    ids=repr,
)
def test_a_value_survives_there_and_back(reading: PostgresStore, value: Any, type: str) -> None:
    text = f"select $1::{type}"
    assert reading.rows(Statement("test.echo", text), (value,)) == [(value,)]  # type: ignore[arg-type]


def test_small_integers_do_not_overflow_what_they_are_added_to(reading: PostgresStore) -> None:
    assert reading.rows(Statement("test.sum", "select $1 + $2"), (30000, 30000)) == [(60000,)]


def test_columns_gives_the_names_too_also_without_rows(reading: PostgresStore) -> None:
    names = Statement("test.names", "select 1 as one, 'x' as \"Two\" where $1")
    assert reading.columns(names, (True,)) == (["one", "Two"], [(1, "x")])
    assert reading.columns(names, (False,)) == (["one", "Two"], [])


def test_a_statement_that_answers_no_rows_gives_none(store: PostgresStore) -> None:
    assert store.rows(INSERT, ("a", 1, None, AT)) == []
    assert store.columns(INSERT, ("b", 1, None, AT)) == ([], [])
    assert store.rows(Statement("test.nothing", "-- nothing")) == []


def test_count_is_the_number_of_rows_changed(store: PostgresStore) -> None:
    store.many(INSERT, [(str(i), i, None, AT) for i in range(5)])
    delete = Statement("things.delete", "delete from things where n >= $1 returning id", writes=True)
    assert store.count(delete, (2,)) == 3
    assert store.count(delete, (2,)) == 0
    assert store.count(Statement("test.ddl", "create index on things (n)", writes=True)) == 0


def test_many_runs_for_each_and_counts_all(store: PostgresStore) -> None:
    assert store.many(INSERT, [(str(i), i, None, AT) for i in range(2500)]) == 2500
    assert store.rows(COUNT) == [(2500,)]
    assert store.many(INSERT, []) == 0


def test_many_is_all_or_nothing(store: PostgresStore) -> None:
    with pytest.raises(UniqueViolation) as refused:
        store.many(INSERT, [(str(i % 900), i, None, AT) for i in range(1000)])
    assert (refused.value.query, refused.value.constraint) == ("things.insert", "things_pkey")
    assert store.rows(COUNT) == [(0,)]
    assert store.many(INSERT, [("a", 1, None, AT)]) == 1, "the connection is usable"


def test_a_script_is_all_or_nothing(store: PostgresStore) -> None:
    with pytest.raises(DatabaseError):
        store.script(Statement("test.script", "insert into things values ('a'); insert into nowhere values (1)"))
    assert store.rows(COUNT) == [(0,)]
    store.script(Statement("test.script", "insert into things values ('a'); insert into things values ('b');"))
    assert store.rows(COUNT) == [(2,)]


@pytest.mark.parametrize(
    "text",
    ["commit", "select 1; COMMIT", "begin; select 1", "select 1;\n-- x\nrollback;", "/* */ start transaction", "abort"],
)
def test_a_script_can_not_end_its_transaction(store: PostgresStore, text: str) -> None:
    script = f"insert into things values ('a'); {text}"
    with pytest.raises(TransactionError, match=r"leave \w+.* out of it"):
        store.script(Statement("test.script", script))  # type: ignore[arg-type]
    assert store.rows(COUNT) == [(0,)]


def test_begin_and_commit_inside_of_bodies_and_texts_are_not_the_scripts(store: PostgresStore) -> None:
    store.script(
        Statement(
            "test.script",
            """
            -- ; commit
            insert into things values ('; commit'), (E'\\'; commit'), ($x$; commit $x$);
            create function f() returns bigint language plpgsql as $$ begin return 1; end $$;
            create function g() returns bigint begin atomic; select 1; select 2; end;
            select f() as "; commit" /* ; commit */;
            """,
        )
    )
    assert store.rows(COUNT) == [(3,)]


# --- several in one snapshot -------------------------------------------------------------------------------


def test_together_answers_each_in_its_place(store: PostgresStore) -> None:
    store.many(INSERT, [("a", 1, None, AT), ("b", 2, None, AT)])
    answers = store.together([(COUNT, ()), (GET, ("b",)), (GET, ("c",))])
    assert answers == [[(2,)], [("b", 2, None, AT)], []]
    assert store.together([(COUNT, ())]) == [[(2,)]]
    assert store.together([]) == []


def test_together_sees_one_state_while_others_commit(store: PostgresStore) -> None:
    end = threading.Event()

    def write() -> None:
        number = 0
        while not end.is_set():
            store.rows(INSERT, (f"w{number}", 0, None, AT))
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(40):
            slow = Statement("test.slow", "select count(*), pg_sleep(0.002)::text from things")
            first, _, last = store.together([(COUNT, ()), (slow, ()), (COUNT, ())])
            assert first == last
    finally:
        end.set()
        writer.join()
    assert store.rows(COUNT) > [(0,)]


def test_together_names_the_statement_that_failed_and_leaves_the_connection_usable(reading: PostgresStore) -> None:
    division = Statement("test.division", "select 1 / $1::bigint")
    with pytest.raises(DatabaseError) as refused:
        reading.together([(ONE, ()), (division, (0,)), (ONE, ())])
    assert refused.value.query == "test.division"
    assert isinstance(refused.value.__cause__, psycopg.errors.DivisionByZero)
    assert reading.together([(ONE, ()), (division, (1,))]) == [[(1,)], [(1,)]]


def test_together_only_reads(store: PostgresStore) -> None:
    for refused in (INSERT, Statement("test.lock", "select 1 for update", locks=True)):
        with pytest.raises(TransactionError, match="only reads"):
            store.together([(ONE, ()), (refused, ())])


# --- what it costs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "trips"),
    [
        pytest.param(lambda store: store.rows(ONE), 1, id="rows"),
        pytest.param(lambda store: store.count(INSERT, ("a", 1, None, AT)), 1, id="count"),
        pytest.param(lambda store: store.many(INSERT, [(str(i), i, None, AT) for i in range(50)]), 1, id="many"),
        pytest.param(lambda store: store.together([(ONE, ()), (COUNT, ()), (GET, ("a",))]), 1, id="together"),
        pytest.param(lambda store: store.script(Statement("test.script", "select 1; select 2")), 1, id="script"),
        pytest.param(lambda store: in_transaction(store, 0), 0, id="transaction-of-none"),
        pytest.param(lambda store: in_transaction(store, 1), 2, id="transaction-of-one"),
        pytest.param(lambda store: in_transaction(store, 3), 4, id="transaction-of-three"),
        pytest.param(lambda store: in_savepoint(store, 1), 2, id="savepoint"),
        pytest.param(lambda store: in_savepoint(store, 2), 3, id="two-savepoints"),
        pytest.param(lambda store: in_snapshot(store), 2, id="snapshot"),
    ],
)
def test_a_call_is_as_many_round_trips_as_it_says(
    store: PostgresStore, postgres_url_of_module: str, call: Any, trips: int
) -> None:
    with Proxy(postgres_url_of_module) as proxy, open_postgres(parse_url(proxy.url)) as far:
        far.rows(ONE)
        before = proxy.round_trips
        call(far)
        assert proxy.round_trips - before == trips


def in_transaction(store: PostgresStore, statements: int) -> None:
    with store.transaction() as tx:
        for _ in range(statements):
            tx.rows(ONE)


def in_savepoint(store: PostgresStore, savepoints: int) -> None:
    """The release of one is sent with the next; the last COMMIT releases all."""
    with store.transaction() as tx:
        for _ in range(savepoints):
            with tx.transaction() as inner:
                inner.rows(ONE)
        with tx.transaction():
            pass


def in_snapshot(store: PostgresStore) -> None:
    with store.snapshot() as snapshot:
        snapshot.together([(ONE, ()), (COUNT, ())])


def test_a_new_connection_is_one_round_trip_more_than_its_log_in(postgres_url_of_module: str) -> None:
    with Proxy(postgres_url_of_module) as proxy, open_postgres(parse_url(proxy.url)) as store:
        store.rows(ONE)
        assert proxy.round_trips == 3, "log-in, settings, statement"


def test_a_statement_is_prepared_once_whatever_the_size_of_its_numbers(reading: PostgresStore) -> None:
    statement = Statement("test.prepared", "select $1::bigint + 1 as only_here")
    for number in (1, 2**20, 2**40, 2**62) * 3:
        assert reading.rows(statement, (number,)) == [(number + 1,)]
    prepared = Statement("test.list", "select count(*) from pg_prepared_statements where statement like '%only_here'")
    assert reading.rows(prepared) == [(1,)]


def test_prepared_statements_do_not_push_each_other_out(reading: PostgresStore) -> None:
    for number in range(150):
        statement = Statement("test.many", f"select {number} as one_of_many")  # type: ignore[arg-type]
        for _ in range(6):
            reading.rows(statement)
    prepared = Statement("test.list", "select count(*) from pg_prepared_statements where statement like '%one_of_many'")
    assert reading.rows(prepared) == [(150,)]


def test_a_prepared_statement_survives_a_change_of_the_schema_by_another(store: PostgresStore) -> None:
    everything = Statement("test.everything", "select * from things")
    for _ in range(8):
        store.rows(everything)
    with open_postgres(store.settings) as other:
        other.script(Statement("test.alter", "alter table things alter n type text"))
        other.rows(INSERT, ("a", "1", None, AT))
        assert store.rows(everything) == [("a", "1", None, AT)]
        for _ in range(8):
            store.rows(everything)
        other.script(Statement("test.alter", "alter table things alter n type bigint using 1"))
    with store.transaction() as tx:
        assert tx.rows(everything) == [("a", 1, None, AT)]


def test_a_large_answer_is_not_kept(reading: PostgresStore) -> None:
    numbers = Statement("test.numbers", "select i from generate_series(1, $1::bigint) i")
    assert len(reading.rows(numbers, (5000,))) == 5000
    with reading._calls.leased(5) as link:
        assert link.cursor.pgresult is None


# --- how the session is set up -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TimeZone", "UTC"),
        ("statement_timeout", "30s"),
        ("lock_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "1min"),
        ("application_name", "diglot"),
        ("client_encoding", "UTF8"),
        ("search_path", '"$user", public'),
        ("default_transaction_isolation", "read committed"),
    ],
)
def test_a_session_has_its_settings(reading: PostgresStore, name: str, value: str) -> None:
    assert reading.rows(Statement("test.setting", "select current_setting($1)"), (name,)) == [(value,)]


def test_sent_text_names_the_query_in_the_servers_list_of_activity(reading: PostgresStore) -> None:
    activity = Statement(
        "test.me", "/* diglot:test.me */ select query from pg_stat_activity where pid = pg_backend_pid()"
    )
    ((seen,),) = reading.rows(activity)
    assert seen.startswith("/* diglot:test.me */")


# --- rules -------------------------------------------------------------------------------------------------


def test_a_transaction_can_not_be_begun_with_sql(store: PostgresStore) -> None:
    for run in (store.rows, store.count):
        with pytest.raises(TransactionError, match=r"begin a transaction with transaction\(\)"):
            run(Statement("test.begin", "begin"))
    store.rows(INSERT, ("a", 1, None, AT))
    with open_postgres(store.settings) as other:
        assert other.rows(COUNT) == [(1,)], "nothing was left open"


def test_a_row_lock_outside_of_a_transaction_is_refused(reading: PostgresStore) -> None:
    lock = Statement("test.lock", "select 1 for update", locks=True)
    for run in (reading.rows, reading.count, reading.columns):
        with pytest.raises(TransactionError, match="only in a transaction"):
            run(lock)


def test_a_closed_store_refuses_everything_and_can_be_closed_again(postgres_url_of_module: str) -> None:
    store = open_postgres(parse_url(postgres_url_of_module))
    store.rows(ONE)
    store.close()
    store.close()
    for call in (
        lambda: store.rows(ONE),
        lambda: store.count(ONE),
        lambda: store.together([(ONE, ()), (ONE, ())]),
        lambda: store.transaction().__enter__(),
        lambda: store.migration_connection(1),
    ):
        with pytest.raises(StoreClosed):
            call()


def test_closing_rolls_this_threads_transaction_back(store: PostgresStore) -> None:
    with pytest.raises(TransactionError, match="has ended"), store.transaction() as tx:
        tx.rows(INSERT, ("a", 1, None, AT))
        store.close()
    with open_postgres(store.settings) as other:
        assert other.rows(COUNT) == [(0,)]


def test_a_store_that_is_never_used_connects_to_nothing(postgres_url_of_module: str) -> None:
    threads = threading.active_count()
    with Proxy(postgres_url_of_module) as proxy:
        within = threading.active_count()
        with open_postgres(parse_url(proxy.url)) as store:
            assert store.location.startswith("postgresql://127.0.0.1:")
            assert store.statistics()["database_connection_pool_size"] == 0
            assert (threading.active_count(), proxy.round_trips) == (within, 0)
    assert threading.active_count() == threads
