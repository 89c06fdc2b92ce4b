"""Transactions, savepoints and snapshots on SQLite: what is stored, what is refused, and to whom they belong."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from diglot.errors import (
    DatabaseError,
    DatabaseFull,
    ForeignKeyViolation,
    SerializationFailure,
    StatementTimeout,
    TransactionError,
    UniqueViolation,
)
from diglot.stores.settings import SQLiteSettings
from diglot.stores.sqlite.connection import Link
from diglot.stores.sqlite.gate import Gate
from diglot.stores.sqlite.library import library
from diglot.stores.sqlite.store import SQLiteStore, open_sqlite
from diglot.stores.transaction import Transaction
from tests.stores.sqlite.workload import ENDLESS, read, write

pytestmark = pytest.mark.sqlite

ADD = write("insert into t values (?)")
ALL = read("select id from t order by id")


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SQLiteStore]:
    path = ":memory:" if request.param == "memory" else str(tmp_path / "app.db")
    with open_sqlite(
        SQLiteSettings(path=path, lock_timeout=0.3, statement_timeout=0.3, synchronous="relaxed")
    ) as store:
        store.script(
            write(
                "create table t (id integer primary key) strict;"
                "create table child (t integer references t (id) deferrable initially deferred) strict;"
            )
        )
        yield store


def ids(store: SQLiteStore) -> list[int]:
    return [found for (found,) in store.rows(ALL)]


class Boom(Exception):
    pass


def test_a_transaction_commits_at_its_end(store: SQLiteStore) -> None:
    with store.transaction() as transaction:
        assert (transaction.dialect, transaction.in_transaction) == ("sqlite", True)
        assert transaction.rows(ADD, (1,)) == []
        assert transaction.count(ADD, (2,)) == 1
        assert transaction.many(ADD, [(3,), (4,)]) == 2
        transaction.script(write("insert into t values (5); insert into t values (6)"))
        assert transaction.columns(read("select max(id) as m from t")) == (["m"], [(6,)])
        assert transaction.together([(ALL, ()), (read("select 1"), ())])[1] == [(1,)]
        assert transaction.rows(read("select id from t where id = 1", locks=True)) == [(1,)]
    assert ids(store) == [1, 2, 3, 4, 5, 6]


def test_a_transaction_that_an_exception_leaves_stores_nothing(store: SQLiteStore) -> None:
    with pytest.raises(Boom), store.transaction() as transaction:
        transaction.count(ADD, (1,))
        raise Boom
    assert ids(store) == []


def test_a_savepoint_is_rolled_back_alone(store: SQLiteStore) -> None:
    with store.transaction() as transaction:
        transaction.count(ADD, (1,))
        with pytest.raises(Boom), transaction.transaction() as savepoint:
            savepoint.count(ADD, (2,))
            with savepoint.transaction() as inner:
                inner.count(ADD, (3,))
            raise Boom
        with transaction.transaction() as savepoint:
            savepoint.count(ADD, (4,))
        transaction.count(ADD, (5,))
    assert ids(store) == [1, 4, 5]


def test_a_transaction_of_the_store_inside_one_is_a_savepoint_of_it(store: SQLiteStore) -> None:
    with store.transaction() as transaction:
        transaction.count(ADD, (1,))
        with pytest.raises(Boom), store.transaction() as savepoint:
            savepoint.count(ADD, (2,))
            raise Boom
        with store.transaction() as savepoint:
            savepoint.count(ADD, (3,))
    assert ids(store) == [1, 3]


def test_a_statement_that_fails_ends_the_unit_of_work(store: SQLiteStore) -> None:
    store.count(ADD, (1,))
    with (
        pytest.raises(TransactionError, match=r"roll back first: .*exists already"),
        store.transaction() as transaction,
    ):
        transaction.count(ADD, (2,))
        with pytest.raises(UniqueViolation):
            transaction.count(ADD, (1,))
        transaction.rows(ALL)
    assert ids(store) == [1]


def test_a_block_left_normally_after_a_failure_raises_and_stores_nothing(store: SQLiteStore) -> None:
    store.count(ADD, (1,))
    with pytest.raises(TransactionError, match="was rolled back"), store.transaction() as transaction:
        transaction.count(ADD, (2,))
        with pytest.raises(UniqueViolation):
            transaction.rows(ADD, (1,))
    assert ids(store) == [1]


def test_a_failure_inside_a_savepoint_ends_only_the_savepoint(store: SQLiteStore) -> None:
    store.count(ADD, (1,))
    with store.transaction() as transaction:
        with pytest.raises(UniqueViolation), transaction.transaction() as savepoint:
            savepoint.count(ADD, (2,))
            savepoint.count(ADD, (1,))
        with pytest.raises(TransactionError, match="savepoint was rolled back"), transaction.transaction() as savepoint:
            savepoint.count(ADD, (3,))
            with pytest.raises(UniqueViolation):
                savepoint.count(ADD, (1,))
            with pytest.raises(TransactionError, match="roll back first"):
                transaction.rows(ALL)
        transaction.count(ADD, (4,))
    assert ids(store) == [1, 4]


def test_a_failed_commit_is_raised_and_stores_nothing(store: SQLiteStore) -> None:
    with pytest.raises(ForeignKeyViolation), store.transaction() as transaction:
        transaction.count(ADD, (1,))
        transaction.count(write("insert into child values (99)"))
    assert ids(store) == []
    with store.transaction() as transaction:
        transaction.count(ADD, (2,))
    assert ids(store) == [2], "the connection is free for the next"


def test_what_sqlite_rolls_back_by_itself_can_not_be_saved_by_a_savepoint(store: SQLiteStore) -> None:
    with pytest.raises(TransactionError, match="was rolled back"), store.transaction() as transaction:
        transaction.count(ADD, (1,))
        with pytest.raises(StatementTimeout), transaction.transaction() as savepoint:
            savepoint.count(write("insert into t " + ENDLESS.text))
        with pytest.raises(TransactionError, match="roll back first"):
            transaction.count(ADD, (2,))
    assert ids(store) == []


def test_a_full_disk_ends_the_transaction_and_the_store_goes_on(tmp_path: Path) -> None:
    with open_sqlite(SQLiteSettings(path=str(tmp_path / "app.db"))) as store:
        store.script(write("create table t (id integer primary key, b blob) strict"))
        assert store.rows(write("pragma max_page_count = 20")) == [(20,)]
        with pytest.raises(DatabaseFull), store.transaction() as transaction:
            transaction.count(write("insert into t values (1, null)"))
            transaction.count(write("insert into t values (2, zeroblob(200000))"))
        with pytest.raises(DatabaseFull):
            store.count(write("insert into t values (3, zeroblob(200000))"))
        store.rows(write("pragma max_page_count = 1000"))
        assert store.count(write("insert into t values (4, zeroblob(200000))")) == 1
        assert ids(store) == [4]


def test_a_statement_that_ends_the_transaction_is_found_out(store: SQLiteStore) -> None:
    with pytest.raises(TransactionError, match="leave COMMIT and ROLLBACK"), store.transaction() as transaction:
        transaction.rows(write("rollback"))
    assert ids(store) == []


def test_savepoints_that_end_in_the_wrong_order_store_nothing(store: SQLiteStore) -> None:
    with pytest.raises(TransactionError), store.transaction() as transaction:
        outer, inner = transaction.transaction(), transaction.transaction()
        outer.__enter__()
        inner.__enter__()
        transaction.count(ADD, (1,))
        outer.__exit__(None, None, None)
    assert ids(store) == []


USES: list[Any] = [
    pytest.param(lambda session: session.rows(ALL), id="rows"),
    pytest.param(lambda session: session.count(ADD, (9,)), id="count"),
    pytest.param(lambda session: session.many(ADD, [(9,)]), id="many"),
    pytest.param(lambda session: session.script(write("insert into t values (9)")), id="script"),
    pytest.param(lambda session: session.columns(ALL), id="columns"),
    pytest.param(lambda session: session.together([(ALL, ())]), id="together"),
]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("kind", ["transaction", "snapshot"])
def test_the_store_refuses_a_thread_that_has_something_open(
    store: SQLiteStore, kind: str, use: Callable[[Any], object]
) -> None:
    with getattr(store, kind)(), pytest.raises(TransactionError, match="use that, not the store"):
        use(store)
    use(store)


def test_the_store_opens_nothing_else_for_a_thread_that_has_something_open(store: SQLiteStore) -> None:
    with store.snapshot() as snapshot:
        for call in (store.transaction, store.snapshot, store.checkpoint, snapshot.transaction):
            with pytest.raises(TransactionError):
                call()
        with pytest.raises(TransactionError), store.migration_connection(1):
            pass
    with store.transaction():
        for call in (store.snapshot, store.checkpoint):
            with pytest.raises(TransactionError):
                call()
    first, second = store.transaction(), store.transaction()
    with first, pytest.raises(TransactionError), second:
        pass
    assert store.rows(ALL) == []


def test_other_threads_go_on_while_one_has_a_snapshot(tmp_path: Path) -> None:
    with open_sqlite(SQLiteSettings(path=str(tmp_path / "app.db"))) as store:
        store.script(write("create table t (id integer primary key) strict"))
        with store.snapshot() as snapshot:
            assert snapshot.rows(ALL) == []
            other = threading.Thread(target=lambda: (store.count(ADD, (1,)), store.rows(ALL)))
            other.start()
            other.join()
            assert snapshot.rows(ALL) == []
        assert ids(store) == [1]


@pytest.mark.parametrize("use", USES[1:4])
def test_a_snapshot_refuses_to_write(store: SQLiteStore, use: Callable[[Any], object]) -> None:
    with store.snapshot() as snapshot:
        with pytest.raises(TransactionError, match="snapshot only reads"):
            use(snapshot)
        with pytest.raises(TransactionError, match="snapshot only reads"):
            snapshot.rows(read("select 1", locks=True))
        assert snapshot.rows(ALL) == [], "a refusal of ours does not end it"


def test_a_statement_that_locks_needs_a_transaction(store: SQLiteStore) -> None:
    locking = read("select id from t", locks=True)
    for call in (store.rows, store.count, store.columns):
        with pytest.raises(TransactionError, match="only in a transaction"):
            call(locking)
    with pytest.raises(TransactionError, match="only in a transaction"):
        store.rows(write("update t set id = 1", locks=True))


@pytest.mark.parametrize("use", USES)
def test_a_session_that_has_ended_or_not_begun_is_refused(store: SQLiteStore, use: Callable[[Any], object]) -> None:
    transaction = store.transaction()
    with pytest.raises(TransactionError, match="has not begun"):
        use(transaction)
    with transaction:
        savepoint = transaction.transaction()
        with savepoint:
            pass
        with pytest.raises(TransactionError, match="savepoint has ended"):
            use(savepoint)
    with pytest.raises(TransactionError, match="has ended"):
        use(transaction)
    with pytest.raises(TransactionError, match="has ended"):
        transaction.transaction()


@pytest.mark.parametrize("use", USES)
def test_a_session_belongs_to_its_thread(store: SQLiteStore, use: Callable[[Any], object]) -> None:
    found: list[BaseException] = []

    def elsewhere() -> None:
        for call in (lambda: use(transaction), lambda: transaction.__exit__(None, None, None)):
            try:
                call()
            except TransactionError as error:
                found.append(error)

    with store.transaction() as transaction:
        other = threading.Thread(target=elsewhere)
        other.start()
        other.join()
        transaction.count(ADD, (1,))
    assert ["belongs to another thread" in str(error) for error in found] == [True, True]
    assert ids(store) == [1]


def test_a_snapshot_that_another_writer_overtakes_still_ends(store: SQLiteStore) -> None:
    with pytest.raises(Boom), store.snapshot():
        raise Boom
    with store.snapshot() as snapshot:
        assert snapshot.rows(ALL) == []
    assert store.count(ADD, (1,)) == 1


def test_busy_inside_a_transaction_asks_to_run_it_again(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with open_sqlite(SQLiteSettings(path=str(path), lock_timeout=0.1)) as store:
        store.script(write("create table t (id integer primary key) strict"))
        other = library().connect(path, isolation_level=None)
        with pytest.raises(SerializationFailure), store.transaction() as transaction:
            # What was read is overtaken by another writer before the first write: SQLITE_BUSY_SNAPSHOT.
            connection = transaction.unit.link.connection  # type: ignore[union-attr]
            connection.execute("rollback")
            connection.execute("begin deferred")
            transaction.rows(ALL)
            other.execute("insert into t values (7)")
            transaction.count(ADD, (8,))
        other.close()
        assert ids(store) == [7]


def test_the_migration_connection_is_alone_and_set_right_again(store: SQLiteStore) -> None:
    with store.migration_connection(1.0) as connection:
        assert connection.isolation_level is None
        assert connection.execute("pragma foreign_keys").fetchone() == (0,)
        connection.execute("begin immediate")
        connection.execute("insert into t values (1)")
        connection.execute("insert into child values (99)")
        connection.execute("commit")
        connection.execute("begin immediate")
        connection.execute("insert into t values (2)")
        for call in (lambda: store.rows(ALL), store.transaction, store.close):
            with pytest.raises(TransactionError, match="migration"):
                call()
        connection.row_factory = library().Row
        assert store.statistics()["database_sqlite_page_count"] > 0
    assert ids(store) == [1], "what was not committed is rolled back"
    with pytest.raises(ForeignKeyViolation):
        store.count(write("insert into child values (98)"))


@pytest.mark.parametrize("path", ["app.db", ":memory:"])
def test_a_migration_may_take_longer_than_a_statement(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    long = ENDLESS.text.replace("from q)", "from q where x < 400000)")
    with open_sqlite(SQLiteSettings(path=path, statement_timeout=0.02)) as store:
        with store.migration_connection(1.0) as connection:
            assert connection.execute(long).fetchall() == [(400000,)]
        with pytest.raises(StatementTimeout):
            store.rows(write(long))


def test_a_migration_connection_that_its_user_closed_is_replaced(tmp_path: Path) -> None:
    with open_sqlite(SQLiteSettings(path=str(tmp_path / "app.db"))) as store:
        with store.migration_connection(1.0) as connection:
            connection.execute("create table t (id integer primary key)")
            connection.close()
        store.count(ADD, (1,))
        assert ids(store) == [1]


@pytest.mark.parametrize("kind", ["transaction", "snapshot"])
def test_a_connection_that_can_not_roll_back_is_given_up_and_the_block_s_own_error_is_seen(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = Link.command

    def failing(self: Link, text: str) -> None:
        if text == "rollback":
            error = library().OperationalError("disk I/O error")
            error.sqlite_errorcode = 10
            raise error
        command(self, text)

    with open_sqlite(SQLiteSettings(path=str(tmp_path / "app.db"), readers=1)) as store:
        store.script(write("create table t (id integer primary key) strict"))
        with monkeypatch.context() as patch:
            patch.setattr(Link, "command", failing)
            with pytest.raises(Boom), getattr(store, kind)() as session:
                session.rows(ALL)
                raise Boom
        assert ids(store) == []
        with store.transaction() as transaction:
            transaction.count(ADD, (1,))
        assert ids(store) == [1]


def test_a_savepoint_that_can_not_be_rolled_back_is_undone_by_the_block_outside(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = Link.command

    def failing(self: Link, text: str) -> None:
        if text.endswith("diglot_2") and not text.startswith("savepoint"):
            raise library().OperationalError("disk I/O error")
        command(self, text)

    monkeypatch.setattr(Link, "command", failing)
    with store.transaction() as transaction:
        transaction.count(ADD, (1,))
        with pytest.raises(TransactionError, match="savepoint was rolled back"), transaction.transaction() as outer:
            outer.count(ADD, (2,))
            with pytest.raises(Boom), outer.transaction() as inner:
                inner.count(ADD, (3,))
                raise Boom
            with pytest.raises(TransactionError, match="roll back first"):
                outer.count(ADD, (4,))
        with pytest.raises(DatabaseError, match="disk I/O error"), transaction.transaction() as outer:
            outer.count(ADD, (5,))
            with outer.transaction() as inner:
                inner.count(ADD, (6,))
        transaction.count(ADD, (7,))
    assert ids(store) == [1, 7]


@pytest.mark.parametrize("place", ["the turn is taken", "the end begins", "the connection is given back", "the gate"])
def test_an_interrupt_between_two_steps_leaves_the_writer_to_the_others(
    tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C comes after a call: what the call has taken is given back all the same."""
    owner, name = {
        "the turn is taken": (SQLiteStore, "acquire"),
        "the end begins": (Transaction, "_mine"),
        "the connection is given back": (SQLiteStore, "give_back"),
        "the gate": (Gate, "release"),
    }[place]
    step: Callable[..., Any] = getattr(owner, name)

    def interrupted(*arguments: Any) -> Any:
        step(*arguments)
        monkeypatch.undo()
        raise KeyboardInterrupt

    with open_sqlite(SQLiteSettings(path=str(tmp_path / "app.db"), lock_timeout=1.0)) as store:
        store.script(write("create table t (id integer primary key) strict"))
        transaction = store.transaction()
        with pytest.raises(KeyboardInterrupt):
            if place == "the end begins":
                transaction.__enter__().count(ADD, (1,))
                monkeypatch.setattr(owner, name, interrupted)
                transaction.__exit__(Boom, None, None)
            else:
                monkeypatch.setattr(owner, name, interrupted)
                with transaction, suppress(Boom):
                    raise Boom
        others = threading.Thread(target=lambda: store.count(ADD, (2,)))
        others.start()
        others.join()
        store.count(ADD, (3,))
        assert ids(store) == [2, 3]
        with pytest.raises(TransactionError):
            transaction.count(ADD, (4,))
