"""A file is cut into its statements exactly, whatever they contain."""

from __future__ import annotations

import pytest

from diglot.errors import MigrationTreeError
from diglot.migrate.statements import split

WHOLE = {
    "column called begin": "create table t (id int, begin int)",
    "index on begin": "create index i on t (begin)",
    "semicolon in a string": "insert into t values ('it''s; here')",
    "backslash at a string's end": "insert into t values ('c:\\')",
    "escape string": r"insert into t values (E'it\'s; here')",
    "dollar quote": "create function f() returns int language plpgsql as $$ begin return 1; end; $$",
    "dollar quote in a dollar quote": "do $a$ begin perform $b$ x; $b$; end $a$",
    "quoted identifier": 'select "a;b" from t',
    "comments": "select 1 /* ; */ + 1 -- ; it's\n + 2",
    "case": "update t set a = case when b then 1 else 2 end",
    "trigger": "create trigger x after insert on t begin update t set a = 1; delete from u; end",
    "trigger with case": "create temp trigger x after insert on t begin select case when 1 then 2 end; select 1; end",
    "body in standard SQL": "create function f() returns int begin atomic select case when 1 then 2 end; select 3; end",
    "trigger of PostgreSQL": "create trigger x before update on t for each row execute function f()",
    "array slice": "select a[1:2], b::text from t",
}


@pytest.mark.parametrize("statement", WHOLE.values(), ids=WHOLE.keys())
def test_a_statement_stays_whole(statement: str) -> None:
    found = split(f"select 'first';\n{statement};\nselect 'last';", "f")
    assert [one.text for one in found] == ["select 'first';", f"{statement};", "select 'last';"]


def test_comments_and_empty_statements_are_none() -> None:
    assert [s.text for s in split("-- Why.\n;;\n/* x */;\nselect 1", "f")] == ["select 1"]
    assert split("-- only a comment\n", "f") == []


def test_statements_know_their_lines() -> None:
    text = "-- Why.\nselect 1;\n\n-- What it\n-- is for.\nselect\n  2;\n"
    first, second = split(text, "f")
    assert (first.line, first.first_line) == (2, 1)
    assert (second.line, second.first_line) == (6, 4)
    assert second.line_at(second.text.index("2")) == 7


def test_words_are_in_lower_case_without_comments() -> None:
    (statement,) = split("""DROP /* x */ TABLE "Über;mut", 'a';""", "f")
    assert statement.words == ("drop", "table", "Über;mut", ",", "''")


@pytest.mark.parametrize(
    "word", ["BEGIN", "start transaction", "commit", "End", "rollback", "savepoint x", "release x"]
)
def test_a_migration_does_not_end_its_transaction(word: str) -> None:
    with pytest.raises(MigrationTreeError, match=r"^f\.sql:3: .* the runner begins and commits"):
        split(f"select 1;\n-- and then\n{word};", "f.sql")


@pytest.mark.parametrize("text", ["select 'x", 'select "x', "select 1 /* x", "do $$ begin"])
def test_what_does_not_end_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(MigrationTreeError, match=r"f\.sql:2:\d+: .* does not end"):
        split(f"select 1;\n{text};\n", "f.sql")
