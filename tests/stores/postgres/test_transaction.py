"""Transactions, savepoints and snapshots on PostgreSQL: what is stored at their end, and who may use them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from diglot.errors import (
    CheckViolation,
    DatabaseError,
    ForeignKeyViolation,
    SerializationFailure,
    StoreClosed,
    TransactionError,
    UniqueViolation,
    WrongType,
)
from diglot.sql.session import Session, Statement
from diglot.stores.postgres.connection import Link
from diglot.stores.postgres.store import PostgresStore, open_postgres
from diglot.stores.transaction import Transaction
from diglot.stores.url import parse_url

SCHEMA = """
drop schema public cascade;
create schema public;
create table things (id text primary key, n bigint check (n >= 0) default 0,
    parent text references things (id) deferrable initially deferred);
insert into things (id) values ('x'), ('y');
"""
INSERT = Statement("things.insert", "insert into things (id) values ($1)", writes=True)
ADD = Statement("things.add", "update things set n = n + 1 where id = $1", writes=True)
LOCK = Statement("things.lock", "select n from things where id = $1 for update", locks=True)
IDS = Statement("things.ids", "select id from things where id not in ('x', 'y') order by id")
ONE = Statement("test.one", "select 1")


@pytest.fixture
def store(postgres_url_of_module: str) -> Iterator[PostgresStore]:
    """On an empty schema."""
    with open_postgres(parse_url(postgres_url_of_module)) as opened:
        opened.script(Statement("test.schema", SCHEMA))
        yield opened


def ids(session: Session) -> list[str]:
    return [id for (id,) in session.rows(IDS)]


class Boom(Exception):
    pass


# --- the end of a transaction ------------------------------------------------------------------------------


def test_it_commits_at_the_end_of_the_block_and_not_before(store: PostgresStore) -> None:
    with store.transaction() as tx, open_postgres(store.settings) as other:
        assert tx.in_transaction
        tx.count(INSERT, ("a",))
        assert ids(tx) == ["a"]
        assert ids(other) == []
    assert ids(store) == ["a"]


def test_it_rolls_back_on_any_exception(store: PostgresStore) -> None:
    for exception in (Boom, KeyboardInterrupt, GeneratorExit):
        with pytest.raises(exception), store.transaction() as tx:
            tx.count(INSERT, ("a",))
            raise exception
    assert ids(store) == []


def test_a_commit_that_is_refused_raises(store: PostgresStore) -> None:
    orphan = Statement("things.orphan", "insert into things values ('a', 0, 'nobody')", writes=True)
    with pytest.raises(ForeignKeyViolation) as refused, store.transaction() as tx:
        tx.count(orphan)
    assert refused.value.constraint == "things_parent_fkey"
    assert isinstance(refused.value.__cause__, psycopg.Error)
    assert ids(store) == []


def test_a_commit_that_the_server_answers_with_rollback_raises(store: PostgresStore) -> None:
    with pytest.raises(TransactionError, match="rolled the transaction back at COMMIT"), store.transaction() as tx:
        tx.count(INSERT, ("a",))
        assert isinstance(tx, Transaction)
        assert tx._unit is not None
        with pytest.raises(psycopg.Error):  # past the session, which would remember it
            tx._unit.link.connection.execute("select 1 / 0")
    assert ids(store) == []


def test_a_transaction_that_a_statement_ended_raises(store: PostgresStore) -> None:
    for word in ("commit", "rollback"):
        with pytest.raises(TransactionError, match="leave COMMIT and ROLLBACK to the block"), store.transaction() as tx:
            tx.rows(Statement("test.end", word))  # type: ignore[arg-type]
    assert store.rows(ONE) == [(1,)]


def test_every_kind_of_statement_runs_in_it(store: PostgresStore) -> None:
    with store.transaction() as tx:
        assert tx.dialect == "postgres"
        tx.script(Statement("test.script", "insert into things values ('a'); insert into things values ('b')"))
        assert tx.many(INSERT, [("c",), ("d",)]) == 2
        assert tx.many(INSERT, []) == 0
        assert tx.count(ADD, ("a",)) == 1
        assert tx.columns(IDS)[0] == ["id"]
        assert tx.rows(LOCK, ("a",)) == [(1,)]
        assert tx.together([(IDS, ()), (ONE, ())]) == [[("a",), ("b",), ("c",), ("d",)], [(1,)]]
        assert tx.together([]) == []
    assert ids(store) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    "first",
    [
        lambda tx: tx.many(INSERT, [("a",), ("b",)]),
        lambda tx: tx.script(
            Statement("test.script", "insert into things values ('a'); insert into things values ('b')")
        ),
        lambda tx: tx.together([(INSERT, ("a",)), (INSERT, ("b",))]),
    ],
    ids=["many", "script", "together"],
)
def test_what_is_sent_first_is_in_the_transaction_too(store: PostgresStore, first: Callable[[Session], Any]) -> None:
    with pytest.raises(Boom), store.transaction() as tx:
        first(tx)
        raise Boom
    assert ids(store) == []
    with store.transaction() as tx:
        first(tx)
    assert ids(store) == ["a", "b"]


def test_it_is_read_committed_whatever_the_servers_default(store: PostgresStore) -> None:
    with database_setting(store, "default_transaction_isolation", "serializable") as other, other.transaction() as tx:
        assert ids(tx) == []
        store.count(INSERT, ("a",))
        assert ids(tx) == ["a"]


# --- after an error ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "kind"), [(("x",), UniqueViolation), (("\0",), WrongType), (("\ud800",), WrongType)], ids=ascii
)
def test_after_an_error_nothing_more_runs_and_the_block_raises(
    store: PostgresStore, values: tuple[str], kind: type[Exception]
) -> None:
    rolled_back = pytest.raises(TransactionError, match=r"was rolled back: a statement in it failed \(.*things.insert")
    with rolled_back, store.transaction() as tx:
        tx.count(INSERT, ("a",))
        with pytest.raises(kind):
            tx.count(INSERT, values)
        with pytest.raises(TransactionError, match="roll back first"):
            tx.rows(ONE)
        with pytest.raises(TransactionError, match="roll back first"):
            tx.transaction()
    assert ids(store) == []


def test_the_error_itself_comes_out_when_nobody_catches_it(store: PostgresStore) -> None:
    for values in (("x",), ("\0",)):
        with pytest.raises((UniqueViolation, WrongType)), store.transaction() as tx:
            tx.count(INSERT, values)
    assert store.statistics()["database_connection_pool_size"] == 1, "the connection was kept"


# --- savepoints --------------------------------------------------------------------------------------------


def test_a_transaction_inside_of_one_is_a_savepoint(store: PostgresStore) -> None:
    with store.transaction() as tx:
        tx.count(INSERT, ("a",))
        with pytest.raises(Boom), tx.transaction() as inner:
            inner.count(INSERT, ("b",))
            raise Boom
        with tx.transaction() as inner:
            assert inner.in_transaction
            inner.count(INSERT, ("c",))
            with pytest.raises(Boom), inner.transaction() as deepest:
                deepest.count(INSERT, ("d",))
                raise Boom
            with inner.transaction() as deepest:
                deepest.count(INSERT, ("e",))
    assert ids(store) == ["a", "c", "e"]


def test_the_stores_transaction_inside_of_one_is_its_savepoint(store: PostgresStore) -> None:
    with store.transaction() as tx:
        tx.count(INSERT, ("a",))
        with pytest.raises(Boom), store.transaction() as inner:
            inner.count(INSERT, ("b",))
            raise Boom
    assert ids(store) == ["a"]


def test_an_error_in_a_savepoint_leaves_the_transaction_usable(store: PostgresStore) -> None:
    with store.transaction() as tx:
        with pytest.raises(UniqueViolation), tx.transaction() as inner:
            inner.count(INSERT, ("x",))
        tx.count(INSERT, ("a",))
        rolled_back = pytest.raises(TransactionError, match="the savepoint was rolled back")
        with rolled_back, tx.transaction() as inner, pytest.raises(CheckViolation):
            inner.rows(Statement("test.bad", "update things set n = -1", writes=True))
        assert ids(tx) == ["a"]
    assert ids(store) == ["a"]


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("fails", [False, True])
def test_a_savepoint_without_a_statement_does_nothing(store: PostgresStore, before: int, fails: bool) -> None:
    with store.transaction() as tx:
        for number in range(before):
            tx.count(INSERT, (str(number),))
        try:
            with tx.transaction() as inner, inner.transaction():
                if fails:
                    raise Boom
        except Boom:
            pass
        with tx.transaction() as inner:
            inner.count(INSERT, ("a",))
        with pytest.raises(Boom), tx.transaction() as inner:
            inner.count(INSERT, ("b",))
            raise Boom
    assert ids(store) == [*map(str, range(before)), "a"]


def test_savepoints_that_end_in_another_order_end_the_transaction(store: PostgresStore) -> None:
    with pytest.raises(TransactionError), store.transaction() as tx:
        tx.count(INSERT, ("a",))
        outer, inner = tx.transaction(), tx.transaction()
        outer.__enter__()
        inner.__enter__().count(INSERT, ("b",))
        outer.__exit__(None, None, None)
    assert ids(store) == []
    with pytest.raises(TransactionError):
        inner.rows(ONE)
    assert store.rows(ONE) == [(1,)]


# --- snapshots ---------------------------------------------------------------------------------------------


def test_a_snapshot_sees_one_state(store: PostgresStore) -> None:
    with store.snapshot() as snapshot, open_postgres(store.settings) as other:
        assert ids(snapshot) == []
        other.count(INSERT, ("a",))
        assert ids(snapshot) == []
        assert snapshot.together([(IDS, ()), (ONE, ())]) == [[], [(1,)]]
    assert ids(store) == ["a"]


def test_a_snapshot_only_reads(store: PostgresStore) -> None:
    with store.snapshot() as snapshot:
        for call in (
            lambda: snapshot.count(INSERT, ("a",)),
            lambda: snapshot.rows(LOCK, ("x",)),
            lambda: snapshot.many(INSERT, [("a",)]),
            lambda: snapshot.script(Statement("test.script", "select 1")),
            lambda: snapshot.together([(ONE, ()), (INSERT, ("a",))]),
            lambda: snapshot.transaction(),
            lambda: store.transaction(),
        ):
            with pytest.raises(TransactionError, match="a snapshot only reads"):
                call()
        assert snapshot.rows(ONE) == [(1,)]
    with pytest.raises(DatabaseError, match="can't be written"), store.snapshot() as snapshot:
        snapshot.rows(Statement("test.lie", "insert into things values ('a')"))


# --- who may use it ----------------------------------------------------------------------------------------


def test_the_store_refuses_statements_of_a_thread_that_has_something_open(store: PostgresStore) -> None:
    for unit in (store.transaction(), store.snapshot()):
        with unit:
            for call in (
                lambda: store.rows(ONE),
                lambda: store.count(INSERT, ("a",)),
                lambda: store.columns(ONE),
                lambda: store.many(INSERT, [("a",)]),
                lambda: store.many(INSERT, []),
                lambda: store.script(Statement("test.script", "select 1")),
                lambda: store.together([(ONE, ()), (ONE, ())]),
                lambda: store.together([]),
                lambda: store.snapshot(),
                lambda: store.migration_connection(1),
            ):
                with pytest.raises(
                    TransactionError, match="this thread has a transaction or a snapshot open: use that"
                ):
                    call()
            assert in_thread(lambda: store.rows(ONE)) == [(1,)], "another thread may"
    assert store.rows(ONE) == [(1,)]


def test_two_transactions_that_were_made_before_they_began_are_not_open_at_once(store: PostgresStore) -> None:
    one, other = store.transaction(), store.transaction()
    with one, pytest.raises(TransactionError, match="use that"):
        other.__enter__()


def test_a_session_is_of_no_use_before_it_begins_after_its_end_and_in_another_thread(store: PostgresStore) -> None:
    for unit in (store.transaction(), store.snapshot()):
        with pytest.raises(TransactionError, match="has ended, or has not begun"):
            unit.rows(ONE)
        with unit as session:
            with pytest.raises(TransactionError, match="belongs to another thread"):
                in_thread(lambda session=session: session.rows(ONE))  # type: ignore[misc]
            with pytest.raises(TransactionError, match="belongs to another thread"):
                in_thread(lambda session=session: session.__exit__(None, None, None))  # type: ignore[misc]
            assert session.rows(ONE) == [(1,)]
        with pytest.raises(TransactionError, match="has ended, or has not begun"):
            session.rows(ONE)
        with pytest.raises(TransactionError, match="has ended, or has not begun"):
            session.__exit__(None, None, None)


def test_a_savepoint_is_of_no_use_after_the_end_of_its_transaction(store: PostgresStore) -> None:
    with pytest.raises(Boom), store.transaction() as tx:
        savepoint = tx.transaction()
        savepoint.__enter__()
        savepoint.rows(ONE)
        raise Boom
    with pytest.raises(TransactionError, match="the transaction has ended"):
        savepoint.rows(ONE)
    savepoint.__exit__(Boom, None, None)
    assert store.rows(ONE) == [(1,)]


def test_a_store_that_another_thread_closes_ends_the_transaction(store: PostgresStore) -> None:
    with pytest.raises(StoreClosed), store.transaction() as tx:
        tx.count(INSERT, ("a",))
        in_thread(store.close)
        with pytest.raises(StoreClosed):
            tx.rows(ONE)
    with open_postgres(store.settings) as other:
        assert ids(other) == []


# --- others in the way -------------------------------------------------------------------------------------


def test_a_deadlock_is_a_serialization_failure_for_one_of_the_two(store: PostgresStore) -> None:
    both_locked = threading.Barrier(2)
    failures: list[SerializationFailure] = []
    with database_setting(store, "deadlock_timeout", "20ms") as fresh:

        def update(first: str, second: str) -> None:
            try:
                with fresh.transaction() as tx:
                    tx.count(ADD, (first,))
                    both_locked.wait(10)
                    tx.count(ADD, (second,))
            except SerializationFailure as failure:
                failures.append(failure)

        threads = [threading.Thread(target=update, args=order) for order in (("x", "y"), ("y", "x"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [failure.query for failure in failures] == ["things.add"]
        assert fresh.rows(Statement("test.sum", "select sum(n)::bigint from things")) == [(2,)]


def test_a_statement_by_itself_is_run_again_after_a_deadlock(store: PostgresStore) -> None:
    store.script(Statement("test.attempts", "create sequence attempts"))
    thrice = """
        do $$ begin
            if nextval('attempts') < 3 then raise exception using errcode = '40P01'; end if;
            insert into things values ('a');
        end $$"""
    store.count(Statement("test.thrice", thrice, writes=True))
    assert ids(store) == ["a"]
    always = Statement("test.always", "do $$ begin raise exception using errcode = '40001'; end $$", writes=True)
    with pytest.raises(SerializationFailure):
        store.count(always)
    assert store.statistics()["database_statements_repeated_total"] == 2 + 4


@contextmanager
def database_setting(store: PostgresStore, name: str, value: str) -> Iterator[PostgresStore]:
    """A store whose sessions have this default."""
    ((database,),) = store.rows(Statement("test.name", "select current_database()"))
    alter = f"alter database {database}"
    store.script(Statement("test.set", f"{alter} set {name} = '{value}'"))  # type: ignore[arg-type]
    try:
        with open_postgres(store.settings) as other:
            yield other
    finally:
        store.script(Statement("test.reset", f"{alter} reset {name}"))  # type: ignore[arg-type]


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


@pytest.mark.parametrize("place", [(Transaction, "_mine"), (Link, "command")], ids=["the-end-begins", "rollback"])
def test_an_interrupt_at_the_end_leaves_no_transaction_open(
    store: PostgresStore, place: tuple[type, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, name = place
    step: Callable[..., Any] = getattr(owner, name)

    def interrupted(*arguments: Any) -> Any:
        step(*arguments)
        monkeypatch.undo()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), store.transaction() as tx:
        tx.count(INSERT, ("a",))
        monkeypatch.setattr(owner, name, interrupted)
        raise Boom
    with open_postgres(store.settings) as other:
        other.script(Statement("test.lock", "set local lock_timeout = '2s'; lock table things"))
    with store.transaction() as tx:
        tx.count(INSERT, ("b",))
    assert ids(store) == ["b"]
    assert store.statistics()["database_connection_pool_active"] == 0
