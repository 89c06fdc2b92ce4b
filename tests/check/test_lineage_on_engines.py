"""Statements of each kind: what the lineage says is never null never is, on both engines."""

from __future__ import annotations

import pytest

from diglot.check.catalog import read_catalog
from diglot.check.lineage import derive
from diglot.sql.session import DIALECTS, Dialect, Statement
from tests.check.claims import Engines, contradicted, engines

__all__ = ["engines"]

STATEMENTS = [
    "select * from outer_view",
    "select n, t from a where (n, t) > (0, '')",
    "select n, t from a where not (n, t) < (0, '')",
    "select n, t from a where (n, t) <> (0, 'x')",
    "select (select b.n from b where b.n = a.n) as x, a.n from a",
    "select x, y from named",
    "select a.id, v.y from a left join named as v on v.x = 'nothing'",
    "select * from a natural left join b",
    "select * from a left join b using (id)",
    "select * from a full join b using (id)",
    "select * from a right join b using (id, n)",
    "select id from a right join b using (id) where a.n > 0",
    "select n, max(n) from a group by n",
    "select max(id), min(n) from none",
    "select id from a union select t from a",
    "select id from a intersect select t from a",
    "select t from a except select id from a",
    "with recursive r (k, d) as (select id, 0 from a union all select t, d + 1 from a, r where d < 2) select * from r",
    "with c as (select a.id, b.n from a left join b on b.a_id = a.id) select C.N, c.id from C",
    "select (select n from a where a.id = '1') as x, (select count(*) from none) as y, (select 1) as z",
    "select a.n, (select count(*) from b where b.n = a.n) from a",
    "select case when n is null then 0 else n end as x, case when n is not null then n else 1 end as y from a",
    "select n is not null and n > 1 as x, n is null or n > 1 as y, n > 1 and n < 3 as z from a",
    'select ID, T as "Text" from A where N is not null',
]
BY_DIALECT: dict[Dialect, list[str]] = {
    "postgres": [
        "select n, count(*), max(n) from b group by rollup (n)",
        "select n, max(n) from none group by cube (n)",
        "select n, max(id) from a group by grouping sets ((n), ())",
        "select string_agg(t, ','), array_agg(t), jsonb_agg(t), bool_and(n > 0), stddev(n) from a group by id",
        "select string_agg(t, ','), array_agg(t), jsonb_agg(t), count(t) from none cross join a",
        "select percentile_cont(0.5) within group (order by n), mode() within group (order by id) from a group by t",
        "select to_char(n, '9'), to_char(now(), ''), to_char(now(), 'YYYY') from a",
        "select substring(id from 2), substring(id from 'z'), split_part(t, ',', 2), left(t, 1), md5(id) from a",
        "select extract(year from now()), now() at time zone 'utc', current_date, array(select n from a), array[1]",
        "select n = any(array[1, null]), id = any(select id from a), id <> all(array['1']) from a",
        "select '{\"a\": null}'::jsonb ->> 'a', '{}'::jsonb -> 'a', '{}'::jsonb #>> '{a}', '{}'::jsonb @> '{}'",
        "select (array[1])[2], id || t, array[1] || null::int[] from a",
        "select v, o from unnest(array[1, null]) with ordinality as u (v, o)",
        "select value from jsonb_array_elements('[null]') union all select to_jsonb(n) from a",
        "select value from jsonb_array_elements_text('[null]')",
        "select g, a.n from generate_series(1, 3) as g left join a on a.n = g",
        "select lower(int4range(1, 1)), lower(id), upper(t) from a",
        "select a.id, x.n from a left join lateral (select b.n from b where b.a_id = a.id limit 1) as x on true",
        "select pg_catalog.lower(id), coalesce(greatest(n, 1), least(n, null)), concat(t, n), concat_ws(t, 'a') from a",
        "select sum(n)::text, cast(sum(n) as bigint) from b group by a_id",
        "select grouping(n), ctid from a group by n, ctid",
    ],
    "sqlite": [
        "select id, max(n) from none",
        "select rowid, a.rowid from a",
        "select b.rowid from a left join b on b.a_id = a.id",
        "select total(n), group_concat(id), json_group_array(n), json_group_object(id, n), sum(n), avg(n) from none",
        "select group_concat(t), json_group_array(t), sum(n), avg(n), total(n) from a group by id",
        "select key, value, type, fullkey, atom from json_each('[null, 1]')",
        "select n % 2, n / 2, n / 0, 5 % n, iif(n > 1, n, 0), max(n, 1), min(id, t) from a",
        "select '{\"a\": null}' ->> '$.a', '{}' -> '$.a', json_extract('{}', '$.a'), json_type('{}', '$.a') from a",
        "select date('now'), date(t), strftime('%Y', 'now'), unixepoch(), datetime('now', '+1 day') from a",
        "select n is 1, n is not 1, id glob '1*', t not like 'x', x'00', t in (), 0 between n and 3 from a",
        "select ifnull(n, 0), nullif(id, '1'), typeof(n), quote(n), hex(t), printf(t), char(n), abs(n) from a",
    ],
}
CASES = [(dialect, sql) for dialect in DIALECTS for sql in [*STATEMENTS, *BY_DIALECT[dialect]]]


