"""Statements that stand by themselves, on a file and in memory: what they answer, and on which connection."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from diglot.errors import (
    DatabaseReadOnly,
    LockTimeout,
    PoolTimeout,
    StatementTimeout,
    StoreClosed,
    TransactionError,
    UniqueViolation,
)
from diglot.stores.settings import SQLiteSettings
from diglot.stores.sqlite.file import FileConnections
from diglot.stores.sqlite.pool import Readers
from diglot.stores.sqlite.store import SQLiteStore, open_sqlite
from diglot.stores.store import Store
from tests.stores.sqlite.workload import ENDLESS, read, wait_until, write

pytestmark = pytest.mark.sqlite

TABLE = write(
    """
    -- a table; with a semicolon in a comment
    create table t (id integer primary key, name text unique default 'a;b') strict;
    create table log (id integer) strict;
    create trigger t_insert after insert on t begin insert into log values (new.id); select 1; end;
    insert into t (id) values (1); /* the last one has no semicolon */
    insert into t (id, name) values (2, 'two')
    """
)


@pytest.fixture(params=["file", "memory"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> SQLiteSettings:
    path = ":memory:" if request.param == "memory" else str(tmp_path / "app.db")
    return SQLiteSettings(path=path, lock_timeout=0.3, statement_timeout=0.3, readers=2, synchronous="relaxed")


@pytest.fixture
def store(settings: SQLiteSettings) -> Iterator[SQLiteStore]:
    with open_sqlite(settings) as store:
        store.script(TABLE)
        yield store


@pytest.fixture
def file_store(tmp_path: Path) -> Iterator[SQLiteStore]:
    settings = SQLiteSettings(
        path=str(tmp_path / "app.db"), lock_timeout=0.3, statement_timeout=0.3, readers=2, synchronous="relaxed"
    )
    with open_sqlite(settings) as store:
        store.script(TABLE)
        yield store


def test_it_is_a_store(store: SQLiteStore) -> None:
    assert isinstance(store, Store)
    assert (store.dialect, store.in_transaction) == ("sqlite", False)
    assert store.server_version.startswith("SQLite 3.")


def test_rows_are_plain_tuples_of_what_sqlite_keeps(store: SQLiteStore) -> None:
    values = (1, 1.5, "é\U0001f600", b"\x00\xff", None, 2**63 - 1, -(2**63))
    assert store.rows(read("select ?, ?, ?, ?, ?, ?, ?"), values) == [values]
    assert store.rows(read("select id from t where id > 5")) == []
    assert store.rows(write("delete from t where id > 5")) == []


def test_a_write_with_returning_answers_and_is_committed(store: SQLiteStore) -> None:
    statement = write("insert into t (id, name) values (?, ?), (?, ?) returning id, name")
    assert store.rows(statement, (3, "c", 4, "d")) == [(3, "c"), (4, "d")]
    assert store.rows(read("select count(*) from t")) == [(4,)]


def test_columns_come_with_their_names(store: SQLiteStore) -> None:
    assert store.columns(read("select id, name as n from t order by id")) == (["id", "n"], [(1, "a;b"), (2, "two")])
    assert store.columns(write("delete from t where id = 1 returning id")) == (["id"], [(1,)])
    assert store.columns(write("delete from t")) == ([], [])


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        pytest.param("insert into t (id, name) values (3, 'x'), (4, 'y')", 2, id="insert"),
        pytest.param("update t set name = name || '!'", 2, id="update"),
        pytest.param("update t set name = 'x' where id = 9", 0, id="nothing"),
        pytest.param("delete from t", 2, id="delete"),
        pytest.param("insert into t (id) values (1) on conflict do nothing", 0, id="conflict"),
        pytest.param("/* diglot:a.b */ -- c\n update t set name = null", 2, id="comments in front"),
        pytest.param("update t set name = null returning id", 2, id="returning"),
        pytest.param("with n(x) as (values (7), (8)) insert into t (id, name) select x, x from n", 2, id="with"),
        pytest.param("with n(x) as (values (1)) delete from t where id in (select x from n)", 1, id="with delete"),
        pytest.param("with n(x) as (values (9)) delete from t where id in (select x from n)", 0, id="with nothing"),
        pytest.param(
            "with n(x) as (values (7)) insert into t (id, name) select x, x from n returning id", 1, id="with returning"
        ),
        pytest.param("create table other (x integer) strict", 0, id="no change of rows"),
        pytest.param("with n(x) as (values (7)) select x from n", 0, id="no change at all"),
    ],
)
def test_count_is_the_number_of_rows_changed(store: SQLiteStore, text: str, changed: int) -> None:
    store.count(write("delete from log"))
    assert store.count(write(text)) == changed
    with store.transaction() as transaction:
        transaction.count(write("delete from log"))
    assert store.count(read("select 1")) == 0


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("insert into t (id, name) values (?, ?)", id="insert"),
        pytest.param("with n(i, x) as (values (?, ?)) insert into t (id, name) select i, x from n", id="with"),
        pytest.param("insert into t (id, name) values (?, ?) returning id", id="returning"),
    ],
)
def test_many_counts_all_and_stores_all_or_nothing(store: SQLiteStore, text: str) -> None:
    assert store.many(write(text), [(number, str(number)) for number in range(10, 1010)]) == 1000
    with pytest.raises(UniqueViolation):
        store.many(write(text), [(2000, "new"), (2001, "10")])
    assert store.rows(read("select count(*) from t where id >= 10")) == [(1000,)]
    assert store.many(write(text), []) == 0


def test_a_script_runs_every_statement_of_it(store: SQLiteStore) -> None:
    assert store.rows(read("select id, name from t order by id")) == [(1, "a;b"), (2, "two")]
    assert store.rows(read("select id from log order by id")) == [(1,), (2,)]


def test_a_script_is_all_or_nothing(store: SQLiteStore) -> None:
    with pytest.raises(UniqueViolation):
        store.script(write("create table x (y integer); insert into t (id) values (3), (3)"))
    assert store.rows(read("select name from sqlite_schema where name = 'x'")) == []


@pytest.mark.parametrize("word", ["commit", "COMMIT", "rollback", "end", "begin immediate", "/* c */ -- d\n; Commit"])
def test_a_script_that_would_end_its_transaction_does_nothing(store: SQLiteStore, word: str) -> None:
    with pytest.raises(TransactionError, match=r"leave .* out of it"):
        store.script(write(f"insert into log values (9); {word}; insert into log values (10);"))
    assert store.rows(read("select count(*) from log where id > 8")) == [(0,)]


def test_together_reads_one_state(file_store: SQLiteStore) -> None:
    count = read("select count(*) from t")
    with file_store.snapshot() as snapshot:
        first = snapshot.rows(count)
        in_another_thread(lambda: file_store.count(write("insert into t (id, name) values (3, 'c')")))
        assert snapshot.rows(count) == first == [(2,)]
    assert file_store.together([(count, ()), (read("select id from t where id = ?"), (3,))]) == [[(3,)], [(3,)]]
    assert file_store.together([]) == []


def in_another_thread(run: Callable[[], object]) -> None:
    other = threading.Thread(target=run)
    other.start()
    other.join()


def test_a_statement_that_says_it_reads_can_not_write(store: SQLiteStore) -> None:
    with pytest.raises(DatabaseReadOnly):
        store.rows(read("insert into t (id) values (3)"))
    with pytest.raises(DatabaseReadOnly):
        store.count(read("delete from t"))
    with pytest.raises(DatabaseReadOnly), store.snapshot() as snapshot:
        snapshot.rows(read("delete from t"))
    assert store.count(write("delete from t")) == 2, "writing still works"


def test_a_statement_that_begins_a_transaction_by_itself_is_refused(store: SQLiteStore) -> None:
    with pytest.raises(TransactionError, match="transaction\\(\\)"):
        store.rows(write("begin immediate"))
    with store.transaction() as transaction:
        assert transaction.count(write("delete from t")) == 2


def test_a_statement_that_runs_too_long_is_cancelled_and_changes_nothing(store: SQLiteStore) -> None:
    began = time.monotonic()
    with pytest.raises(StatementTimeout, match=r"longer than 0\.3 s .*\[test.read\]"):
        store.rows(ENDLESS)
    assert 0.3 <= time.monotonic() - began < 10
    with pytest.raises(StatementTimeout):
        store.count(write("insert into log " + ENDLESS.text))
    assert store.rows(read("select count(*) from log")) == [(2,)], "the limit is each statement's own"


def test_a_reader_does_not_wait_for_a_writer(file_store: SQLiteStore) -> None:
    with file_store.transaction() as transaction:
        transaction.count(write("delete from t"))
        seen: list[object] = []
        in_another_thread(lambda: seen.append(file_store.rows(read("select count(*) from t"))))
        assert seen == [[(2,)]]


def test_when_every_reader_is_in_use_the_next_waits_and_then_gives_up(file_store: SQLiteStore) -> None:
    ready, done = threading.Barrier(3), threading.Event()

    def hold() -> None:
        with file_store.snapshot():
            ready.wait()
            done.wait()

    holders = [threading.Thread(target=hold) for _ in range(2)]
    for holder in holders:
        holder.start()
    ready.wait()
    assert file_store.connections.readers == (2, 2)
    with pytest.raises(PoolTimeout, match="all 2 read connections"):
        file_store.rows(read("select 1"))
    waiting = threading.Thread(target=lambda: file_store.rows(read("select 1")))
    waiting.start()
    done.set()
    for thread in (*holders, waiting):
        thread.join()
    assert file_store.connections.readers == (2, 0)


@pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning")  # the finalizer's, from Python 3.13
def test_a_statement_that_is_never_given_back_does_not_cost_a_reader(file_store: SQLiteStore) -> None:
    for _ in range(5):
        file_store.connections.lease()
    assert file_store.rows(read("select 1")) == [(1,)]
    gc.collect()


def test_threads_get_their_turns_in_the_order_in_which_they_came(store: SQLiteStore) -> None:
    order: list[int] = []
    turns = store.connections.turns

    def append(number: int) -> None:
        with store.transaction():
            order.append(number)

    threads = [threading.Thread(target=append, args=(number,)) for number in range(8)]
    with store.transaction():
        for number, thread in enumerate(threads):
            thread.start()
            wait_until(lambda number=number: turns.queued == number + 1)  # type: ignore[misc]
    for thread in threads:
        thread.join()
    assert order == list(range(8))


def test_waiting_for_another_thread_ends_at_the_lock_timeout(store: SQLiteStore) -> None:
    began, done = threading.Event(), threading.Event()

    def hold() -> None:
        with store.transaction():
            began.set()
            done.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    began.wait()
    before = time.monotonic()
    with pytest.raises(LockTimeout, match=r"within 0\.3 s: another thread is writing \[test.write\]"):
        store.count(write("delete from t"))
    assert 0.3 <= time.monotonic() - before < 10
    done.set()
    holder.join()
    assert store.count(write("delete from t")) == 2
    assert store.statistics()["database_connection_pool_wait_seconds_total"] >= 0.0


def test_a_closed_store_refuses_and_closes_again_without_an_error(store: SQLiteStore) -> None:
    assert store.rows(read("select 1")) == [(1,)]
    store.close()
    store.close()
    for call in (
        lambda: store.rows(read("select 1")),
        lambda: store.rows(read("select 1")),
        lambda: store.count(write("delete from t")),
        lambda: store.columns(read("select 1")),
        lambda: store.many(write("delete from t where id = ?"), [(1,)]),
        lambda: store.script(write("delete from t")),
        lambda: store.together([(read("select 1"), ())]),
        lambda: store.transaction().__enter__(),
        lambda: store.snapshot().__enter__(),
        lambda: store.migration_connection(1).__enter__(),
        lambda: store.checkpoint(),  # type: ignore[attr-defined]
        lambda: store.statistics(),
    ):
        with pytest.raises(StoreClosed):
            call()
    assert not store.health().ok


def test_closing_waits_for_what_other_threads_run(store: SQLiteStore) -> None:
    began, done = threading.Event(), threading.Event()

    def hold() -> None:
        with store.transaction() as transaction:
            transaction.count(write("delete from t where id = 1"))
            began.set()
            done.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    began.wait()
    with pytest.raises(LockTimeout, match="another thread still has a transaction"):
        store.close()
    done.set()
    holder.join()
    assert store.rows(read("select id from t")) == [(2,)], "it is still open"


def test_closing_waits_for_snapshots_of_other_threads(file_store: SQLiteStore) -> None:
    began, done = threading.Event(), threading.Event()

    def hold() -> None:
        with file_store.snapshot() as snapshot:
            snapshot.rows(read("select 1"))
            began.set()
            done.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    began.wait()
    assert file_store.rows(read("select 1")) == [(1,)]
    assert file_store.connections.readers == (2, 1)
    with pytest.raises(LockTimeout, match="snapshot"):
        file_store.close()
    assert file_store.connections.readers == (2, 1)
    assert file_store.rows(read("select 1")) == [(1,)]
    done.set()
    holder.join()


def test_threads_that_wait_while_the_store_is_closed_are_told(tmp_path: Path) -> None:
    store = open_sqlite(SQLiteSettings(path=str(tmp_path / "app.db"), readers=1))
    store.script(TABLE)
    found: list[str] = []

    def run(name: str, call: Callable[[], object]) -> None:
        try:
            call()
        except StoreClosed:
            found.append(f"{name}: told")
        else:
            found.append(f"{name}: done")

    def start(name: str, call: Callable[[], object]) -> threading.Thread:
        thread = threading.Thread(target=run, args=(name, call))
        thread.start()
        return thread

    with store.snapshot():
        reading = start("read", lambda: store.rows(read("select 1")))
        closing = start("close", store.close)
        wait_until(lambda: store.connections.ended is not None)
        start("write", lambda: store.count(write("delete from t"))).join()
    for thread in (closing, reading):
        thread.join()
    assert sorted(found) in (["close: done", "read: told", "write: told"], ["close: done", "read: done", "write: told"])


def test_a_write_that_is_overtaken_by_the_closing_of_the_store_is_refused(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = store.connections.turns
    acquire = turns.acquire

    def closed_first(me: int, timeout: float) -> None:
        monkeypatch.undo()
        in_another_thread(store.close)
        acquire(me, timeout)

    monkeypatch.setattr(turns, "acquire", closed_first)
    with pytest.raises(StoreClosed):
        store.count(write("delete from t"))


def test_closing_ends_this_threads_own_transaction_without_storing_it(settings: SQLiteSettings, tmp_path: Path) -> None:
    store = open_sqlite(settings)
    store.script(TABLE)
    transaction = store.transaction()
    with pytest.raises(TransactionError, match="has ended"), transaction:
        transaction.count(write("delete from t"))
        store.close()
    if settings.path != ":memory:":
        with open_sqlite(settings) as again:
            assert again.rows(read("select count(*) from t")) == [(2,)]


def test_the_last_to_close_empties_the_log(file_store: SQLiteStore, tmp_path: Path) -> None:
    assert (tmp_path / "app.db-wal").stat().st_size > 0
    file_store.rows(read("select 1"))
    file_store.close()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["app.db", "app.db-gate"]


def test_a_thread_that_waits_for_a_reader_is_told_when_there_will_be_none(file_store: SQLiteStore) -> None:
    connections = file_store.connections
    assert isinstance(connections, FileConnections)
    readers = Readers(connections._readers._connect, 1, 5.0)
    link = readers.lease()
    found: list[object] = []
    waiting = [threading.Thread(target=lambda: found.append(readers.lease())) for _ in range(3)]
    for thread in waiting:
        thread.start()
    readers.idle.put(None)
    for thread in waiting:
        thread.join()
    assert found == [None] * 3
    assert link is not None
    link.connection.close()


def test_a_read_during_a_fork_waits_for_its_end(file_store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = threading.Event()
    monkeypatch.setattr("diglot.stores.sqlite.file.sleep", lambda _: waits.set())
    found: list[object] = []
    file_store.before_fork()
    reading = threading.Thread(target=lambda: found.append(file_store.rows(read("select count(*) from t"))))
    reading.start()
    assert waits.wait(10)
    file_store.after_fork_in_parent()
    reading.join()
    assert found == [[(2,)]]


def test_what_an_interrupt_left_open_is_rolled_back_by_the_next(store: SQLiteStore) -> None:
    me = threading.get_ident()
    link = store.connections.acquire(me, 1.0)
    link.command("begin immediate")
    link.connection.execute("delete from t")
    store.connections.release(me)
    assert store.count(write("delete from t where id = 1")) == 1
    assert store.rows(read("select id from t")) == [(2,)]
