"""A text is cut into its statements exactly, whatever they contain; SQLite itself agrees on what is complete."""

from __future__ import annotations

import pytest

from diglot.errors import MigrationTreeError, TransactionError
from diglot.migrate.statements import split
from diglot.sql import statements
from diglot.sql.session import Statement
from diglot.stores.sqlite.library import library
from diglot.stores.store import Store

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
    "trigger with a column called end": "create trigger x after insert on t begin update t set end = end + 1; end",
    "trigger with an alias called case": "create trigger x after insert on t begin select 1 as 'case'; select 2; end",
    "body that is empty": "create function f() returns void begin atomic end",
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


CONTROL = [
    ("begin immediate", "begin"),
    ("START TRANSACTION READ ONLY", "start transaction"),
    ("/* why */ commit", "commit"),
    ("end transaction", "end"),
    ("rollback to x", "rollback"),
    ("abort", "abort"),
    ("savepoint x", "savepoint"),
    ("release x", "release"),
    ("prepare transaction 'x'", "prepare transaction"),
    ("prepare x as select 1", None),
    ("select 'commit'", None),
    ('select "begin" from t', None),
    ("create trigger x after insert on t begin delete from u; end", None),
    ("create function f() returns int begin atomic select 1; end", None),
    ("do $$ begin commit; end $$", None),
]


@pytest.mark.parametrize(("text", "expected"), CONTROL, ids=[text for text, _ in CONTROL])
def test_what_begins_or_ends_a_transaction(text: str, expected: str | None) -> None:
    (statement,) = statements.split(text)
    assert statement.transaction_control == expected


@pytest.mark.parametrize("text", [text for text, control in CONTROL if control])
def test_a_script_is_one_transaction_on_both_databases(store: Store, text: str) -> None:
    script = Statement("t.script", f"create table made_by_script (n integer); {text};", writes=True)
    with pytest.raises(TransactionError, match=r"a script is one transaction: leave [A-Z ]+ out of it"):
        store.script(script)
    with pytest.raises(TransactionError, match="a script is one transaction"), store.transaction() as tx:
        tx.script(script)
    store.script(Statement("t.again", "create table made_by_script (n integer)", writes=True))


@pytest.mark.parametrize("statement", WHOLE.values(), ids=WHOLE.keys())
def test_sqlite_takes_the_same_statements_for_complete(statement: str) -> None:
    if "$$" in statement or "$a$" in statement or "atomic" in statement or "E'" in statement or "execute" in statement:
        return  # no SQL of SQLite
    complete = library().complete_statement
    assert complete(f"{statement};")
    assert not any(complete(f"{statement};"[: at + 1]) for at, sign in enumerate(statement) if sign == ";")


NAMES = [
    ("t cascade", ["t"], "cascade"),
    ("if exists a . t , only u", ["t", "u"], ""),
    ("if not exists t ( a int )", ["t"], "( a int )"),
    ("only t drop column a", ["t"], "drop column a"),
    ("", [], ""),
]


@pytest.mark.parametrize(("words", "names", "rest"), NAMES, ids=[words for words, _, _ in NAMES])
def test_the_names_that_a_statement_of_ddl_begins_with(words: str, names: list[str], rest: str) -> None:
    assert statements.read_names(words.split()) == (names, rest.split() or ())


@pytest.mark.parametrize("text", ["select 'x", 'select "x', "select 1 /* x", "do $$ begin"])
def test_what_does_not_end_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(MigrationTreeError, match=r"f\.sql:2:\d+: .* does not end"):
        split(f"select 1;\n{text};\n", "f.sql")
