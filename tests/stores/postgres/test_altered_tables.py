"""A column gets another type while statements that read it are prepared: PostgreSQL refuses each of them once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import psycopg
import pytest

from diglot.errors import DatabaseError, SchemaMismatch, TransactionError
from diglot.sql.session import Session, Statement
from diglot.stores.postgres.store import PostgresStore, open_postgres
from diglot.stores.settings import PostgresSettings
from diglot.stores.url import parse_url

ALL = Statement("things.all", "select * from things order by id")
INSERT = Statement("things.insert", "insert into things values ($1, 0) returning *", writes=True)
NOTE = Statement("notes.insert", "insert into notes values ($1) returning *", writes=True)
NOTES = Statement("notes.all", "select id from notes order by id")
CONNECTIONS = 7
"""More than a statement is tried."""


@pytest.fixture(params=[True], ids=["near"])
def store(request: pytest.FixtureRequest, postgres_url_of_module: str) -> Iterator[PostgresStore]:
    """On all of its connections every statement is prepared; then the column ``n`` of ``things`` is altered."""
    settings = parse_url(postgres_url_of_module)
    assert isinstance(settings, PostgresSettings)
    with open_postgres(msgspec.structs.replace(settings, pool_max=CONNECTIONS)) as opened:
        opened.script(
            Statement(
                "test.schema",
                "drop schema public cascade; create schema public; create table notes (id text primary key);"
                "create table things (id text primary key, n int); insert into things values ('x', 1)",
            )
        )
        together = threading.Barrier(CONNECTIONS)

        def prepare() -> None:
            with opened.transaction() as tx:
                for number in range(8):
                    tx.rows(ALL)
                    tx.rows(NOTES)
                    for insert in (INSERT, NOTE):
                        tx.rows(insert, (f"{threading.get_ident()} {number}",))
                        tx.rows(Statement("test.empty", "delete from things where id <> 'x'", writes=True))
                        tx.rows(Statement("test.empty", "delete from notes", writes=True))
                together.wait(20)

        threads = [threading.Thread(target=prepare) for _ in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        links = opened._calls.pool.links()
        assert len(links) == CONNECTIONS
        for link in links:
            link.near = request.param
        alter(postgres_url_of_module, "bigint")
        yield opened


def alter(url: str, kind: str) -> None:
    with psycopg.connect(url) as admin:
        admin.execute(f"alter table things alter n type {kind}")  # type: ignore[arg-type]


CALLS: list[Any] = [
    pytest.param(lambda s: s.rows(ALL), [("x", 1)], [], id="rows"),
    pytest.param(lambda s: s.columns(ALL)[1], [("x", 1)], [], id="columns"),
    pytest.param(lambda s: s.rows(INSERT, ("y",)), [("y", 0)], ["y"], id="write"),
    pytest.param(lambda s: s.together([(NOTES, ()), (ALL, ())])[1], [("x", 1)], [], id="together"),
    pytest.param(lambda s: s.many(INSERT, [("y",), ("z",)]), 2, ["y", "z"], id="many"),
]


@pytest.mark.parametrize("store", [True, False], ids=["near", "far"], indirect=True)
@pytest.mark.parametrize(("call", "answer", "written"), CALLS)
@pytest.mark.parametrize("inside", ["store", "transaction", "savepoint", "snapshot"])
def test_what_is_sent_first_is_run_again(
    store: PostgresStore, call: Callable[[Session], Any], answer: Any, written: list[str], inside: str
) -> None:
    if inside == "store":
        assert call(store) == answer
    elif inside == "transaction":
        with store.transaction() as tx:
            assert call(tx) == answer
    elif inside == "savepoint":
        with store.transaction() as tx:
            with tx.transaction() as outer, outer.transaction() as inner:
                assert call(inner) == answer
            tx.rows(NOTE, ("kept",))
        assert store.rows(NOTES) == [("kept",)]
    elif not written:  # a snapshot only reads
        with store.snapshot() as snapshot:
            assert call(snapshot) == answer
    if inside != "snapshot":
        assert [id for id, _ in store.rows(ALL)] == ["x", *written]


def test_once_something_was_done_the_transaction_ends_and_says_what_to_do(store: PostgresStore) -> None:
    with (
        pytest.raises(SchemaMismatch, match=r"altered .*: run the transaction again \[things\.all\]$"),
        store.transaction() as tx,
    ):
        tx.rows(NOTE, ("a",))
        tx.rows(ALL)
    assert store.rows(NOTES) == []
    # Run again it goes well, on whatever connection: the plans of all of them were as old.
    together = threading.Barrier(CONNECTIONS)
    failures: list[Exception] = []

    def again() -> None:
        try:
            with store.transaction() as tx:
                tx.rows(NOTE, (str(threading.get_ident()),))
                tx.rows(ALL)
                together.wait(20)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=again) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(store.rows(NOTES)) == CONNECTIONS


def test_what_a_savepoint_sends_first_is_run_again_too(store: PostgresStore) -> None:
    with store.transaction() as tx:
        tx.rows(NOTE, ("a",))
        with tx.transaction() as inner:
            inner.rows(NOTE, ("b",))
        with tx.transaction() as outer:
            with outer.transaction() as inner:
                assert inner.rows(ALL) == [("x", 1)]
                inner.rows(NOTE, ("c",))
            with pytest.raises(Boom), outer.transaction() as inner:
                inner.rows(NOTE, ("d",))
                raise Boom
        assert tx.rows(INSERT, ("y",)) == [("y", 0)]
    assert store.rows(NOTES) == [("a",), ("b",), ("c",)]


def test_in_a_savepoint_it_ends_only_the_savepoint(store: PostgresStore) -> None:
    with store.transaction() as tx:
        tx.rows(NOTE, ("a",))
        with pytest.raises(SchemaMismatch), tx.transaction() as inner:
            inner.rows(NOTE, ("b",))
            inner.rows(ALL)
        assert tx.rows(ALL) == [("x", 1)]
    assert store.rows(NOTES) == [("a",)]


def test_a_column_that_is_gone_is_a_schema_mismatch_as_ever(store: PostgresStore, postgres_url_of_module: str) -> None:
    with psycopg.connect(postgres_url_of_module) as admin:
        admin.execute("alter table things rename n to m")
    named = Statement("things.named", "select n from things")
    for call in (lambda: store.rows(named), lambda: in_transaction(store, named)):
        with pytest.raises(SchemaMismatch, match="run 'diglot migrate up'"):
            call()


def test_what_postgresql_does_not_support_is_not_taken_for_an_altered_table(store: PostgresStore) -> None:
    unsupported = Statement("test.unsupported", "select count(*) from things for update", locks=True)
    with pytest.raises(DatabaseError, match=r"feature_not_supported \(0A000\)") as refused:
        in_transaction(store, unsupported)
    assert type(refused.value) is DatabaseError


def test_the_second_attempt_s_own_error_ends_the_transaction(store: PostgresStore) -> None:
    failing = Statement("things.insert", INSERT.text, writes=True)
    with pytest.raises(TransactionError, match="was rolled back"), store.transaction() as tx:
        with pytest.raises(DatabaseError, match="exists already"):
            tx.rows(failing, ("x",))
        with pytest.raises(TransactionError, match="roll back first"):
            tx.rows(NOTES)


class Boom(Exception):
    pass


def in_transaction(store: PostgresStore, statement: Statement) -> None:
    with store.transaction() as tx:
        tx.rows(statement)
