"""Expressions of both dialects: which mean the same and which do not. A wrong 'same' would hide a difference."""

from __future__ import annotations

import pytest

from diglot.drift.expressions import facts, form
from diglot.drift.reading import Scope
from diglot.drift.types import Kind
from diglot.sql.session import Dialect

KINDS: dict[str, Kind] = {"a": "integer", "a2": "integer", "b": "text", "c": "time", "d": "json", "f": "boolean"}
P = Scope("postgres", {**KINDS, "i": "number"})
S = Scope("sqlite", {**KINDS, "i": "number"})

SAME = [
    ("b ilike 'a%'", "b like 'A%'"),
    ("b like 'a%'", "b glob 'a*'"),
    ("b ~ '^[0-9]{3}$'", "b glob '[0-9][0-9][0-9]'"),
    ("jsonb_typeof(d) = 'number'", "json_type(d) in ('integer', 'real')"),
    ("jsonb_typeof(d) = 'boolean'", "json_type(d) in ('true', 'false')"),
    ("jsonb_typeof(d) = 'string'", "json_type(d) = 'text'"),
    ("d ->> 'a' = 'x'", "json_extract(d, '$.a') = 'x'"),
    ("(d -> 'a') ->> 'b' = 'x'", "d ->> '$.a.b' = 'x'"),
    ("jsonb_array_length(d) > 0", "json_array_length(d) >= 1"),
    ("coalesce(a, 0) > 1", "ifnull(a, 0) > 1"),
    ("a is not distinct from a2", "a is a2"),
    ("btrim(b) <> ''", "length(trim(b)) > 0"),
    ("a % 2 = 0", "a % 2 == 0"),
    ("case when f then a else 0 end > 1", "iif(f = 1, a, 0) > 1"),
    ("substring(b from 1 for 2) = 'x'", "substr(b, 1, 2) = 'x'"),
    ("c > '2020-01-01 00:00:00+00'::timestamptz", "c > '2020-01-01T00:00:00.000000Z'"),
    ("f is not null and f", "f = 1 and f notnull"),
    ("a = a and a > 1", "a > 1 and b is b"),
]
OTHERWISE: list[tuple[Dialect, str, Dialect, str]] = [
    ("postgres", "b like 'a%'", "sqlite", "b like 'a%'"),  # SQLite's LIKE takes no notice of case
    ("postgres", "greatest(a, a2) > 1", "sqlite", "max(a, a2) > 1"),  # NULL is left out, or is the answer
    ("postgres", "jsonb_typeof(d) = 'number'", "sqlite", "json_type(d) = 'integer'"),
    ("postgres", "a::numeric / 2 > 1", "postgres", "a / 2 > 1"),
    ("postgres", "b ~ '^a|b$'", "postgres", "b ~ '^(a|b)$'"),
    ("postgres", "b ~ 'a'", "postgres", "b ~ '^a'"),
    ("postgres", "a is null or coalesce(a, 0) > 1", "postgres", "coalesce(a, 0) > 1"),
    ("postgres", "a is null or concat(a, 'x') = 'y'", "postgres", "concat(a, 'x') = 'y'"),
    ("postgres", "a - a2 > 1", "postgres", "a2 - a > 1"),
    ("postgres", "a > a2", "postgres", "a < a2"),
    ("postgres", "b || 'x' = 'y'", "postgres", "'x' || b = 'y'"),
    ("postgres", "i > 0", "postgres", "i >= 1"),
    ("postgres", "d ->> 'a' = 'x'", "postgres", "d -> 'a' = 'x'"),
    ("postgres", "substring(b, 1, 2) = 'x'", "postgres", "substring(b, 2, 1) = 'x'"),
    ("postgres", "a = 1 or a2 = 2", "postgres", "a = 2 or a2 = 1"),
    ("postgres", "not (a = 1 or a2 = 2)", "postgres", "a <> 1 or a2 <> 2"),
    ("postgres", "b = 'A'", "postgres", "b = 'a'"),
    ("postgres", "f", "postgres", "not f"),
    ("postgres", "trim(leading from b) = 'x'", "postgres", "trim(trailing from b) = 'x'"),
    ("postgres", "a is distinct from 1", "postgres", "a <> 1"),
    ("sqlite", "a is not 1", "sqlite", "a <> 1"),
    ("sqlite", "b glob 'a?'", "sqlite", "b glob 'a*'"),
    ("postgres", "c > '2020-01-01 00:00:00+00'", "postgres", "c > '2020-01-01 00:00:00+01'"),
    (
        "postgres",
        "case when a > 1 then b else 'x' end = 'y'",
        "postgres",
        "case when a > 1 then 'x' else b end = 'y'",
    ),
    ("sqlite", "a > cast('12abc' as integer)", "sqlite", "a > '12abc'"),
    ("postgres", "b like 'a/%' escape '/'", "postgres", "b like 'a/%'"),
    ("postgres", "xmlexists('//a' passing b)", "postgres", "xmlexists('//b' passing b)"),  # sqlglot can't read it
]


@pytest.mark.parametrize(("postgres", "sqlite"), SAME)
def test_the_same(postgres: str, sqlite: str) -> None:
    assert set(facts(postgres, P)) == set(facts(sqlite, S))


@pytest.mark.parametrize(("dialect", "text", "other_dialect", "other"), OTHERWISE)
def test_not_the_same(dialect: Dialect, text: str, other_dialect: Dialect, other: str) -> None:
    scopes = {"postgres": P, "sqlite": S}
    assert set(facts(text, scopes[dialect])) != set(facts(other, scopes[other_dialect]))


def test_uuids_of_chance_are_the_same_and_those_of_time_are_not() -> None:
    chance = {form(text, P) for text in ("gen_random_uuid()", "uuidv4()", "public.uuid_generate_v4()")}
    assert len(chance) == 1
    assert form("uuidv7()", P) not in chance