@pytest.mark.parametrize(("dialect", "sql"), CASES, ids=[f"{dialect}: {sql}" for dialect, sql in CASES])
def test_no_statement_is_null_where_that_is_ruled_out(dialect: Dialect, sql: str, engines: Engines) -> None:
    found = derive(sql, dialect, engines[dialect][1], {})
    assert found is not None
    assert contradicted(sql, dialect, engines) == ""


WRITES = [
    ("insert into a (id, n) values ('9', 1), ('8', null) returning id, n, t", [False, True, True]),
    ("insert into a (id, n, t) values ('9', 1, 'x') returning n, t", [False, False]),
    ("insert into a (id, n) select id || 'x', coalesce(n, 0) from a where true returning id, n", [False, False]),
    (
        "insert into a (id, n, t) values ('2', 5, 'x') on conflict (id) do update set n = excluded.n returning n, t",
        [False, True],
    ),
    (
        "insert into a (id, n) values ('1', 5) on conflict (id) do update set t = excluded.t returning n, t",
        [True, True],
    ),
    ("insert into a (id, n) values ('1', 5) on conflict (id) do nothing returning n", [False]),
    ("update a set n = 1 returning id, n, t", [False, False, True]),
    ("update a set n = n + 1 where n is not null returning n", [False]),
    ("update a set t = null where t is not null and n > 0 returning t, n", [True, False]),
    ("update a set n = (select max(b.n) from b where b.a_id = a.id) returning n", [True]),
    ("update a set (n, t) = (1, 'x') returning n, t", [False, False]),
    ("update a set n = b.n, t = null from b where b.a_id = a.id returning a.n, a.t", [False, True]),
    ("delete from a where n = 1 returning n, t", [False, True]),
]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("sql", "nullable"), WRITES, ids=[sql for sql, _ in WRITES])
def test_what_was_just_stored_is_returned(sql: str, nullable: list[bool], dialect: Dialect, engines: Engines) -> None:
    store, catalog = engines[dialect]
    found = derive(sql, dialect, catalog, {})
    assert found is not None
    assert [output.value.nullable for output in found.outputs] == nullable
    with store.migration_connection(5) as connection:
        connection.execute("begin")
        rows = connection.execute(sql).fetchall()
        connection.execute("rollback")
    nulls = [any(row[i] is None for row in rows) for i in range(len(nullable))]
    assert not [i for i, (may, has) in enumerate(zip(nullable, nulls, strict=True)) if has and not may]


TRIGGER = """
create table hooked (id text primary key, n bigint);
create function forget() returns trigger language plpgsql as 'begin new.n = null; return new; end';
create trigger forgets before insert or update on hooked for each row execute function forget();
create table noted (id text primary key, n bigint);
create trigger notes after insert on noted for each row execute function forget();
"""


def test_a_trigger_may_change_what_is_stored(engines: Engines) -> None:
    store, _ = engines["postgres"]
    store.script(Statement("claims.trigger", TRIGGER, writes=True))
    try:
        catalog = read_catalog(store)
        assert catalog.triggered == {"hooked"}
        for table, nullable in (("hooked", True), ("noted", False)):
            sql = f"insert into {table} (id, n) values ('1', 1) returning n"
            found = derive(sql, "postgres", catalog, {})
            assert found is not None
            assert found.outputs[0].value.nullable is nullable
    finally:
        drop = "drop table hooked, noted; drop function forget()"
        store.script(Statement("claims.trigger", drop, writes=True))
