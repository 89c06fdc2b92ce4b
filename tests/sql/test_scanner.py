"""The scanner cuts a text into tokens that are the text, and finds parameters only where they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diglot.errors import QueryFileError
from diglot.sql.scanner import Kind, position, scan

PARAMETERS = [
    ("plain", "select :a, :b_2", ["a", "b_2"]),
    ("at the start", ":a", ["a"]),
    ("twice", "select :a + :a", ["a", "a"]),
    ("cast", "select x::text, :a::text", ["a"]),
    ("assignment", "select f(x := :a)", ["a"]),
    ("slice of numbers", "select arr[1:2], :a", ["a"]),
    ("slice of columns", "select arr[i:j], arr[f(1):k], :a", ["a"]),
    ("subscript", "select arr[:i]", ["i"]),
    ("after a slice", "select arr[1:2] where x = :a", ["a"]),
    ("string", "select ':a', 'it''s :b', :c", ["c"]),
    ("string with a line like a comment", "select '\n-- :a\n', :b", ["b"]),
    ("E string", r"select E'it\'s :a', :b", ["b"]),
    ("E string with both quotes", r"select E'a''\' :a', :b", ["b"]),
    ("word that ends in e", "select date':a', :b", ["b"]),
    ("backslash is nothing special in a plain string", r"select '\', :a", ["a"]),
    ("identifier", 'select ":a", "it""s :b", :c', ["c"]),
    ("back-ticks", "select `:a`, :b", ["b"]),
    ("dollar quote", "select $$ :a ' $$, :b", ["b"]),
    ("tagged dollar quote", "select $t$ :a $$ $x$ :b $t$, :c", ["c"]),
    ("dollar in a word is no quote", "select tag$x$, :a, y$x$", ["a"]),
    ("numbered parameter is no quote", "select $1, :a, $2", ["a"]),
    ("line comment", "select 1 -- it's :a\n, :b", ["b"]),
    ("line comment at the end", "select :a -- ' \" /* :b", ["a"]),
    ("block comment", "select /* it's :a */ :b", ["b"]),
    ("percent", "select 'a%', 5 % :a, x like 'b%'", ["a"]),
    ("json path", "select x ->> '$.a:b', :c", ["c"]),
    ("number right behind", "select 1:a", ["a"]),
    ("no name behind the colon", "select : a, :1", []),
    ("upper case and unicode", "select :Grüße", ["Grüße"]),
    ("any character beyond ASCII is a letter", "select :a€, :b$c", ["a€", "b$c"]),
    ("dollar after a letter beyond ASCII is no quote", "select 1 as €$t$, :a, 2 as €$t$", ["a"]),
    ("tag with a letter beyond ASCII", "select $t€$ :a $t$ $t€$, :b", ["b"]),
    ("E string that goes on", "select E'a' -- '\n  'b\\' :a', :b", ["b"]),
    ("E string and another on the same line", "select E'a' 'b\\', :a", ["a"]),
]


@pytest.mark.parametrize(("text", "names"), [c[1:] for c in PARAMETERS], ids=[c[0] for c in PARAMETERS])
def test_finds_parameters_only_where_they_are(text, names):
    assert [token.name for token in scan(text) if token.kind is Kind.PARAMETER] == names


UNENDED = [
    ("string", "select\n  'a", "2:3", "string"),
    ("E string", "select E'a\\'", "1:8", "string"),
    ("identifier", 'select "a', "1:8", "quoted identifier"),
    ("comment", "select 1\n\n/* a", "3:1", "comment"),
    ("dollar quote", "select $x$ a $$", "1:8", "dollar quote $x$"),
    ("nested comment", "/* a /* b */ c */", "1:6", "a comment inside a comment"),
]


@pytest.mark.parametrize(("text", "place", "what"), [c[1:] for c in UNENDED], ids=[c[0] for c in UNENDED])
def test_names_the_place_of_what_does_not_end(text, place, what):
    with pytest.raises(QueryFileError) as error:
        scan(text, "q.sql")
    assert str(error.value).startswith(f"q.sql:{place}: ")
    assert what in str(error.value)


QUOTED = ["'it''s :a'", "E'\\' :a'", '"x""y"', "$$ :a $$", "$t$ ' $t$", "-- :a '\n", "/* :a ' */"]
SMALL = [":a", "::", ":=", "arr[1:2]", "arr[:i]", "select ", "x", " ", "\n", "1", "%", ",", "$1", "e", "E", *":-/[]$()"]
PIECES = st.sampled_from([*QUOTED, *SMALL])


@given(st.lists(PIECES, max_size=30).map("".join))
def test_tokens_are_the_text_unchanged(text):
    try:
        tokens = scan(text)
    except QueryFileError:
        return
    assert "".join(token.text for token in tokens) == text
    assert all(text[token.start : token.start + len(token.text)] == token.text for token in tokens)


@given(st.text(max_size=200))
def test_any_text_is_cut_or_refused_with_its_place(text):
    try:
        tokens = scan(text)
    except QueryFileError as error:
        assert error.line >= 1
        assert error.column >= 1
    else:
        assert "".join(token.text for token in tokens) == text


STRING_LIKE = st.text(st.characters(exclude_characters="'\\$\"*/"), max_size=20)


@given(STRING_LIKE, st.sampled_from(["'{}'", "E'{}'", '"{}"', "$${}$$", "$tag${}$tag$", "/*{}*/"]))
def test_what_is_quoted_holds_no_parameter(inside, quote):
    text = "select " + quote.format(inside) + ", :a"
    assert [token.name for token in scan(text) if token.kind is Kind.PARAMETER] == ["a"]


def test_position_counts_lines_and_columns_from_one():
    assert position("ab\ncd", 0) == (1, 1)
    assert position("ab\ncd", 4) == (2, 2)
