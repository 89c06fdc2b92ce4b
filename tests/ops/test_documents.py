"""A JSON document has one spelling, whether it comes from jsonb or from SQLite's text."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diglot.ops.documents import all_as_written, all_canonical, as_written, canonical

NUMBERS = st.one_of(
    st.integers(-(10**25), 10**25),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.sampled_from([0.0, -0.0, 1e15, 1e16, 1e17, 4.99e16, 1e-7, 2.0**53, 2**53, 2**53 + 1, 123456789012345.6]),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)


@pytest.fixture(scope="module")
def connection(postgres_url_of_module: str) -> Any:
    with psycopg.connect(postgres_url_of_module, autocommit=True) as connection:
        yield connection


@given(document=DOCUMENTS)
@settings(max_examples=300)
def test_jsonb_and_the_text_that_it_was_made_of_have_the_same_spelling(
    connection: psycopg.Connection[Any], document: Any
) -> None:
    text = json.dumps(document, ensure_ascii=False)
    row = connection.execute("select cast(cast(%s as jsonb) as text)", [text]).fetchone()
    assert row is not None
    assert canonical(row[0]) == canonical(text)


@given(document=DOCUMENTS)
@settings(max_examples=300)
def test_what_is_stored_in_sqlite_has_the_same_spelling_and_reads_as_the_same_value(document: Any) -> None:
    spelling = canonical(json.dumps(document, ensure_ascii=False))
    stored = as_written(spelling)
    assert canonical(stored) == spelling
    assert canonical(spelling) == spelling
    assert _same(json.loads(stored), document)


@given(documents=st.lists(DOCUMENTS, max_size=6), spaces=st.booleans())
@settings(max_examples=300)
def test_many_documents_have_the_spellings_of_each(documents: list[Any], spaces: bool) -> None:
    texts = [json.dumps(document, ensure_ascii=False, indent=1 if spaces else None) for document in documents]
    spellings = [canonical(text) for text in texts]
    assert all_canonical(texts) == spellings
    assert all_canonical([text.encode() for text in texts]) == spellings
    assert all_as_written(spellings) == [as_written(spelling) for spelling in spellings]


BOUNDARY = "diglot:between two documents"


@pytest.mark.parametrize(
    "texts",
    [
        ["1,2", "[3", "4]"],
        ["[1", "2]"],
        ["1", "2]", "[3", "4"],
        ["", "1"],
        [f'1,"{BOUNDARY}",2', "[3", "4]"],
        ["1", "2,3"],
        ['"a', 'b"'],
        ["{", "}"],
    ],
)
def test_texts_that_are_no_documents_do_not_pass_together(texts: list[str]) -> None:
    with pytest.raises(msgspec.DecodeError, match=r"JSON is malformed|Input data was truncated"):
        all_canonical(texts)


def test_a_document_may_have_the_boundary_in_it() -> None:
    texts = [json.dumps([BOUNDARY, 1]), json.dumps(BOUNDARY), "2"]
    assert all_canonical(texts) == [canonical(text) for text in texts]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, bool) or one is None or isinstance(one, str):
        return one is other or one == other
    return math.isclose(one, other, rel_tol=0) or one == other


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ('{"b": 1, "a": 2}', '{"a":2,"b":1}'),
        ("1E2", "100"),
        ("1.50", "1.5"),
        ("-0.0", "0.0"),
        ("-0", "0"),
        ("10000000000000000", "10000000000000000"),
        ("1e16", "10000000000000000"),
        ("12345678901234567890.5", "12345678901234567890.5"),
        ('["1e16", "-0", "2026-01-01"]', '["1e16","-0","2026-01-01"]'),
        ('{"a": 1, "a": 2}', '{"a":2}'),
    ],
)
def test_spellings(text: str, spelling: str) -> None:
    assert canonical(text) == spelling


def test_a_float_that_jsonb_made_an_integer_of_is_stored_as_a_float() -> None:
    assert type(json.loads(as_written(canonical("4.99e16")))) is float
    assert as_written("1234567890123456789") == "1234567890123456789", "no digit is lost"


@pytest.mark.parametrize("text", ["", "{", "NaN", "[1e999999999999", "{'a': 1}", "1e16 x"])
def test_refuses_what_is_no_json(text: str) -> None:
    with pytest.raises((ValueError, ArithmeticError)):
        canonical(text)
