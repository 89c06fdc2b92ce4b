"""What ``-- returns: text`` and the other types take: a value of that type and nothing else, on both databases."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from diglot.errors import QueryResultError
from diglot.sql.decoding import Decoders
from diglot.sql.loader import load_text
from diglot.sql.models import Column
from diglot.sql.session import DIALECTS, Dialect, Statement
from diglot.sql.values import converter
from diglot.stores import open_store
from diglot.stores.settings import SQLiteSettings
from diglot.stores.store import Store

WRONG: list[tuple[str, Any]] = [
    ("text", 1),
    ("text", b"a"),
    ("text", 0.5),
    ("int", "1"),
    ("int", 1.0),
    ("int", True),
    ("int", Decimal(1)),
    ("float", "0.5"),
    ("float", Decimal("0.5")),
    ("float", True),
    ("bool", "true"),
    ("bool", 2),
    ("bytes", "a"),
    ("timestamp", 5),
    ("timestamp", "2026-01-31 09:05:07"),
    ("json", "{"),
]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("returns", "value"), WRONG)
def test_a_value_of_another_type_is_refused(returns: str, value: Any, dialect: Dialect) -> None:
    with pytest.raises(QueryResultError, match=r"^query q\.it: a stored value does not fit its model: "):
        Decoders(dialect, {}).of(returns).rows([(value,)], "q.it")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("returns", ["text", "int", "float", "bool", "bytes", "timestamp", "json"])
def test_null_is_refused_unless_the_header_allows_it(returns: str, dialect: Dialect) -> None:
    decoders = Decoders(dialect, {})
    assert decoders.of(returns, nullable=True).rows([(None,)], "q.it") == [None]
    with pytest.raises(QueryResultError, match=rf"it is NULL, but the header says {returns}, not {returns}\?"):
        decoders.of(returns, nullable=False).rows([(None,)], "q.it")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_whole_number_is_a_float(dialect: Dialect) -> None:
    (found,) = Decoders(dialect, {}).of("float").rows([(1,)], "q.it")
    assert (found, type(found)) == (1.0, float)


@pytest.mark.parametrize("value", [2, -1, "true", "0", b"\1"])
def test_a_field_of_a_model_takes_0_and_1_alone_for_a_bool_of_sqlite(value: object) -> None:
    convert = converter(Column("a", "bool", False), "sqlite")
    assert convert is not None
    assert [convert(0), convert(1)] == [False, True]
    with pytest.raises(ValueError, match="is not a bool"):
        convert(value)


@pytest.mark.sqlite
def test_a_list_of_text_has_only_text() -> None:
    """SQLite's columns take any value: this list was [1, 'a', None]."""
    queries = load_text(
        "-- name: names()\n-- returns: text\n-- Doc.\nselect name from t;\n\n"
        "-- name: maybe()\n-- returns: text?\n-- Doc.\nselect name from t;\n\n"
        "-- name: first()^\n-- returns: text\n-- Doc.\nselect name from t limit 1;\n\n"
        "-- name: highest()$\n-- returns: text?\n-- Doc.\nselect max(name) as name from t;\n",
        "sqlite",
    )
    with open_store(SQLiteSettings(path=":memory:")) as store:

        def stored(values: str) -> None:
            store.script(Statement("t", "drop table if exists t; create table t (name);", writes=True))
            store.script(Statement("t", f"insert into t values {values};", writes=True))

        stored("('a'), ('b')")
        assert (queries.names(store), queries.first(store), queries.highest(store)) == (["a", "b"], "a", "b")  # type: ignore[operator]
        stored("('a'), (null)")
        assert queries.maybe(store) == ["a", None]  # type: ignore[operator]
        refuse(queries.names, store, "it is NULL, but the header says text, not text?")
        stored("(1), ('a')")
        for query in (queries.names, queries.maybe, queries.first):
            refuse(query, store, "1 is int, not text")
        stored("(null)")
        refuse(queries.first, store, "it is NULL")
        assert queries.highest(store) is None  # type: ignore[operator]


def refuse(query: Any, store: Store, message: str) -> None:
    with pytest.raises(QueryResultError) as error:
        query(store)
    assert message in str(error.value)
