"""Transactions and savepoints that are not used as nested blocks: nothing is half stored, whatever is done."""

from __future__ import annotations

import gc
import importlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from diglot.errors import TransactionError, UniqueViolation
from diglot.sql.session import Session, Statement
from diglot.stores.store import Store
from tests.parity.adhoc import count, rows, scratch, script


class Boom(Exception):
    pass


@pytest.fixture
def things(store: Store) -> Store:
    scratch(store, id="text")
    script(store, "create unique index uq_scratch on scratch (id); insert into scratch values ('taken');")
    return store


def add(session: Session, id: str) -> None:
    count(session, "insert into scratch values (:id)", id=id)


def ids(session: Session) -> list[str]:
    found = rows(session, "select id from scratch order by id", "text")
    return [id for id in found if id != "taken"]


def test_a_transaction_does_not_commit_while_a_block_in_it_is_open(things: Store) -> None:
    with pytest.raises(TransactionError, match="has not ended"), things.transaction() as tx:
        inner = tx.transaction()
        add(inner.__enter__(), "a")
    with pytest.raises(TransactionError, match="the transaction has ended"):
        add(inner, "b")  # type: ignore[arg-type]
    inner.__exit__(GeneratorExit, None, None)
    assert ids(things) == []
    add(things, "c")
    assert ids(things) == ["c"]


def test_a_block_in_a_generator_that_nobody_finishes(things: Store) -> None:
    def halfway(session: Any) -> Iterator[None]:
        with session.transaction() as inner:
            add(inner, "half")
            yield
            add(inner, "whole")

    generator = halfway(things)
    next(generator)
    with pytest.raises(TransactionError, match="use that"):
        ids(things)
    generator.close()
    assert ids(things) == []
    with pytest.raises(TransactionError, match="has not ended"), things.transaction() as tx:
        generator = halfway(tx)
        next(generator)
    del generator
    gc.collect()
    assert ids(things) == []
    with things.transaction() as tx:
        generator = halfway(tx)
        next(generator)
        generator.close()
        add(tx, "after")
    assert ids(things) == ["after"]


def test_a_block_that_went_with_the_one_outside_of_it_is_of_no_use(things: Store) -> None:
    with things.transaction() as tx:
        outer = tx.transaction()
        outer.__enter__()
        inner = outer.transaction()  # type: ignore[attr-defined]
        add(inner.__enter__(), "a")
        outer.__exit__(Boom, None, None)
        for call in (lambda: add(inner, "b"), lambda: inner.transaction()):
            with pytest.raises(TransactionError, match="rolled back with its outer block"):
                call()
        inner.__exit__(GeneratorExit, None, None)
        add(tx, "c")
    assert ids(things) == ["c"]


@pytest.mark.parametrize("normally", [True, False])
def test_blocks_that_end_crosswise(things: Store, normally: bool) -> None:
    with things.transaction() as tx:
        add(tx, "a")
        outer, inner = tx.transaction(), tx.transaction()
        outer.__enter__()
        add(inner.__enter__(), "b")
        if normally:
            with pytest.raises(TransactionError, match="in another order than they began"):
                outer.__exit__(None, None, None)
            with pytest.raises(TransactionError, match="rolled back with its outer block"):
                inner.__exit__(None, None, None)
        else:
            outer.__exit__(Boom, None, None)
            inner.__exit__(Boom, None, None)
        with tx.transaction() as another:
            add(another, "c")
    assert ids(things) == ["a", "c"]


def test_a_block_begins_once_and_only_in_a_transaction_that_goes_on(things: Store) -> None:
    with things.transaction() as tx:
        late, failed = tx.transaction(), tx.transaction()
        with tx.transaction() as inner, pytest.raises(TransactionError, match="has begun already"):
            inner.__enter__()  # type: ignore[attr-defined]
        with pytest.raises(TransactionError, match="roll back first"), tx.transaction() as inner:
            with pytest.raises(UniqueViolation):
                add(inner, "taken")
            failed.__enter__()
        add(tx, "a")
    with pytest.raises(TransactionError, match="the transaction has ended"):
        late.__enter__()
    assert ids(things) == ["a"]


