"""A stream gives the rows of a read in lists, in one state, and holds nothing once it is closed."""

from __future__ import annotations

import pytest

from diglot.errors import DatabaseError, SchemaMismatch, TransactionError
from diglot.sql.session import Statement
from diglot.stores.store import Store

NUMBERS = Statement("test.numbers", "select n from numbers order by n")
ADD = Statement("test.add", "insert into numbers (n) select max(n) + 1 from numbers", writes=True)


@pytest.fixture
def numbers(store: Store) -> Store:
    store.script(Statement("test.make", "create table numbers (n integer primary key)"))
    recursive = "with recursive r (n) as (select 1 union all select n + 1 from r where n < 2500)"
    store.count(Statement("test.fill", f"insert into numbers (n) {recursive} select n from r", writes=True))
    return store


def test_gives_all_rows_in_lists_of_the_size_that_was_asked_for(numbers: Store) -> None:
    sizes = [len(rows) for rows in numbers.stream(NUMBERS)]
    assert sizes == [1000, 1000, 500]
    assert [row for rows in numbers.stream(NUMBERS, size=500) for row in rows] == [(n,) for n in range(1, 2501)]
    assert list(numbers.stream(Statement("test.none", "select n from numbers where n < 0"))) == []


def test_takes_values(numbers: Store) -> None:
    mark = "$1" if numbers.dialect == "postgres" else "?"
    above = Statement("test.above", f"select n from numbers where n > {mark} order by n")
    assert [row for rows in numbers.stream(above, (2498,)) for row in rows] == [(2499,), (2500,)]


def test_two_streams_of_a_snapshot_do_not_meet(numbers: Store) -> None:
    with numbers.snapshot() as snapshot:
        pairs = zip(snapshot.stream(NUMBERS, size=10), snapshot.stream(NUMBERS, size=10), strict=True)
        assert all(one == other for one, other in pairs)


def test_sees_the_state_in_which_it_began(numbers: Store) -> None:
    if numbers.location == ":memory:":
        pytest.skip("a database in memory has one connection: nobody writes while it is read")
    from concurrent.futures import ThreadPoolExecutor

    batches = numbers.stream(NUMBERS)
    found = len(next(batches))
    with ThreadPoolExecutor(1) as pool:
        pool.submit(numbers.count, ADD).result()
    found += sum(len(rows) for rows in batches)
    assert found == 2500
    assert sum(len(rows) for rows in numbers.stream(NUMBERS)) == 2501


def test_holds_no_connection_once_it_is_closed(numbers: Store) -> None:
    for _ in range(20):
        batches = numbers.stream(NUMBERS)
        next(batches)
        batches.close()
    assert numbers.count(ADD) == 1
    with numbers.transaction() as tx:
        batches = tx.stream(NUMBERS)
        next(batches)
        batches.close()
        assert tx.count(ADD) == 1


def test_refuses_what_writes(numbers: Store) -> None:
    with pytest.raises(TransactionError, match="only the rows of a read"):
        list(numbers.stream(ADD))


def test_a_failure_is_that_of_the_statement(numbers: Store) -> None:
    with pytest.raises(SchemaMismatch):
        list(numbers.stream(Statement("test.wrong", "select n from nowhere")))
    with pytest.raises(DatabaseError), numbers.transaction() as tx:
        list(tx.stream(Statement("test.wrong", "select n from nowhere")))
    assert numbers.count(ADD) == 1
