"""Whatever SQLite or its driver raises is an error of ours, with the query and the constraint, and the cause kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from diglot.errors import (
    CheckViolation,
    ConstraintViolation,
    DatabaseDamaged,
    DatabaseError,
    DatabaseIOError,
    DatabaseUnavailable,
    DiglotError,
    ForeignKeyViolation,
    NotNullViolation,
    QueryArgumentError,
    SchemaMismatch,
    SerializationFailure,
    StoreClosed,
    TooLarge,
    UniqueViolation,
    WrongType,
)
from diglot.stores.settings import SQLiteSettings
from diglot.stores.sqlite.errors import translate
from diglot.stores.sqlite.library import library
from diglot.stores.sqlite.store import SQLiteStore, open_sqlite
from tests.stores.sqlite.workload import read, write

pytestmark = pytest.mark.sqlite


@pytest.fixture(scope="module", params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SQLiteStore]:
    """One for all: no case leaves anything behind."""
    path = ":memory:" if request.param == "memory" else str(tmp_path_factory.mktemp("errors") / "app.db")
    with open_sqlite(SQLiteSettings(path=path)) as store:
        store.script(
            write(
                """
                create table users (id text primary key, email text not null, role text, age integer,
                  constraint ck_users_role check (role in ('admin', 'user')), check (age < 200)) strict;
                create unique index uq_users_email on users (lower(email));
                create table keys (user_id text not null references users (id), a integer, b integer,
                  unique (a, b)) strict;
                create table guarded (id integer primary key) strict;
                create trigger guard before delete on guarded begin select raise(abort, 'not this one'); end;
                insert into users values ('u1', 'a@x', 'user', 1);
                insert into keys values ('u1', 1, 1);
                insert into guarded values (1);
                """
            )
        )
        yield store


CASES: list[Any] = [
    pytest.param(
        "insert into users values ('u1', 'b@x', 'user', 1)", (), UniqueViolation, "users.id", id="primary key"
    ),
    pytest.param("insert into keys values ('u1', 1, 1)", (), UniqueViolation, "keys.a, keys.b", id="unique columns"),
    pytest.param(
        "insert into users values ('u2', 'A@X', 'user', 1)", (), UniqueViolation, "uq_users_email", id="index"
    ),
    pytest.param(
        "insert into users values ('u2', null, 'user', 1)", (), NotNullViolation, "users.email", id="not null"
    ),
    pytest.param("insert into users values ('u2', 'b@x', 'x', 1)", (), CheckViolation, "ck_users_role", id="check"),
    pytest.param("insert into users values ('u2', 'b@x', 'user', 200)", (), CheckViolation, "age < 200", id="no name"),
    pytest.param("insert into keys values ('u9', 2, 2)", (), ForeignKeyViolation, None, id="foreign key"),
    pytest.param("update users set age = ?", ("12x",), WrongType, "users.age", id="text for an integer"),
    pytest.param("update users set age = ?", (1.5,), WrongType, "users.age", id="float for an integer"),
    pytest.param("update users set email = ?", (b"x",), WrongType, "users.email", id="bytes for a text"),
    pytest.param("insert into guarded values ('x')", (), WrongType, None, id="text for a rowid"),
    pytest.param("delete from guarded", (), ConstraintViolation, None, id="trigger"),
    pytest.param("update users set age = ?", (2**63,), WrongType, None, id="beyond 64 bits"),
    pytest.param("update users set email = ?", ("\ud800",), WrongType, None, id="lone surrogate"),
    pytest.param("select json_extract(?, '$')", ("{",), WrongType, None, id="malformed JSON"),
    pytest.param(
        "select sum(x) from (select 9223372036854775807 x union select 1)", (), WrongType, None, id="overflow"
    ),
    pytest.param("select zeroblob(2000000000)", (), TooLarge, None, id="too big"),
    pytest.param("select * from absent", (), SchemaMismatch, None, id="no table"),
    pytest.param("select absent from users", (), SchemaMismatch, None, id="no column"),
    pytest.param("insert into users (absent) values (1)", (), SchemaMismatch, None, id="no column to insert"),
    pytest.param("selec", (), DatabaseError, None, id="syntax"),
    pytest.param("select 1; select 2", (), DatabaseError, None, id="two statements"),
    pytest.param("select '\0'", (), DatabaseError, None, id="NUL in the text"),
    pytest.param("attach 'x.db' as x; ", (1, 2), QueryArgumentError, None, id="too many values"),
    pytest.param("select ?, ?", (1,), QueryArgumentError, None, id="too few values"),
    pytest.param("select ?", ({},), QueryArgumentError, None, id="unknown type"),
]


@pytest.mark.parametrize(("text", "values", "kind", "constraint"), CASES)
@pytest.mark.parametrize("where", ["store", "transaction"])
def test_each_mistake_has_its_error(
    store: SQLiteStore, where: str, text: str, values: tuple[Any, ...], kind: type[DiglotError], constraint: str | None
) -> None:
    statement = write(text)
    if where == "store":
        with pytest.raises(kind) as error:
            store.rows(statement, values)
    else:
        with pytest.raises(kind) as error, store.transaction() as transaction:
            transaction.rows(statement, values)
    assert type(error.value) is kind
    assert str(error.value).endswith("[test.write]")
    assert isinstance(error.value.__cause__, (library().Error, library().Warning, ValueError, OverflowError))
    if isinstance(error.value, DatabaseError):
        assert (error.value.query, error.value.constraint) == ("test.write", constraint)
    assert store.rows(read("select count(*) from users")) == [(1,)]


@pytest.mark.parametrize(
    ("value", "kind"),
    [(2**63, WrongType), ("\ud800", WrongType), ({}, QueryArgumentError)],
    ids=["int", "text", "dict"],
)
def test_an_error_is_never_that_of_an_earlier_statement(
    store: SQLiteStore, value: Any, kind: type[DiglotError]
) -> None:
    with pytest.raises(ConstraintViolation):
        store.rows(write("delete from guarded"))
    with pytest.raises(kind):
        store.rows(write("update users set age = ?"), (value,))
    try:
        raise OverflowError
    except OverflowError:
        with pytest.raises(UniqueViolation):
            store.rows(write("insert into keys values ('u1', 1, 1)"))


def test_values_never_appear_in_an_error(store: SQLiteStore) -> None:
    with pytest.raises(UniqueViolation) as error:
        store.rows(write("insert into users values (?, ?, ?, ?)"), ("u1", "canary@secret", "user", 1))
    assert "canary" not in str(error.value)


class Raised(Exception):
    """Looks like an error of a driver with this code."""

    def __init__(self, code: int, text: str = "text of SQLite") -> None:
        super().__init__(text)
        self.sqlite_errorcode = code


@pytest.mark.parametrize(
    ("code", "writing", "kind"),
    [
        pytest.param(517, False, SerializationFailure, id="BUSY_SNAPSHOT"),
        pytest.param(5, True, SerializationFailure, id="BUSY in a transaction"),
        pytest.param(10, False, DatabaseIOError, id="IOERR"),
        pytest.param(10 | 3 << 8, False, DatabaseIOError, id="IOERR_WRITE"),
        pytest.param(11, False, DatabaseDamaged, id="CORRUPT"),
        pytest.param(11 | 1 << 8, False, DatabaseDamaged, id="CORRUPT_VTAB"),
        pytest.param(26, False, DatabaseDamaged, id="NOTADB"),
        pytest.param(14, False, DatabaseUnavailable, id="CANTOPEN"),
        pytest.param(17, False, SchemaMismatch, id="SCHEMA"),
        pytest.param(7, False, DatabaseError, id="NOMEM"),
        pytest.param(19, False, ConstraintViolation, id="CONSTRAINT of an unknown kind"),
    ],
)
def test_codes_that_are_hard_to_bring_about_are_classified(code: int, writing: bool, kind: type[DatabaseError]) -> None:
    error = translate(Raised(code), "a.b", writing=writing)
    assert type(error) is kind
    assert isinstance(error, DatabaseError)
    assert error.query == "a.b"


def test_a_connection_that_was_closed_underneath_is_a_closed_store() -> None:
    connection = library().connect(":memory:")
    connection.close()
    with pytest.raises(library().Error) as raised:
        connection.execute("select 1")
    assert type(translate(raised.value, None)) is StoreClosed


def test_a_damaged_file_is_reported_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with open_sqlite(SQLiteSettings(path=str(path))) as store:
        store.script(write("create table t (id integer primary key, name text) strict"))
        store.many(write("insert into t (name) values (?)"), [("x" * 500,)] * 200)
    with path.open("r+b") as file:
        file.seek(9 * 4096)
        file.write(b"\xff" * 4096 * 8)
    with open_sqlite(SQLiteSettings(path=str(path))) as store:
        with pytest.raises(DatabaseDamaged):
            store.rows(read("select name from t"))
        health = store.health()
        assert not health.ok
        assert [check.name for check in health.checks if not check.ok] == ["quick_check"]
