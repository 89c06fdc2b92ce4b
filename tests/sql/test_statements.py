"""A text is cut into its statements exactly, whatever they contain."""

from __future__ import annotations

from typing import Any

import pytest

from diglot.errors import MigrationTreeError, TransactionError
from diglot.migrate.statements import split
from diglot.sql import statements
from diglot.sql.session import Dialect, Statement
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
    "case with begin": "create trigger x after insert on t begin select case when b then begin end; end",
    "rule with several statements": "create rule r as on insert to t do also (insert into u values (1); delete from v)",
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
    assert statement.words == ("drop", "table", "Über;mut", ",", "'a'")


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


NAMES = [
    ("t cascade", [("", "t")], "cascade"),
    ("if exists a.t, only u", [("a", "t"), ("", "u")], ""),
    ("if not exists t (a int)", [("", "t")], "( a int )"),
    ("only t drop column a", [("", "t")], "drop column a"),
    ("db.a.t, u", [("a", "t"), ("", "u")], ""),
    ('"if", a."only", "A,b"."."', [("", "if"), ("a", "only"), ("A,b", ".")], ""),
    ("'it''s' rename", [("", "it's")], "rename"),
    ("", [], ""),
]


@pytest.mark.parametrize(("text", "names", "rest"), NAMES, ids=[text for text, _, _ in NAMES])
def test_the_names_that_a_statement_of_ddl_begins_with(text: str, names: list[tuple[str, str]], rest: str) -> None:
    words = [word for statement in statements.split(text) for word in statement.words]
    found, after = statements.read_names(words)
    assert (found, " ".join(after)) == (names, rest)


@pytest.mark.parametrize("text", ["select 'x", 'select "x', "select 1 /* x", "do $$ begin"])
def test_what_does_not_end_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(MigrationTreeError, match=r"f\.sql:2:\d+: .* does not end"):
        split(f"select 1;\n{text};\n", "f.sql")


# --- what only one of the two reads so ---------------------------------------------------------------------

OF_ONE_DIALECT: list[tuple[Dialect, str, list[str]]] = [
    ("sqlite", "create table [a;b] (x int);\nselect 1;", ["create table [a;b] (x int);", "select 1;"]),
    ("sqlite", "select [it's];\nselect 1;", ["select [it's];", "select 1;"]),
    ("sqlite", "select 1 /* /* */;\nselect 2;", ["select 1 /* /* */;", "select 2;"]),
    ("sqlite", "select e'\\';\nselect 1;", ["select e'\\';", "select 1;"]),
    ("sqlite", "select $a$; select $a$;", ["select $a$;", "select $a$;"]),
    ("sqlite", "create table t (begin atomic);\nselect 1;", ["create table t (begin atomic);", "select 1;"]),
    ("sqlite", "-- old\rselect 1;\nselect 2;", ["-- old\rselect 1;\nselect 2;"]),
    ("postgres", "-- old\rselect 1;\nselect 2;", ["-- old\rselect 1;", "select 2;"]),
    ("postgres", "select 1 /* /* ; */ ; */;\nselect 2;", ["select 1 /* /* ; */ ; */;", "select 2;"]),
    ("postgres", "select 1 ` 2;\nselect 3;", ["select 1 ` 2;", "select 3;"]),
    ("postgres", "create trigger begin before update on t execute function f();\nselect 1;",
     ["create trigger begin before update on t execute function f();", "select 1;"]),
    ("postgres", "copy t from stdin;\n1\tit's; \"a\n\\.\nselect 1;", ["copy t from stdin;", "select 1;"]),
    ("postgres", "copy t (a) from stdin with (format csv);\n1;\n2", ["copy t (a) from stdin with (format csv);"]),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "text", "expected"), OF_ONE_DIALECT)
def test_a_text_is_split_as_its_own_database_reads_it(dialect: Dialect, text: str, expected: list[str]) -> None:
    assert [each.text for each in statements.split(text, dialect=dialect)] == expected


def test_a_migration_with_rows_for_copy_is_refused_with_its_place() -> None:
    with pytest.raises(MigrationTreeError, match=r"^f\.sql:2: 'copy … from stdin' gets its rows from a client"):
        split("select 1;\ncopy t from stdin;\n1\tit's\n\\.\n", "f.sql", "postgres")


def test_a_migration_that_copies_to_the_client_is_refused_with_its_place() -> None:
    with pytest.raises(MigrationTreeError, match=r"^f\.sql:2: 'copy … to stdout' sends rows to a client"):
        split("select 1;\ncopy (select 1) to stdout;\nselect 2;", "f.sql", "postgres")
    assert len(split("copy t from '/tmp/a'; copy t to '/tmp/b'; select 1", "f.sql", "postgres")) == 3


# --- the time it takes -------------------------------------------------------------------------------------


class Counted(str):
    """A text that counts the characters that its readers look at, but for those of regular expressions."""

    looked_at = 0

    def count(self, sub: str, start: Any = 0, end: Any = None) -> int:  # type: ignore[override]
        self.looked_at += (len(self) if end is None else end) - start
        return super().count(sub, start, end)

    def find(self, sub: str, start: Any = 0, end: Any = None) -> int:  # type: ignore[override]
        found = super().find(sub, start, end)
        last = len(self) if end is None else end
        self.looked_at += (found if found >= 0 else last) - start
        return found

    def rfind(self, sub: str, start: Any = 0, end: Any = None) -> int:  # type: ignore[override]
        found = super().rfind(sub, start, end)
        self.looked_at += (len(self) if end is None else end) - max(found, 0)
        return found

    def split(self, *args: Any, **options: Any) -> list[str]:  # type: ignore[override]
        self.looked_at += len(self)
        return super().split(*args, **options)

    def __getitem__(self, key: Any) -> str:
        found = super().__getitem__(key)
        self.looked_at += len(found)
        return found


LONG = {
    "inserts": "-- One row.\ninsert into t (a, b) values (1, 'it''s') /* ; */;\n",
    "triggers": "create trigger x after insert on t begin update t set a = 1; end;\n",
    "names": "update \"t\" set a = E'\\'', b = $$ x $$;\n",
}


@pytest.mark.parametrize("one", LONG.values(), ids=LONG.keys())
def test_four_times_the_text_is_four_times_the_work(one: str) -> None:
    def work(times: int) -> int:
        text = Counted(one * times)
        assert len(statements.split(text)) == times
        return text.looked_at

    assert work(400) < 4.2 * work(100)


def test_a_line_of_dashes_after_an_escape_string_is_read_once() -> None:
    # A pattern that can match the dashes in 2^n ways would not come back.
    assert len(statements.split(f"select E'a' {'-' * 200} x\n, 1; select 2")) == 2
