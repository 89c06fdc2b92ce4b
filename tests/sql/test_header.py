"""The header of a query: what it declares is read, and whatever is not right is named with its place."""

import pytest

from diglot.errors import QueryFileError
from diglot.sql.header import Parameter, read_queries

GOOD = """\
-- Everything about things.

-- name: list_things(kind, ids, limit)
-- param: kind text?
-- param: ids int[]?
-- param: limit int
-- returns: Thing
-- differs: because of this
-- plan: scan because it is small
-- One page of things.
-- Newest first.
select a, b -- a comment with :no and it's
from things
where 1 = 1
    /* if :kind */ and kind = :kind /* end */
    /* if :ids */ and id in (:ids) /* end */
limit :limit;

-- name: remove_all()!
-- Remove all.
delete from things;
"""


def test_reads_a_file():
    first, second = read_queries(GOOD, "things", "things.sql", "postgres")
    assert (first.full_name, first.suffix, first.returns, first.returns_nullable) == (
        "things.list_things",
        "",
        "Thing",
        False,
    )
    assert first.parameters == [
        Parameter("kind", "text", False, True),
        Parameter("ids", "int", True, True),
        Parameter("limit", "int"),
    ]
    assert [p.declaration for p in first.parameters] == ["text?", "int[]?", "int"]
    assert first.doc == "One page of things.\nNewest first."
    assert (first.differs, first.plan, first.only, first.idempotent) == (
        "because of this",
        "scan because it is small",
        None,
        None,
    )
    assert first.conditions == ["kind", "ids"]
    assert (first.file, first.line, first.column) == ("things.sql", 3, 1)
    assert first.sql.startswith("select a, b -- a comment")
    assert first.sql.endswith("limit :limit;")
    assert (second.full_name, second.suffix, second.line) == ("things.remove_all", "!", 19)


def test_line_ends_and_a_byte_order_mark_do_not_matter():
    windows = read_queries("\ufeff" + GOOD.replace("\n", "\r\n"), "things", "things.sql", "postgres")
    assert windows == read_queries(GOOD, "things", "things.sql", "postgres")


@pytest.mark.parametrize("suffix", ["", "^", "$", "!", "*!"])
def test_the_parameter_list_of_the_name_line_is_optional(suffix):
    returns = "" if "!" in suffix else "-- returns: int\n"
    rest = f"{suffix}\n-- param: b int\n-- param: c text?\n{returns}-- Doc.\nselect :b, :c;\n"
    (short,) = read_queries(f"-- name: a{rest}", "s", "s.sql", "postgres")
    (long,) = read_queries(f"-- name: a(b, c){rest}", "s", "s.sql", "postgres")
    assert (short.name, short.suffix, short.parameters, short.sql) == (long.name, suffix, long.parameters, long.sql)
    assert [p.name for p in short.parameters] == ["b", "c"]


def test_a_name_line_inside_of_a_string_is_a_string():
    (query,) = read_queries(
        "-- name: a()$\n-- returns: text\nselect '\n-- name: b()\n' as x;", "s", "s.sql", "postgres"
    )
    assert query.sql == "select '\n-- name: b()\n' as x;"


def q(header: str, sql: str = "select 1 as a;") -> str:
    return f"{header}\n{sql}\n"


