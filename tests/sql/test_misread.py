"""A query file is refused where its database would read it differently from the scanner."""

from __future__ import annotations

import pytest

from diglot.errors import QueryFileError
from diglot.sql.header import read_queries
from diglot.sql.misread import misread
from diglot.sql.scanner import scan
from diglot.sql.session import DIALECTS, Dialect

REFUSED: list[tuple[str, Dialect, str, int, str]] = [
    ("question mark", "sqlite", "select ?", 7, "SQLite reads ? as a parameter: write a parameter as :name"),
    ("number", "sqlite", "select ?1", 7, "SQLite reads ?1 as a parameter"),
    ("at sign", "sqlite", "select @a", 7, "SQLite reads @a as a parameter"),
    ("hash", "sqlite", "select 1, #a", 10, "SQLite reads #a as a parameter"),
    ("dollar", "sqlite", "select $a", 7, "SQLite reads $a as a parameter"),
    (
        "name of Tcl's",
        "sqlite",
        "select $a::b(c)",
        7,
        "SQLite reads $a::b(c) as a parameter: write a parameter as :name",
    ),
    ("colons first", "sqlite", "select :::a", 7, "SQLite reads :::a as a parameter: it has no casts"),
    ("number behind a colon", "sqlite", "select :1", 7, "SQLite reads :1 as a parameter"),
    (
        "array element of Tcl's",
        "sqlite",
        "select :a()",
        7,
        "SQLite reads :a() as a parameter: put a space",
    ),
    (
        "cast",
        "sqlite",
        "select :a::text",
        7,
        "SQLite reads :a::text as a parameter: it has no casts",
    ),
    ("array element with a string in it", "sqlite", "select :a('b')", 7, "SQLite reads :a( as a parameter"),
    ("cast of a column", "sqlite", "select a::text", 8, "SQLite has no casts with '::': write cast(… as …)"),
    ("dollar quote", "sqlite", "select $t$ x $t$", 7, "SQLite has no dollar quotes and reads $t$ as a parameter"),
    ("E string", "sqlite", "select E'x'", 7, "SQLite has no E'…' strings"),
    ("brackets", "sqlite", "select [a b]", 7, "SQLite reads […] as an identifier"),
    ("numbered", "postgres", "select 1, $1", 10, "PostgreSQL reads $1 as a parameter: write a parameter as :name"),
    ("back-ticks", "postgres", "select `a`", 7, "PostgreSQL has no `…` identifiers"),
    ("carriage return", "postgres", "select 1 -- a\r, 2\n", 13, "a carriage return in a comment"),
    ("carriage return", "sqlite", "select 1 -- a\r, 2\n", 13, "a carriage return in a comment"),
]


@pytest.mark.parametrize(
    ("dialect", "text", "offset", "what"), [c[1:] for c in REFUSED], ids=[f"{c[1]}: {c[0]}" for c in REFUSED]
)
def test_names_what_the_database_reads_differently(dialect: Dialect, text: str, offset: int, what: str) -> None:
    found = list(misread(scan(text), dialect))
    assert found[0][0] == offset
    assert found[0][1].startswith(what)


ACCEPTED: list[tuple[str, Dialect, str]] = [
    ("dollar in a word", "sqlite", "select a$b, é$c, :a from x$1"),
    (
        "signs in strings, identifiers and comments",
        "sqlite",
        "select '@a ?1 $b [', \"#a\", `$c` -- :a() ?\n, :a /* @ */",
    ),
    ("path of JSON", "sqlite", "select x ->> '$.a' where y = :a"),
    ("parenthesis after a space", "sqlite", "select 1 where 1 in (:a) and :a in (select 1)"),
    ("operators", "postgres", "select @ :a, x ? 'a', x # 1, x @> :a, y::text, :a::int, z[1:2], $$ $1 $$, E'$1'"),
    ("dollar in a word", "postgres", "select a$1, é$1"),
]


@pytest.mark.parametrize(("dialect", "text"), [c[1:] for c in ACCEPTED], ids=[f"{c[1]}: {c[0]}" for c in ACCEPTED])
def test_leaves_alone_what_both_read_the_same(dialect: Dialect, text: str) -> None:
    assert list(misread(scan(text), dialect)) == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_query_file_is_refused_with_the_place(dialect: Dialect) -> None:
    text = {"postgres": "select\n  $1, :a;", "sqlite": "select\n  @a, :a;"}[dialect]
    with pytest.raises(QueryFileError) as error:
        read_queries(f"-- name: q(a)!\n-- param: a int\n{text}\n", "s", "s.sql", dialect)
    assert str(error.value).startswith("s.sql:4:3: ")
