"""What another program has stored, whatever it is: a value, or a QueryResultError; nothing else reaches a caller."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from diglot.errors import DiglotError, QueryResultError
from diglot.sql.decoding import Decoders
from diglot.sql.loader import load_text
from diglot.sql.session import DIALECTS, Dialect, Statement
from diglot.statestore.project import TREES
from diglot.stores.store import Store

DEEP = "[" * 100_000
LARGE = '{"a": 1' + "0" * 400 + "}"
TYPES = ("text", "int", "float", "bool", "bytes", "timestamp", "json")
JSON_TEXTS = st.recursive(
    st.sampled_from(["null", "1e400", "-1e999", "1" * 400, "NaN", '"\\ud800"', "{", "", "\0", "1.", "[1,]"]),
    lambda inner: st.lists(inner).map(lambda items: f"[{','.join(items)}]") | inner.map(lambda text: f'{{"a":{text}}}'),
    max_leaves=5,
)
VALUES = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), JSON_TEXTS),
    JSON_TEXTS.map(str.encode),
    st.sampled_from([[], ["a"], {}, Decimal("1e9999"), Decimal("NaN"), datetime.max, datetime.max.replace(tzinfo=UTC)]),
)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(value=VALUES, kind=st.sampled_from(TYPES))
@example(value=DEEP, kind="json")
@example(value=DEEP.encode(), kind="json")
@example(value=LARGE.encode(), kind="json")
@example(value=["a"], kind="json")
@example(value=2**70, kind="timestamp")
def test_a_value_of_any_kind(dialect: Dialect, value: Any, kind: str) -> None:
    try:
        Decoders(dialect, {}).of(kind).rows([(value,)], "q")
    except QueryResultError as error:
        assert str(error).startswith("query q: a stored value does not fit its model: ")


@pytest.mark.parametrize("dialect", DIALECTS)
@given(data=st.data(), name=st.sampled_from(sorted(TREES.row_models())))
def test_a_row_of_any_kind(dialect: Dialect, data: st.DataObject, name: str) -> None:
    decoder = Decoders(dialect, TREES.row_models()).of(name)
    width = len(decoder.columns) + data.draw(st.integers(-1, 1))
    row = tuple(data.draw(VALUES) for _ in range(width))
    with contextlib.suppress(QueryResultError):
        decoder.rows([row], "q")


class Anything(msgspec.Struct, frozen=True):
    v: dict[str, Any] | None


EXPRESSIONS = {
    "sqlite": [
        *("x'ff'", "cast(x'ff' as text)", "9e999", "-9e999", "'{\"a\": 1e400}'", "1", "'2026-13-01T00:00:00.000000Z'"),
        *(f"'{DEEP[:5000]}'", "char(0)", "randomblob(9)"),
    ],
    "postgres": [
        *("array[1, 2]", "'infinity'::timestamptz", "'-infinity'::timestamptz", "'0044-03-15 BC'::timestamptz"),
        *("'20000-01-01'::timestamptz", "'NaN'::numeric", "'NaN'::float8", "1e400::numeric", "'{\"a\": 1e400}'::jsonb"),
        *(f"'{'[' * 5000}{']' * 5000}'::jsonb", "'10000-01-01'::date", "'24:00'::time", "'100 years'::interval"),
        *("'(1,2)'::point", "row(1, 'a')", "'{1,2}'::int[]", "'[1,2)'::int4range", "'10.0.0.0/8'::cidr", "null::jsonb"),
        *("'999999999 days'::interval", "'\\xff'::bytea", "b'101'", "'<a/>'::text::bytea", "'{}'::json"),
    ],
}


def test_every_type_of_the_database_is_a_value_or_an_error_of_ours(store: Store) -> None:
    for expression in EXPRESSIONS[store.dialect]:
        for returns in (*TYPES, "Anything"):
            text = f"-- name: q()\n-- returns: {returns}\n-- Doc.\nselect {expression} as v;\n"
            query = load_text(text, store.dialect, {"Anything": Anything}).q
            try:
                query(store)
            except DiglotError as error:
                assert "\n" not in str(error)
            assert store.rows(Statement("after", "select 1")) == [(1,)], "and the connection goes on"