def test_a_block_is_of_no_use_to_another_thread(things: Store) -> None:
    refused: list[str] = []

    def elsewhere() -> None:
        for call in (lambda: made.__enter__(), lambda: begun.__exit__(None, None, None), lambda: add(begun, "b")):
            try:
                call()
            except TransactionError as error:
                refused.append(str(error))

    with things.transaction() as tx:
        made = tx.transaction()
        with tx.transaction() as begun:
            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()
            add(begun, "a")
    assert len(refused) == 3
    assert all("belongs to another thread" in said for said in refused)
    assert ids(things) == ["a"]


@pytest.mark.parametrize("word", ["commit", "rollback"])
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_statement_that_ends_the_transaction_is_found_out_at_once(things: Store, word: str, depth: int) -> None:
    ends = Statement("test.ends", word)  # type: ignore[arg-type]
    with pytest.raises(TransactionError), ExitStack() as blocks:
        session = blocks.enter_context(things.transaction())
        add(session, "a")
        for _ in range(depth):
            session = blocks.enter_context(session.transaction())
        with pytest.raises(TransactionError, match=r"leave COMMIT and ROLLBACK to the block \[test.ends\]"):
            session.rows(ends)
        with pytest.raises(TransactionError, match="roll back first"):
            add(session, "b")
    assert ids(things) == (["a"] if word == "commit" else [])
    add(things, "after")


MANY = {"postgres": "insert into scratch values ($1)", "sqlite": "insert into scratch values (?)"}


@pytest.mark.parametrize("batch", ["many", "script"])
def test_a_batch_that_an_interrupt_cuts_short_is_not_stored_by_half(
    things: Store, batch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Ctrl-C between two statements of it does, even when the block catches that."""
    dialect = things.dialect
    module = importlib.import_module(f"diglot.stores.{dialect}.statements")
    whole: Callable[..., Any] = getattr(module, batch)

    def interrupted(*arguments: Any) -> Any:
        whole(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, batch, interrupted)
    insert = Statement("test.many", MANY[dialect], writes=True)  # type: ignore[arg-type]
    script_of_one = Statement("test.script", "insert into scratch values ('a')")
    with (
        pytest.raises(TransactionError, match="KeyboardInterrupt"),
        things.transaction() as tx,
        pytest.raises(KeyboardInterrupt),
    ):
        tx.many(insert, [("a",), ("b",)]) if batch == "many" else tx.script(script_of_one)
    assert ids(things) == []


def test_a_transaction_that_is_entered_twice_stays_open_and_commits(things: Store) -> None:
    tx = things.transaction()
    with tx:
        add(tx, "a")
        with pytest.raises(TransactionError, match="has begun already"):
            tx.__enter__()  # type: ignore[attr-defined]
        add(tx, "b")
    assert ids(things) == ["a", "b"]


def test_a_snapshot_inside_a_transaction_is_the_transaction(things: Store) -> None:
    with things.transaction() as tx:
        add(tx, "a")
        with tx.snapshot() as inner, inner.transaction() as savepoint:
            assert ids(inner) == ["a"]
            add(savepoint, "b")
        assert ids(tx) == ["a", "b"]
    with things.snapshot() as snapshot, snapshot.snapshot() as inner:
        assert ids(inner) == ["a", "b"]
        with pytest.raises(TransactionError, match="a snapshot only reads"):
            add(inner, "c")
    with pytest.raises(TransactionError, match="has ended"):
        snapshot.snapshot()


def test_a_script_is_refused_in_a_snapshot(things: Store) -> None:
    with things.snapshot() as snapshot, pytest.raises(TransactionError, match="a snapshot only reads"):
        script(snapshot, "select 1; select 2;")


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_the_error_of_a_child_that_was_forked_in_a_block_is_seen(store: Store) -> None:
    def leave() -> None:
        with store.transaction() as tx, tx.transaction():
            child = os.fork()
            if child == 0:
                raise Boom
            assert os.waitpid(child, 0)[1] == 0

    parent = os.getpid()
    try:
        leave()
    except BaseException as error:
        if os.getpid() != parent:
            os._exit(0 if type(error) is Boom else 1)
        raise
