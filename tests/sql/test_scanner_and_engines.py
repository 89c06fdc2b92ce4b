"""What the scanner takes for a parameter, and what it leaves alone, is what the engines' own parsers take it for.

Select lists are made of pieces whose values are known: literals of every form with whatever in them, identifiers,
comments, casts, slices and parameters. The text with placeholders must give the row that the pieces promise. SQLite
knows ``:name`` itself, so any text at all can be given to it, and the names that it asks for be compared with ours;
PostgreSQL is given the text with placeholders, and says how many parameters it finds. What an engine reads in another
way must have been refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from diglot.errors import QueryFileError
from diglot.sql.adapters import ADAPTERS
from diglot.sql.misread import misread
from diglot.sql.scanner import Kind, Token, scan
from diglot.sql.session import Dialect
from diglot.stores.sqlite.library import library

VALUES = {"a": "A:b'$$--", "b_2": '/* "', "Long": "%s \\ ?"}
# Whatever looks like something else to whoever does not know where it stands.
ODD = [
    ":a",
    ":b_2",
    "::",
    "'",
    '"',
    "--",
    "/*",
    "*/",
    "$$",
    "$t$",
    "$1",
    "?",
    "%s",
    "%",
    "\\",
    "\n",
    ";",
    "é",
    "[1:2]",
    "`",
]
TRICKY = st.lists(
    st.sampled_from(ODD) | st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=3),
    max_size=6,
).map("".join)


class Piece(NamedTuple):
    """A column of the select list, and the value that it has."""

    sql: str
    value: str


def plain(text: str) -> Piece:
    return Piece("'" + text.replace("'", "''") + "'", text)


def escaped(text: str) -> Piece:
    return Piece("E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'", text)


def escaped_by_doubling(text: str) -> Piece:
    return Piece("e'" + text.replace("\\", "\\\\").replace("'", "''") + "'", text)


def dollars(text: str) -> Piece:
    tag = next(tag for tag in ("$$", "$t$", "$Tag_1$", "$u1$", "$u2$") if tag not in text + "$")
    return Piece(f"{tag}{text}{tag}", text)


def spelled(name: str, dialect: Dialect) -> Piece:
    return Piece(f"cast(:{name} as text)" if dialect == "sqlite" else f":{name}::text", VALUES[name])


def pieces(dialect: Dialect) -> st.SearchStrategy[Piece]:
    forms = [TRICKY.map(plain), st.sampled_from(sorted(VALUES)).map(lambda name: spelled(name, dialect))]
    if dialect == "postgres":
        forms += [TRICKY.map(escaped), TRICKY.map(escaped_by_doubling)]
        forms += [TRICKY.filter(lambda text: text[-1:] != "$").map(dollars)]
        forms += [st.just(Piece("(array['p','q','r'])[1:2]::text", "{p,q}"))]
        forms += [st.just(Piece("(array[:a::text,'q'])[1]", VALUES["a"]))]
    return st.one_of(forms)


def between(dialect: Dialect) -> st.SearchStrategy[str]:
    """What may stand between two columns and mean nothing."""
    inside = TRICKY.map(lambda text: text.replace("*/", "").replace("/*", "").rstrip("/*").lstrip("/*"))
    block = inside.map(lambda text: f" /*{text} */ ").filter(lambda text: text.count("*/") == text.count("/*") == 1)
    line = TRICKY.map(lambda text: " --" + text.replace("\n", " ") + "\n")
    return st.sampled_from([" ", "\n"]) | block | line


class Selected(NamedTuple):
    """A statement with ``:name`` parameters, the row that it gives, and the names of its columns."""

    text: str
    row: tuple[str, ...]
    names: tuple[str, ...]


@st.composite
def selects(draw: st.DrawFn, dialect: Dialect) -> Selected:
    columns = draw(st.lists(pieces(dialect), min_size=1, max_size=5))
    names = [f"{number}{draw(TRICKY)[:8]}" for number in range(len(columns))]
    text = "select" + draw(between(dialect))
    for number, (column, name) in enumerate(zip(columns, names, strict=True)):
        quoted = '"' + name.replace('"', '""') + '"'
        text += ("," if number else "") + draw(between(dialect)) + f" {column.sql} as {quoted}" + draw(between(dialect))
    return Selected(text, tuple(column.value for column in columns), tuple(names))


def sent(text: str, dialect: Dialect) -> tuple[str, list[str]]:
    positional, order = ADAPTERS[dialect]().positional(scan(text))
    return positional, [VALUES[name] for name in order]


RELAXED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
def postgres(postgres_url_of_module: str) -> Iterator[psycopg.RawCursor[Any]]:
    with psycopg.connect(postgres_url_of_module, autocommit=True) as connection:
        yield psycopg.RawCursor(connection)


@pytest.fixture(scope="module")
def sqlite() -> Iterator[Any]:
    connection = library().connect(":memory:")
    yield connection
    connection.close()


@RELAXED
@given(selected=selects("postgres"))
def test_postgres_reads_what_was_written(selected: Selected, postgres: psycopg.RawCursor[Any]) -> None:
    text, values = sent(selected.text, "postgres")
    postgres.execute(text, values)
    assert postgres.fetchone() == selected.row
    assert tuple(column.name for column in postgres.description or ()) == selected.names


@RELAXED
@given(selected=selects("sqlite"))
def test_sqlite_reads_what_was_written(selected: Selected, sqlite: Any) -> None:
    text, values = sent(selected.text, "sqlite")
    cursor = sqlite.execute(text, values)
    assert cursor.fetchone() == selected.row
    assert tuple(column[0] for column in cursor.description) == selected.names


class Asked(dict[str, str]):
    """Values for whatever SQLite asks; the names are kept."""

    def __missing__(self, name: str) -> str:
        self[name] = name
        return name


CODE = ["select ", "1", "x", ":a", ":b_2", " :Long", ":", "::", ",", "(", ")", "[", "]", " as ", "||", "%", "\\", "\n"]
SIGNS = ["?", "?1", "$1", "$", "@", "#", "@a", "#a", "$a", "$a::b(c)", ":1", "a$b", "é", "€", "\r"]
QUOTED = ["'", "'it''s :a'", '":a"', '"', "`:a`", "[:a]", "$$", "$t$", "E'", "--", "/*", "*/", " -- :a\n", "/* :a */"]
OPERANDS = [
    ":a",
    ":b_2",
    "1",
    "'it''s :a'",
    "':a",
    "(select :Long)",
    "'--'",
    "'/*'",
    "'%'",
    "(1) -- :a\n",
    "/* :a */ 2",
    ":a()",
    ":a(b)",
    "@a",
    "?1",
    "$a::b",
    "[it's :a]",
]
FRAGMENTS = st.lists(st.sampled_from(CODE + SIGNS + QUOTED), max_size=8).map("".join)
STATEMENTS = st.lists(st.sampled_from(OPERANDS) | FRAGMENTS, min_size=1, max_size=6).map(
    lambda parts: "select " + " || ".join(parts)
)


def read(text: str, dialect: Dialect) -> list[Token] | None:
    """The tokens; None where the text is refused, as it is in a query file."""
    try:
        tokens = scan(text)
    except QueryFileError:
        return None
    return tokens if not any(misread(tokens, dialect)) else None


@settings(RELAXED, max_examples=500)
@example(text="select :a()")
@example(text="select [x :a], :b as [y]")
@given(text=STATEMENTS)
def test_sqlite_asks_for_the_parameters_that_the_scanner_finds(text: str, sqlite: Any) -> None:
    tokens = read(text, "sqlite")
    asked = Asked()
    try:
        sqlite.execute(f"explain {text}", asked)
    except (library().Error, library().Warning) as error:
        if "has no name" not in str(error):
            return  # no statement
        asked["?"] = "a parameter without a name"
    if tokens is not None:
        assert {token.name for token in tokens if token.kind is Kind.PARAMETER} == set(asked)


PLAIN = ["select 1", "select :a", "select 'it''s :a'", "select 1 || :a || '%'", "select 1 /* :a */, :b -- :c\n, :d"]


@pytest.mark.parametrize("text", PLAIN)
def test_a_plain_statement_is_not_refused(text: str) -> None:
    assert read(text, "sqlite") is not None
    assert read(text, "postgres") is not None


PG_OPERANDS = [
    ":a::text",
    ":b_2::text",
    "'it''s :a'",
    "E'it\\'s :a'",
    "E'x'\n'it\\' :a'",
    "$$ :a $$",
    "$t$ ' :a $t$",
    "$t$ $1 $t$",
    "(array['p','q','r'])[1:2]::text",
    "(select :Long::text)",
    "'--'",
    "(1) -- :a\n",
    "/* :a */ 2",
    "$1::text",
    "@ 1",
    "'%'",
    '(select 1 as "a :b")',
    "(select 1 as €$t$)",
]
PG_STATEMENTS = st.lists(st.sampled_from(PG_OPERANDS) | FRAGMENTS, min_size=1, max_size=6).map(
    lambda parts: "select " + " || ".join(parts)
)


@settings(RELAXED, max_examples=500)
@example(text="select 1 as €$t$, :a::text, 2 as €$t$")
@example(text="select $1::text")
@given(text=PG_STATEMENTS)
def test_postgres_finds_as_many_parameters_as_the_scanner(text: str, postgres: psycopg.RawCursor[Any]) -> None:
    tokens = read(text, "postgres")
    if tokens is None:
        return
    sent, order = ADAPTERS["postgres"]().positional(tokens)
    connection = postgres.connection.pgconn
    prepared = connection.prepare(b"", sent.encode())
    if prepared.status == psycopg.pq.ExecStatus.COMMAND_OK:  # else it is no statement
        assert connection.describe_prepared(b"").nparams == len(order)
