"""Functions that are said never to be null are called with every combination of some arguments, on both engines.

An engine may refuse a call: that is no null. On SQLite the type that is claimed is compared too.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from diglot.check.lineage.never_null import POSTGRES, SQLITE
from diglot.sql.session import DIALECTS, Dialect, Statement
from tests.check.claims import Engines, contradicted, engines

__all__ = ["engines"]

SAMPLES = {
    "text": ("''", "'a'", "'b,é'"),
    "int4": ("0", "1", "-1", "3"),
    "int8": ("0::bigint", "-7::bigint"),
    "numeric": ("0.0", "2.5", "-1.5"),
    "float8": ("0::float8", "1.5::float8"),
    "timestamptz": ("timestamptz '2001-02-03 04:05:06+00'",),
    "timestamp": ("timestamp '2001-02-03 04:05:06'",),
    "date": ("date '2001-02-03'",),
    "interval": ("interval '1 day'", "interval '-3 hours'"),
    "jsonb": ("'{}'::jsonb", "'[1, null]'::jsonb", "'null'::jsonb"),
    "json": ("'{}'::json", "'[1, null]'::json", "'null'::json"),
    "bytea": ("''::bytea", "'a'::bytea"),
    "bool": ("true", "false"),
    "name": ("'a'::name",),
    "anyelement": ("'a'::text", "1"),
    "any": ("'a'::text", "1"),
    "anyarray": ("array[1, null]", "'{}'::int[]"),
    "anycompatible": ("1", "2"),
    "anycompatiblearray": ("array[1, null]", "'{}'::int[]"),
    "record": ("row(1, null)",),
    "regclass": (),
}
ARGUMENTS = """
    select p.proname::text, p.pronargs - p.pronargdefaults, p.pronargs, p.provariadic <> 0, array(
        select t.typname::text from unnest(p.proargtypes) with ordinality as a (oid, at)
        inner join pg_type as t on t.oid = a.oid order by a.at)
    from pg_proc as p where p.pronamespace = 'pg_catalog'::regnamespace
"""


def postgres_calls(engines: Engines) -> Iterator[tuple[str, str]]:
    store, _ = engines["postgres"]
    for name, fewest, most, variadic, types in store.rows(Statement("claims.functions", ARGUMENTS, writes=False)):
        if name not in POSTGRES:
            continue
        for count in range(fewest, most + 1):
            samples = [(*SAMPLES.get(kind, ()), f"null::{kind}" if not kind.startswith("any") else "null::text")
                       for kind in types[:count]]  # fmt: skip
            if variadic and count == most:
                samples[-1] = ("'a'::text", "1", "null::text")
            if count > 3:
                samples = [(each[0], each[-1]) for each in samples]
            for arguments in product(*samples):
                yield name, f"select cast({name}({', '.join(arguments)}) as text) as x"


SQLITE_SAMPLES = (
    "''", "'a'", "0", "1", "-3", "1.5", "x'00'", "'{}'", "'[1, null]'", "'$.a'", "'null'", "null", "'now'",
    "'%Y-%m'", "'%q'", "'%d %s'", "'+1 day'"
)  # fmt: skip


def sqlite_calls(engines: Engines) -> Iterator[tuple[str, str]]:
    store, _ = engines["sqlite"]
    known = store.rows(Statement("claims.functions", "select name, narg from pragma_function_list", writes=False))
    for name, arguments in dict.fromkeys((name, n) for name, *rest in known for n in rest):
        if name not in (*SQLITE, "abs", "max", "min", "ceil", "floor", "trunc", "sign", "iif", "ifnull", "nullif"):
            continue
        for count in range(4) if arguments < 0 else (arguments,):
            for given_ in product(SQLITE_SAMPLES if count < 3 else SQLITE_SAMPLES[::3], repeat=count):
                yield name, f"select {name}({', '.join(given_)}) as x"


@pytest.mark.once
@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_function_is_null_where_that_is_ruled_out(dialect: Dialect, engines: Engines) -> None:
    calls = postgres_calls(engines) if dialect == "postgres" else sqlite_calls(engines)
    names, answered, wrong = set(), set(), []
    for name, sql in calls:
        names.add(name)
        answer = contradicted(sql, dialect, engines)
        if answer is not None:
            answered.add(name)
        if answer:
            wrong.append(answer)
    assert wrong == []
    assert names - answered == set(), "never called: the samples don't fit its arguments"