BAD = [
    ("no name", "-- name: \nselect 1;", "1:1", "the name line must read"),
    ("upper case", q("-- name: Get()^\n-- returns: int"), "1:1", "the name line must read"),
    ("unknown suffix", q("-- name: a()?\n-- returns: int"), "1:1", "unknown suffix '?'"),
    ("insert returning", q("-- name: a()<!"), "1:1", "'<!' means four things"),
    ("bad parameter name", q("-- name: a(B)^\n-- returns: int"), "1:1", "'B' is not a parameter name"),
    ("twice", q("-- name: a()!") + "\n" + q("-- name: a()!"), "4:1", "is already at line 1"),
    ("unknown key", q("-- name: a()!\n-- retruns: int"), "2:1", "unknown header key 'retruns'"),
    ("empty key", q("-- name: a()!\n-- differs:"), "2:1", "'differs:' has no value"),
    ("key twice", q("-- name: a()!\n-- plan: x\n-- plan: y"), "3:1", "'plan' appears twice"),
    ("param twice", q("-- name: a(b)!\n-- param: b int\n-- param: b int", "select :b;"), "3:1", "declared twice"),
    ("unknown type", q("-- name: a(b)!\n-- param: b str", "select :b;"), "2:1", "unknown type 'str'"),
    ("no type", q("-- name: a(b)!\n-- param: b", "select :b;"), "2:1", "unknown type ''"),
    ("list of json", q("-- name: a(b)!\n-- param: b json[]", "select :b;"), "2:1", "a list of json"),
    ("param without declaration", q("-- name: a()!", "select :b;"), "2:8", "':b' is not declared"),
    ("not in param lines", q("-- name: a(b)!", "select :b;"), "1:1", "the name line declares (b), the param lines ()"),
    ("other order", q("-- name: a(b, c)!\n-- param: c int\n-- param: b int", "select :b, :c;"), "1:1", "same order"),
    ("unused", q("-- name: a(b)!\n-- param: b int"), "1:1", "declares b but does not use it"),
    ("no result", q("-- name: a()^"), "1:1", "declare its type with '-- returns: …'"),
    ("result of a count", q("-- name: a()!\n-- returns: int"), "1:1", "can't have 'returns:'"),
    ("value of a model", q("-- name: a()$\n-- returns: Thing"), "1:1", "'returns:' names a type"),
    ("odd result", q("-- name: a()^\n-- returns: list of Thing"), "1:1", "neither a model nor a type"),
    ("script with parameters", q("-- name: a(b)#\n-- param: b int", "select :b;"), "1:1", "script 'a' can't have"),
    ("no SQL", "-- name: a()!\n-- Doc.\n", "1:1", "has no SQL"),
    ("only a comment", "-- name: a()!\n-- Doc.\n\n-- nothing\n;\n", "1:1", "has no SQL"),
    ("SQL before a name", "select 1;\n" + q("-- name: a()!"), "1:1", "SQL outside a query"),
    ("condition on nothing", q("-- name: a()!", "select 1 /* if :b */ /* end */;"), "2:10", "':b' is not declared"),
    (
        "condition never null",
        q("-- name: a(b)!\n-- param: b int", "select 1 /* if :b */ + :b /* end */;"),
        "3:10",
        "is never null",
    ),
    ("no end", q("-- name: a(b)!\n-- param: b int?", "select 1 /* if :b */ + :b;"), "3:10", "has no '/* end */'"),
    ("end alone", q("-- name: a()!", "select 1 /* end */;"), "2:10", "without '/* if"),
    (
        "nested",
        q("-- name: a(b)!\n-- param: b int?", "select 1 /* if :b */ /* if :b */ :b /* end */ /* end */;"),
        "3:22",
        "a conditional block inside",
    ),
    ("misspelt", q("-- name: a(b)!\n-- param: b int?", "select /* if b */ :b /* end */;"), "3:8", "reads '/* if :par"),
    ("else", q("-- name: a(b)!\n-- param: b int?", "select /* if :b */ :b /* else */;"), "3:23", "reads '/* if :par"),
    ("unended", q("-- name: a()!", "select 'x;"), "2:8", "this string does not end"),
]


@pytest.mark.parametrize(("text", "place", "what"), [c[1:] for c in BAD], ids=[c[0] for c in BAD])
def test_names_what_is_wrong_and_where(text, place, what):
    with pytest.raises(QueryFileError) as error:
        read_queries(text, "things", "things.sql", "postgres")
    assert str(error.value).startswith(f"things.sql:{place}: "), str(error.value)
    assert what in str(error.value)
