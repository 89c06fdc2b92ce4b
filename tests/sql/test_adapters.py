"""Parameters become the driver's own placeholders, and everything else in the text stays as it is."""

import pytest

from diglot.sql.adapters import ADAPTERS
from diglot.sql.scanner import scan
from diglot.sql.session import DIALECTS

CASES = [
    ("none", "select 1", "select 1", "select 1", [], []),
    ("one", "select :a", "select ?", "select $1", ["a"], ["a"]),
    ("two", "select :b, :a", "select ?, ?", "select $1, $2", ["b", "a"], ["b", "a"]),
    ("twice", ":a + :b + :a", "? + ? + ?", "$1 + $2 + $1", ["a", "b", "a"], ["a", "b"]),
    ("prefix of another", ":id :id_2 :i", "? ? ?", "$1 $2 $3", ["id", "id_2", "i"], ["id", "id_2", "i"]),
    ("eleven", " ".join(f":p{i}" for i in range(11)), " ".join("?" * 11), " ".join(f"${i + 1}" for i in range(11)),
     [f"p{i}" for i in range(11)], [f"p{i}" for i in range(11)]),
    ("percent", "select 5 % :a, 'a%'", "select 5 % ?, 'a%'", "select 5 % $1, 'a%'", ["a"], ["a"]),
    ("string", "select ':x', :a", "select ':x', ?", "select ':x', $1", ["a"], ["a"]),
    ("cast and slice", "x::int, y[1:2], :a", "x::int, y[1:2], ?", "x::int, y[1:2], $1", ["a"], ["a"]),
    ("comment", ":a -- :b it's\n", "? -- :b it's\n", "$1 -- :b it's\n", ["a"], ["a"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "sqlite", "postgres", "sqlite_order", "postgres_order"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_placeholders(text, sqlite, postgres, sqlite_order, postgres_order):
    assert ADAPTERS["sqlite"]().positional(scan(text)) == (sqlite, sqlite_order)
    assert ADAPTERS["postgres"]().positional(scan(text)) == (postgres, postgres_order)


def test_aiosqls_hook_gives_the_text_that_is_sent():
    assert ADAPTERS["postgres"]().process_sql("q", None, "select :a, :a") == "select $1, $1"
    assert ADAPTERS["sqlite"]().process_sql("q", None, "select :a, :a") == "select ?, ?"


def test_there_is_an_adapter_for_each_dialect():
    assert {dialect: ADAPTERS[dialect].dialect for dialect in DIALECTS} == {d: d for d in DIALECTS}
