"""Random queries: what the lineage says is never null never is, on both engines. One that is refused says nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diglot.sql.session import DIALECTS, Dialect
from tests.check.claims import Engines, contradicted, engines

__all__ = ["engines"]

LEAVES = st.sampled_from(["a.n", "b.n", "a.id", "b.a_id", "a.t", "b.r", "1", "0", "'x'", "''", "null", "2.5"])
UNARY = st.sampled_from(
    ["coalesce({}, {})",
     "nullif({}, {})", "case when {c} then {} else {} end", "case when {c} then {} end", "({} + {})",
     "({} / {})", "({} || {})", "lower({})", "length({})", "abs({})", "cast({} as text)", "({} is null)", "({c})",
     "substr({}, 1, 2)", "replace({}, 'x', {})", "(select max(b2.n) from b as b2 where b2.a_id = {})", "-{}",
     "({} % 2)",
     "(select count(*) from none where none.id = {})", "(select none.n from none)", "exists (select 1 where {c})",
     "coalesce({}, {}, 0)", "case {} when {} then 1 else {} end", "cast({} as integer)", "trim({})", "round({})"]
)  # fmt: skip
CONDITIONS = st.sampled_from(
    ["{} = {}", "{} > {}", "{} is not null", "{} is null", "{} in ({}, {})", "{} between {} and {}", "{} <> {}",
     "{} not in ({}, {})", "{} like 'x%'", "not ({c})", "({c} and {c})", "({c} or {c})", "({}, {}) > ({}, {})",
     "({}, {}) = ({}, {})", "{} in (select n from b)", "{} not in (select n from none)", "{} is distinct from {}"]
)  # fmt: skip
AGGREGATES = st.sampled_from(
    ["count(*)",
     "count({})", "sum({})", "max({})", "min({})", "avg({})", "coalesce(sum({}), 0)", "cast(sum({}) as text)",
     "max({}) filter (where {c})", "count(*) filter (where {c})", "max(case when {c} then {} else {} end)"]
)  # fmt: skip
WINDOWS = st.sampled_from(
    ["row_number() over (order by a.id)", "sum({}) over (partition by a.n)", "first_value({}) over (order by a.id)",
     "lag({}) over (order by a.id)", "lag({}, 1, {}) over (order by a.id)", "last_value({}) over (order by a.id)",
     "max({}) over (order by a.id rows between 1 preceding and current row)", "nth_value({}, 2) over (order by a.id)",
     "max({}) over (order by a.id rows between 1 following and 2 following)", "count({}) over ()",
     "ntile(2) over (order by a.id)",
     "max({}) over w", "max({}) filter (where {c}) over (order by a.id)"]
)  # fmt: skip
JOINS = st.sampled_from(
    ["a left join b on b.a_id = a.id", "a right join b on b.a_id = a.id", "a full join b on b.a_id = a.id",
     "a inner join b on b.a_id = a.id", "a cross join b", "a left join b on a.n = b.n", "a inner join b on a.n = b.n",
     "(a left join b on b.a_id = a.id)", "b left join (a inner join b as c on c.a_id = a.id) on a.id = b.a_id",
     "(select * from a) as a left join (select * from b where b.r is not null) as b on b.a_id = a.id",
     "a left join b on b.a_id = a.id inner join b as c on c.n = b.n", "a left join b on {c}",
     "a inner join b on a.n = b.n right join none on none.n = a.n", "A left join B on b.A_id = a.ID"]
)  # fmt: skip


@st.composite
def expressions(draw: st.DrawFn, depth: int = 2) -> str:
    form = draw(UNARY) if depth and draw(st.booleans()) else draw(LEAVES)
    return draw(filled(form, depth))


@st.composite
def filled(draw: st.DrawFn, form: str, depth: int) -> str:
    """The form, with an expression in each ``{}`` and a condition in each ``{c}``."""
    while "{c}" in form:
        condition = draw(CONDITIONS) if depth > 0 else "{} is not null"
        form = form.replace("{c}", draw(filled(condition, depth - 1)), 1)
    while "{}" in form:
        form = form.replace("{}", draw(expressions(max(depth - 1, 0))), 1)
    return form


@st.composite
def queries(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(["rows", "rows", "groups", "whole", "windows"]))
    group = draw(st.sampled_from(["a.n", "b.n", "a.id"]))
    selected = []
    for _ in range(2):
        form = draw({"groups": AGGREGATES, "whole": AGGREGATES, "windows": WINDOWS}.get(kind, st.just("{}")))
        selected.append(draw(filled(form, 2)))
    source = draw(filled(draw(JOINS), 1))
    where = f" where {draw(filled('{c}', 2))}" if draw(st.booleans()) else ""
    tail = f" group by {group}" if kind == "groups" else " window w as (order by a.id)" if kind == "windows" else ""
    first = f"{group}, " if kind == "groups" else ""
    columns = ", ".join(f"{each} as c{i}" for i, each in enumerate(selected))
    return f"select {first}{columns}, {'a.n' if kind in ('rows', 'windows') else '1'} as m from {source}{where}{tail}"


@pytest.mark.parametrize("dialect", DIALECTS)
@given(sql=queries())
@settings(max_examples=250)
def test_no_query_is_null_where_that_is_ruled_out(sql: str, dialect: Dialect, engines: Engines) -> None:
    assert not contradicted(sql, dialect, engines)
