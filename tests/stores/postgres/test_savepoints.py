"""Savepoints on PostgreSQL: what is sent for them, when, and what holds when one of these commands fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from diglot.errors import DatabaseUnavailable, StatementTimeout, TransactionError, UniqueViolation, WrongType
from diglot.sql.session import Session, Statement
from diglot.stores.postgres.connection import Link
from diglot.stores.postgres.store import PostgresStore, open_postgres
from diglot.stores.url import parse_url

INSERT = Statement("things.insert", "insert into things (id) values ($1)", writes=True)
IDS = Statement("things.ids", "select id from things where id <> 'x' order by id")


class Boom(Exception):
    pass


@pytest.fixture(params=[True, False], ids=["near", "far"])
def store(request: pytest.FixtureRequest, postgres_url_of_module: str) -> Iterator[PostgresStore]:
    """Near: what comes before a statement is sent first; far: in one pipeline with it."""
    with open_postgres(parse_url(postgres_url_of_module)) as opened:  # type: ignore[arg-type]
        opened.script(
            Statement(
                "test.schema",
                "drop schema public cascade; create schema public;"
                "create table things (id text primary key); insert into things values ('x')",
            )
        )
        (link,) = opened._calls.pool.links()
        link.near = request.param
        yield opened


def ids(session: Session) -> list[str]:
    return [id for (id,) in session.rows(IDS)]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands that go to the server in a round trip of their own."""
    commands: list[str] = []
    command = Link.command

    def recorded(self: Link, text: str) -> str:
        commands.append(text)
        return command(self, text)

    monkeypatch.setattr(Link, "command", recorded)
    return commands


# --- rolling back ------------------------------------------------------------------------------------------


def test_a_release_that_waits_to_be_sent_goes_with_the_block_that_is_rolled_back(store: PostgresStore) -> None:
    with store.transaction() as tx:
        tx.count(INSERT, ("a",))
        with pytest.raises(Boom), tx.transaction() as inner:
            inner.count(INSERT, ("b",))
            for key in "cd":
                with inner.transaction() as deepest:
                    deepest.count(INSERT, (key,))
            raise Boom
        tx.count(INSERT, ("e",))
    assert ids(store) == ["a", "e"]


def test_an_empty_block_inside_one_that_is_rolled_back_sends_nothing(store: PostgresStore, sent: list[str]) -> None:
    with store.transaction() as tx, pytest.raises(Boom), tx.transaction() as inner:
        with inner.transaction():
            pass
        raise Boom
    assert sent == []


REFUSED: list[Any] = [
    pytest.param(lambda s: s.count(INSERT, ("\0",)), WrongType, id="value"),
    pytest.param(lambda s: s.many(INSERT, [("b",), ("\0",)]), WrongType, id="many"),
    pytest.param(lambda s: s.many(INSERT, [("b",), ("x",)]), UniqueViolation, id="many-in-the-server"),
    pytest.param(lambda s: s.together([(IDS, ()), (INSERT, ("\0",))]), WrongType, id="together"),
    pytest.param(lambda s: s.script(Statement("test.script", "select 1; commit")), TransactionError, id="script"),
]


@pytest.mark.parametrize(("call", "kind"), REFUSED)
@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
def test_a_statement_that_is_refused_before_it_is_sent_ends_only_its_block(
    store: PostgresStore, call: Callable[[Session], Any], kind: type[Exception], first: bool
) -> None:
    with store.transaction() as tx:
        if not first:
            tx.count(INSERT, ("a",))
        for _ in range(2):
            with pytest.raises(kind), tx.transaction() as inner:
                call(inner)
            with pytest.raises(kind), tx.transaction() as inner:
                with inner.transaction() as deepest:
                    deepest.count(INSERT, ("c",))
                call(inner)
        tx.count(INSERT, ("d",))
    assert ids(store) == [*([] if first else ["a"]), "d"]


