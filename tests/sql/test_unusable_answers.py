"""A statement that writes, whose answer then can't be used: the error never claims that nothing was written."""

from __future__ import annotations

import threading
from typing import Any

import msgspec
import pytest

from diglot.errors import QueryResultError
from diglot.sql.session import Session
from diglot.stores.store import Store
from tests.parity.adhoc import query, rows, script, value

BAD = {"postgres": "'infinity'", "sqlite": "'no time'"}
"""A value that its column takes and no timestamp can be made of: psycopg refuses one, our decoder the other."""
FOR_GOOD = r"; what the statement wrote is stored$"
PERHAPS = r"; what the statement wrote is stored if the transaction commits$"


class Pair(msgspec.Struct):
    n: int
    at: str


def insert(session: Session, n: int, suffix: str = "", returns: str = "timestamp", columns: str = "at") -> Any:
    """A query that inserts ``n`` and a bad timestamp."""
    text = f"insert into things (n, at) values (:n, {BAD[session.dialect]}) returning {columns}"
    return query(session, text, suffix, returns, {"Pair": Pair}, n=n)


@pytest.fixture
def things(store: Store) -> Store:
    kind = "timestamptz" if store.dialect == "postgres" else "text"
    strict = " strict" if store.dialect == "sqlite" else ""
    script(store, f"create table things (n {'bigint' if strict == '' else 'integer'}, at {kind}){strict};")
    return store


def numbers(session: Session) -> list[int]:
    return rows(session, "select n from things order by n", "int")  # type: ignore[no-any-return]


SUFFIXES = ["", "^", "$"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_value_that_can_not_be_decoded(things: Store, suffix: str) -> None:
    insert_one = insert(things, 1, suffix)
    for n in (1, 2, 3):
        with pytest.raises(QueryResultError, match=FOR_GOOD):
            insert_one(things, n=n)
        elsewhere: list[Any] = []
        thread = threading.Thread(target=lambda: elsewhere.append(numbers(things)))  # noqa: B023
        thread.start()
        thread.join()
        assert elsewhere == [list(range(1, n + 1))], "committed, so that others see it"


def test_two_rows_where_one_was_to_come(things: Store) -> None:
    both = "insert into things (n) values (1), (2) returning n"
    for suffix, says in (("^", "one row, but gave 2"), ("$", "one value, but gave 2 rows")):
        with pytest.raises(QueryResultError, match=says + FOR_GOOD):
            query(things, both, suffix, "int")(things)
    nothing = "update things set n = 3 where n = :n returning at"
    with pytest.raises(QueryResultError, match="gave no row: .*" + FOR_GOOD):
        query(things, nothing, "$", "timestamp", n=9)(things, n=9)
    assert numbers(things) == [1, 1, 2, 2]


def test_columns_that_are_not_the_model_s(things: Store) -> None:
    with pytest.raises(QueryResultError, match="its model has the fields .*" + FOR_GOOD):
        insert(things, 1, "", "Pair", "n, n as other")(things, n=1)
    assert numbers(things) == [1]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_in_a_transaction_it_is_stored_if_that_commits(things: Store, suffix: str) -> None:
    with things.transaction() as tx:
        insert_one = insert(tx, 1, suffix)
        for n in (1, 2):
            with pytest.raises(QueryResultError, match=PERHAPS):
                insert_one(tx, n=n)
        with pytest.raises(QueryResultError, match=PERHAPS), tx.transaction() as inner:
            insert_one(inner, n=3)
    assert numbers(things) == [1, 2], "the statements went well, so the transaction could go on"
    with pytest.raises(QueryResultError, match=PERHAPS), things.transaction() as tx:
        insert_one(tx, n=4)
    assert numbers(things) == [1, 2]


def test_an_answer_of_a_read_says_nothing_of_it(things: Store) -> None:
    with pytest.raises(QueryResultError):
        insert(things, 1)(things, n=1)
    with things.snapshot() as snapshot:
        with pytest.raises(QueryResultError) as refused:
            rows(snapshot, "select at from things", "timestamp")
        assert "wrote" not in str(refused.value)
        assert numbers(snapshot) == [1]
    with pytest.raises(QueryResultError) as refused:
        rows(things, "select at from things", "timestamp")
    assert "wrote" not in str(refused.value)


def test_text_that_is_not_utf_8_is_not_shown(things: Store) -> None:
    """Only SQLite can hold it."""
    if things.dialect == "sqlite":
        text = "insert into things values (1, cast(x'736563726574ff' as text)) returning at"
        for _ in range(2):
            with pytest.raises(QueryResultError, match="it is not UTF-8.*" + FOR_GOOD) as refused:
                query(things, text, "", "text")(things)
            assert "secret" not in str(refused.value)
        assert value(things, "select count(*) as n from things", "int") == 2
