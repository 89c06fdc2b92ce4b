"""What PostgreSQL and psycopg raise, as errors of ours: the type, the names, and no value of any row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import psycopg
import pytest

from diglot import errors
from diglot.errors import DiglotError
from diglot.sql.session import Statement
from diglot.stores.postgres.errors import translate
from diglot.stores.postgres.store import PostgresStore, open_postgres
from diglot.stores.settings import PostgresSettings
from diglot.stores.url import parse_url

CANARY = "r0w-v4lu3"
SCHEMA = """
create table parents (id text constraint pk_parents primary key);
create table children (
    id text constraint pk_children primary key,
    parent text constraint fk_children_parent references parents (id),
    n bigint not null constraint ck_children_n check (n >= 0),
    note text,
    span int4range,
    constraint ex_children_span exclude using gist (span with &&)
);
insert into parents values ('p');
insert into children values ('c', 'p', 1, 'note', int4range(1, 5));
"""


@pytest.fixture(scope="module")
def store(postgres_url_of_module: str) -> Iterator[PostgresStore]:
    """Every statement is refused, so nothing changes."""
    with open_postgres(parse_url(postgres_url_of_module)) as opened:
        opened.script(Statement("test.schema", SCHEMA))
        yield opened


CASES: list[tuple[str, tuple[Any, ...], type[DiglotError], str | None]] = [
    ("insert into children values ('c', 'p', 2, $1)", (CANARY,), errors.UniqueViolation, "pk_children"),
    ("insert into parents values ($1), ($1)", (CANARY,), errors.UniqueViolation, "pk_parents"),
    ("insert into children values ($1, 'p', 1, '', '[2,3]')", (CANARY,), errors.UniqueViolation, "ex_children_span"),
    ("insert into children values ('d', $1, 2)", (CANARY,), errors.ForeignKeyViolation, "fk_children_parent"),
    ("delete from parents where id <> $1", (CANARY,), errors.ForeignKeyViolation, "fk_children_parent"),
    ("insert into children values ($1, 'p', -1)", (CANARY,), errors.CheckViolation, "ck_children_n"),
    ("insert into children values ($1, 'p', null)", (CANARY,), errors.NotNullViolation, "children.n"),
    ("insert into children values ('d', 'p', $1)", (2**63,), errors.WrongType, None),
    ("select $1::text::bigint", (CANARY,), errors.WrongType, None),
    ("select $1::text::timestamptz", (CANARY,), errors.WrongType, None),
    ("select $1::text::jsonb", (f'{{"{CANARY}\\u0000": 1}}',), errors.WrongType, None),
    ("select 1 / 0, $1::text", (CANARY,), errors.WrongType, None),
    ("insert into children (id, n) select $1, 'a'::text", (CANARY,), errors.WrongType, None),
    ("insert into parents select string_agg(md5(i::text), $1) from generate_series(1, 999) i",
     (CANARY,), errors.TooLarge, None),
    ("select $1::text from nowhere", (CANARY,), errors.SchemaMismatch, None),
    ("select $1::text, nothing from parents", (CANARY,), errors.SchemaMismatch, None),
    ("select $1::text from nowhere.nothing", (CANARY,), errors.SchemaMismatch, None),
    ("select $1::text frm parents", (CANARY,), errors.DatabaseError, None),
    ("select $1::text, $2::text", (CANARY,), errors.DatabaseError, None),
    ("select $1::text", (f"{CANARY}\0",), errors.WrongType, None),
    ("select $1::text", (f"{CANARY}\ud800",), errors.WrongType, None),
    ("select $1::text", ({CANARY},), errors.QueryArgumentError, None),
    ("savepoint diglot", (), errors.TransactionError, None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "values", "kind", "constraint"), CASES, ids=[case[0] for case in CASES])
def test_a_refused_statement_is_an_error_of_ours_that_names_the_constraint_and_no_value(
    store: PostgresStore, text: str, values: tuple[Any, ...], kind: type[DiglotError], constraint: str | None
) -> None:
    with pytest.raises(DiglotError) as refused:
        store.rows(Statement("test.refused", text, writes=True), values)  # type: ignore[arg-type]
    error = refused.value
    assert type(error) is kind
    assert isinstance(error.__cause__, psycopg.Error | UnicodeEncodeError)
    assert str(error).endswith("[test.refused]")
    assert CANARY not in str(error)
    if isinstance(error, errors.DatabaseError):
        assert (error.query, error.constraint) == ("test.refused", constraint)
        assert constraint is None or constraint in str(error)
    assert store.rows(Statement("test.after", "select 1")) == [(1,)], "the connection is usable"


STATES: list[tuple[str, type[DiglotError]]] = [
    ("23P01", errors.UniqueViolation),
    ("23000", errors.ConstraintViolation),
    ("22001", errors.WrongType),
    ("40001", errors.SerializationFailure),
    ("40P01", errors.SerializationFailure),
    ("40003", errors.SerializationFailure),
    ("57014", errors.StatementTimeout),
    ("55P03", errors.LockTimeout),
    ("53100", errors.DatabaseFull),
    ("53200", errors.DatabaseFull),
    ("53300", errors.DatabaseUnavailable),
    ("58030", errors.DatabaseIOError),
    ("25006", errors.DatabaseReadOnly),
    ("42501", errors.DatabaseReadOnly),
    ("25001", errors.TransactionError),
    ("XX001", errors.DatabaseDamaged),
    ("P0001", errors.DatabaseError),
    ("08P01", errors.DatabaseError),
    ("0A000", errors.DatabaseError),
]


@pytest.mark.parametrize(("state", "kind"), STATES)
def test_a_condition_that_is_hard_to_bring_about_is_told_by_its_sqlstate(
    store: PostgresStore, state: str, kind: type[DiglotError]
) -> None:
    text = f"do $$ begin raise exception using errcode = '{state}', message = '{CANARY}', detail = '{CANARY}'; end $$"
    with pytest.raises(DiglotError) as refused:
        store.rows(Statement("test.raised", text, writes=True))  # type: ignore[arg-type]
    assert type(refused.value) is kind
    assert state in str(refused.value) or issubclass(kind, errors.ConstraintViolation)
    assert CANARY not in str(refused.value)


def test_a_statement_past_its_limit_is_cancelled(postgres_url_of_module: str) -> None:
    with open_postgres(replaced(postgres_url_of_module, statement_timeout=0.05)) as store:
        with pytest.raises(errors.StatementTimeout):
            store.rows(Statement("test.long", "select pg_sleep(60)"))
        assert store.rows(Statement("test.after", "select 1")) == [(1,)]


def test_a_lock_that_is_not_free_in_time_is_a_lock_timeout(postgres_url_of_module: str) -> None:
    lock = Statement("test.lock", "select pg_advisory_xact_lock(1)", writes=True)
    settings = replaced(postgres_url_of_module, lock_timeout=0.05)
    with open_postgres(settings) as store, open_postgres(settings) as other, store.transaction() as tx:
        tx.rows(lock)
        with pytest.raises(errors.LockTimeout) as refused:
            other.rows(lock)
        assert refused.value.query == "test.lock"


def replaced(url: str, **changes: Any) -> PostgresSettings:
    settings = parse_url(url)
    assert isinstance(settings, PostgresSettings)
    return msgspec.structs.replace(settings, **changes)


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (psycopg.OperationalError("the connection is closed"), errors.DatabaseUnavailable),
        (psycopg.DatabaseError("server closed the connection unexpectedly"), errors.DatabaseUnavailable),
        (psycopg.InterfaceError(CANARY), errors.QueryArgumentError),
        (psycopg.DataError(CANARY), errors.WrongType),
        (TypeError(CANARY), errors.QueryArgumentError),
        (OverflowError(CANARY), errors.QueryArgumentError),
    ],
    ids=repr,
)
def test_what_python_or_the_driver_raise_without_a_sqlstate(raised: Exception, kind: type[DiglotError]) -> None:
    for query in ("test.query", None):
        error = translate(raised, query)
        assert type(error) is kind
        assert CANARY not in str(error)
        assert ("[test.query]" in str(error)) == (query is not None)