# --- a command for a savepoint that fails ------------------------------------------------------------------


@pytest.fixture
def cancel(store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have an administrator's pg_cancel_backend come just before the next command with these words."""
    (link,) = store._calls.pool.links()
    link.near = True  # so that the commands are sent by themselves
    awaited: list[str] = []
    command = Link.command

    def cancelled(self: Link, text: str) -> str:
        if awaited and awaited[0] in text:
            words = awaited.pop()
            text = text.replace(words, f"select pg_cancel_backend(pg_backend_pid()); select pg_sleep(60); {words}", 1)
        return command(self, text)

    monkeypatch.setattr(Link, "command", cancelled)
    return awaited.append


def test_a_savepoint_that_can_not_be_made_ends_the_block_outside_of_it(
    store: PostgresStore, cancel: Callable[[str], None]
) -> None:
    with store.transaction() as tx:
        tx.count(INSERT, ("a",))
        with pytest.raises(TransactionError, match="the savepoint was rolled back"), tx.transaction() as outer:
            outer.count(INSERT, ("b",))
            cancel("savepoint diglot_2")
            with pytest.raises(StatementTimeout), outer.transaction() as inner:
                inner.count(INSERT, ("c",))
            with pytest.raises(TransactionError, match="roll back first"):
                outer.count(INSERT, ("d",))
        tx.count(INSERT, ("e",))
    assert ids(store) == ["a", "e"]
    cancel("savepoint diglot_1")
    with pytest.raises(TransactionError, match="the transaction was rolled back"), store.transaction() as tx:
        tx.count(INSERT, ("f",))
        with pytest.raises(StatementTimeout), tx.transaction() as inner:
            inner.count(INSERT, ("g",))
    assert ids(store) == ["a", "e"]


def test_a_release_that_fails_never_undoes_the_block_that_ended_well_alone(
    store: PostgresStore, cancel: Callable[[str], None]
) -> None:
    with store.transaction() as tx:
        tx.count(INSERT, ("a",))
        with pytest.raises(TransactionError, match="the savepoint was rolled back"), tx.transaction() as outer:
            outer.count(INSERT, ("b",))
            with outer.transaction() as first:
                first.count(INSERT, ("c",))
            cancel("release savepoint diglot_2")
            with pytest.raises(StatementTimeout), outer.transaction() as second:
                second.count(INSERT, ("d",))
            # Were both savepoints of one name, "c" would be gone by now, and the block go on.
            with pytest.raises(TransactionError, match="roll back first"):
                outer.count(INSERT, ("e",))
        tx.count(INSERT, ("f",))
    assert ids(store) == ["a", "f"]


def test_a_rollback_that_fails_is_done_by_the_block_outside_of_it(
    store: PostgresStore, cancel: Callable[[str], None]
) -> None:
    with store.transaction() as tx:
        tx.count(INSERT, ("a",))
        with pytest.raises(TransactionError, match="the savepoint was rolled back"), tx.transaction() as outer:
            outer.count(INSERT, ("b",))
            cancel("rollback to savepoint diglot_2")
            with pytest.raises(Boom), outer.transaction() as inner:
                inner.count(INSERT, ("c",))
                raise Boom
            with pytest.raises(TransactionError, match="roll back first"):
                outer.count(INSERT, ("d",))
        tx.count(INSERT, ("e",))
    assert ids(store) == ["a", "e"]


def test_a_connection_that_is_lost_in_a_savepoint_ends_the_transaction(store: PostgresStore) -> None:
    die = Statement("test.die", "select pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(TransactionError, match="the transaction was rolled back"), store.transaction() as tx:
        tx.count(INSERT, ("a",))
        with pytest.raises(DatabaseUnavailable, match="nothing of it was stored"), tx.transaction() as inner:
            inner.rows(die)
        with pytest.raises(TransactionError, match="roll back first"):
            tx.count(INSERT, ("b",))
    assert ids(store) == []
