"""Transactions: all or nothing, savepoints inside, the same repositories, and again when the database asks for it."""

import threading

import pytest

from diglot.errors import DatabaseError, SerializationFailure, TransactionError
from diglot.statestore.errors import ConcurrentUpdate, EmailExists, UserNotFound, WorkflowNotFound
from diglot.statestore.models import WorkflowState


def test_commits_at_the_end(db):
    with db.transaction() as tx:
        user = tx.users.create("a@b.c")
        tx.workflows.upsert(WorkflowState("w1", "flow", "RUNNING"))
        assert tx.users.get(user.id) == user
    assert db.users.get(user.id) == user
    assert db.workflows.get("w1", with_tasks=False).status == "RUNNING"


def test_rolls_back_on_any_exception(db):
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), db.transaction() as tx:
            tx.users.create("a@b.c")
            raise error
    assert db.users.list().items == []


def test_others_see_nothing_before_the_commit(db):
    seen = []
    with db.transaction() as tx:
        user = tx.users.create("a@b.c")
        if db.store.location != ":memory:":  # in memory there is one connection, so others wait
            thread = threading.Thread(target=lambda: seen.append(db.users.list().items))
            thread.start()
            thread.join()
            assert seen == [[]]
    assert db.users.list().items == [user]


def test_a_transaction_inside_is_a_savepoint(db):
    with db.transaction() as tx:
        tx.users.create("outer@b.c")
        with pytest.raises(ValueError, match="inner"), tx.transaction() as inner:
            inner.users.create("inner@b.c")
            raise ValueError("inner")
        with tx.transaction() as inner, inner.transaction() as innermost:
            innermost.users.create("kept@b.c")
    assert {user.email for user in db.users.list().items} == {"outer@b.c", "kept@b.c"}


def test_the_database_s_own_transaction_inside_is_a_savepoint_too(db):
    with db.transaction() as tx:
        tx.users.create("outer@b.c")
        with pytest.raises(ValueError, match="inner"), db.transaction() as inner:
            inner.users.create("inner@b.c")
            raise ValueError("inner")
    assert [user.email for user in db.users.list().items] == ["outer@b.c"]


def test_a_savepoint_goes_with_the_transaction(db):
    with pytest.raises(ValueError, match="outer"), db.transaction() as tx:
        with tx.transaction() as inner:
            inner.users.create("inner@b.c")
        raise ValueError("outer")
    assert db.users.list().items == []


def test_a_savepoint_saves_the_transaction_from_an_error(db):
    db.users.create("taken@b.c")
    with db.transaction() as tx:
        with pytest.raises(EmailExists), tx.transaction() as inner:
            inner.users.create("taken@b.c")
        tx.users.create("new@b.c")
    assert len(db.users.list().items) == 2


def test_an_error_ends_the_transaction(db):
    db.users.create("taken@b.c")
    with pytest.raises(DatabaseError), db.transaction() as tx:
        tx.users.create("new@b.c")
        with pytest.raises(EmailExists):
            tx.users.create("taken@b.c")
        with pytest.raises(TransactionError):
            tx.users.list()
    assert [user.email for user in db.users.list().items] == ["taken@b.c"]


def test_an_error_of_the_domain_does_not_end_it(db):
    with db.transaction() as tx:
        with pytest.raises(UserNotFound):
            tx.users.get("nobody")
        with pytest.raises(WorkflowNotFound):
            tx.workflows.get("nothing")
        tx.users.create("new@b.c")
    assert len(db.users.list().items) == 1


def test_the_database_itself_is_not_to_be_used_inside(db):
    with db.transaction() as tx:
        for call in (lambda: db.users.list(), lambda: db.users.create("x@y.z")):
            with pytest.raises(TransactionError, match=r"this thread has a.* transaction"):
                call()
        tx.users.create("a@b.c")
    assert len(db.users.list().items) == 1


def test_a_transaction_that_has_ended_is_of_no_use(db):
    with db.transaction() as tx:
        pass
    with pytest.raises(TransactionError):
        tx.users.list()


def test_every_method_works_inside_of_a_transaction(db):
    with db.transaction() as tx:
        admin, issued = tx.users.create_first_admin("a@b.c")
        tx.users.create("x@y.z")
        assert tx.api_keys.authenticate(issued.secret) == admin
        tx.api_keys.rotate(issued.api_key.id)
        state = tx.workflows.save(WorkflowState("w1", "flow", "RUNNING"))
        assert tx.workflows.get("w1").tasks == {}
        with pytest.raises(ConcurrentUpdate):
            tx.workflows.save(WorkflowState("w1", "flow", "RUNNING"))
        assert tx.workflows.complete("w1", lambda s: {"x": 1}).output == {"x": 1}
        assert tx.workflows.get_latest("flow").version == state.version + 1


# --- run ---


def test_run_gives_what_the_function_returns_and_commits(db):
    user = db.run(lambda tx: tx.users.create("a@b.c"))
    assert db.users.get(user.id) == user


def test_run_tries_again_when_the_database_asks_for_it(db):
    calls = []

    def function(tx):
        calls.append(tx.users.create("a@b.c"))
        if len(calls) < 3:
            raise SerializationFailure
        return len(calls)

    assert db.run(function) == 3
    assert len(db.users.list().items) == 1


def test_run_gives_up_after_so_many_attempts(db):
    calls = []

    def function(tx):
        calls.append(tx)
        raise SerializationFailure

    with pytest.raises(SerializationFailure):
        db.run(function, attempts=3)
    assert len(calls) == 3
    with pytest.raises(ValueError, match="attempts"):
        db.run(function, attempts=0)


def test_run_gives_up_at_the_deadline(db):
    calls = []

    def function(tx):
        calls.append(tx)
        raise SerializationFailure

    with pytest.raises(SerializationFailure):
        db.run(function, attempts=1000, timeout=0.05)
    assert len(calls) < 20


def test_run_does_not_repeat_other_errors(db):
    calls = []

    def function(tx):
        calls.append(tx)
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        db.run(function)
    assert len(calls) == 1


def test_run_resolves_a_deadlock(db):
    a, b = (db.users.create(f"{name}@x.y") for name in "ab")
    barrier = threading.Barrier(2, timeout=60)
    first = threading.local()

    def swap(one, other):
        def function(tx):
            tx.users.update(one.id, email=f"{one.id}@one.x")
            if not getattr(first, "done", False):
                first.done = True
                if db.store.dialect == "postgres":  # SQLite lets only one in, so nothing can be locked crosswise
                    barrier.wait()
            tx.users.update(other.id, email=f"{other.id}@other.x")

        db.run(function)

    threads = [threading.Thread(target=swap, args=pair) for pair in ((a, b), (b, a))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    emails = {db.users.get(user.id).email.rpartition("@")[2] for user in (a, b)}
    assert emails == {"one.x", "other.x"}
