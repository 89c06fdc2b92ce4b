"""LIMIT and OFFSET: what is no count is refused alike, and the check finds what may be null."""

from __future__ import annotations

from typing import Any

import pytest

from diglot.errors import InvalidValue
from diglot.sql.header import read_queries
from diglot.sql.loader import load_text
from diglot.sql.row_limits import row_limits
from diglot.sql.session import Statement
from diglot.stores.store import Store

HEAD = "-- name: q(n)\n-- param: n int?\n-- returns: int\n-- Doc.\nselect id from t order by id "


def limits(tail: str) -> dict[str, tuple[str, bool, bool]]:
    source = read_queries(
        HEAD.replace("(n)", "(n, m)").replace("int?\n", "int?\n-- param: m int?\n", 1) + tail, "q", "q", "postgres"
    )
    return {name: limit[:3] for name, limit in row_limits(source[0]).items()}


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ("limit :n + :m", {"n": ("limit", False, False)}),
        ("limit :n offset :m", {"n": ("limit", False, True), "m": ("offset", False, True)}),
        ("LIMIT (:n) OFFSET ((:m))", {"n": ("limit", False, True), "m": ("offset", False, True)}),
        ("limit :m, :n", {"m": ("limit", False, True), "n": ("limit", False, True)}),
        ("limit cast(:n as bigint) offset :m::int8", {"n": ("limit", False, True), "m": ("offset", False, True)}),
        (
            "limit /* so many */ :n -- and no more\noffset :m",
            {"n": ("limit", False, True), "m": ("offset", False, True)},
        ),
        ("fetch  first :n rows only offset :m", {"n": ("fetch first", False, True), "m": ("offset", False, True)}),
        ("/* if :n */ limit :n /* end */ offset :m", {"n": ("limit", True, True), "m": ("offset", False, True)}),
        ("/* if :m */ limit :n /* end */ offset :m", {"n": ("limit", False, True), "m": ("offset", False, True)}),
        ("/* if :n */ limit :n /* end */ offset :n + :m", {"n": ("offset", False, False)}),
        ("limit coalesce(:n, 10) offset coalesce(:m, 0)", {}),
        ("limit 10, :n offset :m", {"n": ("limit", False, True), "m": ("offset", False, True)}),
        (", limits, :n, :m", {}),
    ],
)
def test_what_stands_behind_limit_and_offset(tail: str, expected: dict[str, Any]) -> None:
    found = limits(tail + (" /* :m */" if ":m" not in tail else ""))
    assert found == expected


@pytest.mark.parametrize("value", [None, -1, -(2**62)])
@pytest.mark.parametrize("tail", ["limit :n", "limit 5 offset :n"])
def test_what_is_no_count_is_refused_alike(tail: str, value: int | None, store: Store) -> None:
    store.script(Statement("t", "create table t (id bigint primary key)", writes=True))
    query = load_text(HEAD + tail, store.dialect).q
    store.count(Statement("t", "insert into t values (1), (2), (3)", writes=True))
    with pytest.raises(InvalidValue) as refused:
        query(store, n=value)
    assert str(refused.value) in ("n: a value is needed, not None", f"n: a number of rows is 0 or more, not {value}")
    assert query(store, n=0) == ([] if tail == "limit :n" else [1, 2, 3])
    assert query(store, n=2) == ([1, 2] if tail == "limit :n" else [3])


def test_a_block_makes_null_right(store: Store) -> None:
    store.script(Statement("t", "create table t (id bigint primary key)", writes=True))
    store.count(Statement("t", "insert into t values (1), (2), (3)", writes=True))
    query = load_text(HEAD + "/* if :n */ limit :n /* end */", store.dialect).q
    assert query(store, n=None) == [1, 2, 3]
    assert query(store, n=1) == [1]
    with pytest.raises(InvalidValue):
        query(store, n=-1)
