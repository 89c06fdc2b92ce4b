"""Cursors come back as what they were made of, and nothing else is taken for one."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diglot.errors import InvalidValue
from diglot.statestore.repositories.paging import DEFAULT_LIMIT, MAX_LIMIT, check_limit, cursor, page, position
from tests.parity.strategies import MANY, ids

AT = datetime(2026, 1, 31, 9, 5, 7, 123, UTC)


@MANY
@given(st.datetimes(datetime.min, datetime.max, timezones=st.just(UTC)), ids)
def test_a_cursor_comes_back_as_what_it_was_made_of(created_at, key):
    text = cursor(created_at, key)
    assert position(text) == (created_at, key)
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=")


def test_no_cursor_is_the_beginning():
    assert position(None) == (None, None)


def encoded(value):
    return base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).decode()


NO_CURSORS = [
    ("empty", ""),
    ("an id", "019b2f4e-0000-7000-8000-000000000000"),
    ("other characters", cursor(AT, "t1") + "!"),
    ("cut off", cursor(AT, "t1")[:-3]),
    ("with a line end", cursor(AT, "t1") + "\n"),
    ("not ASCII", "é"),
    ("bytes", cursor(AT, "t1").encode()),
    ("number", 5),
    ("not JSON", encoded(b"\xff\xfe")),
    ("an object", encoded({"a": 1})),
    ("three parts", encoded(["2026-01-31T09:05:07.000123Z", "t1", 1])),
    ("a number as the id", encoded(["2026-01-31T09:05:07.000123Z", 1])),
    ("no time", encoded(["yesterday", "t1"])),
    ("a time of another width", encoded(["2026-01-31T09:05:07Z", "t1"])),
    ("a time of another form", encoded(["2026-W05-6T09:05:07.000123Z", "t1"])),
    ("February 30", encoded(["2026-02-30T09:05:07.000123Z", "t1"])),
]


@pytest.mark.parametrize("text", [c[1] for c in NO_CURSORS], ids=[c[0] for c in NO_CURSORS])
def test_what_no_page_gave_is_refused(text):
    with pytest.raises(InvalidValue) as error:
        position(text)
    assert (error.value.path, error.value.problem) == ("after", "this is not a cursor: use the 'next' of a page")


@pytest.mark.parametrize("limit", [1, 50, 999, 1000])
def test_a_page_has_1_to_1000_items(limit):
    assert check_limit(limit) == limit
    assert (DEFAULT_LIMIT, MAX_LIMIT) == (50, 1000)


@pytest.mark.parametrize("limit", [0, -1, 1001, 2**63, None, "5", 5.0, True, [5]], ids=repr)
def test_any_other_limit_is_refused(limit):
    with pytest.raises(InvalidValue, match=r"^limit: .* is not a number from 1 to 1000$"):
        check_limit(limit)


def place(n):
    return AT + timedelta(seconds=n), f"id{n}"


@pytest.mark.parametrize(("found", "items", "last"), [(0, 0, None), (2, 2, None), (3, 3, None), (4, 3, 2), (9, 3, 2)])
def test_a_page_says_where_the_next_one_begins_when_there_is_one(found, items, last):
    got = page(list(range(found)), 3, place)
    assert got.items == list(range(items))
    assert got.next == (None if last is None else cursor(*place(last)))


@MANY
@given(st.integers(0, 40), st.integers(1, 12))
def test_pages_visit_each_item_once(total, limit):
    seen, after = [], -1
    while True:
        got = page(list(range(after + 1, min(total, after + 2 + limit))), limit, place)
        seen += got.items
        if got.next is None:
            break
        after = int(position(got.next)[1].removeprefix("id"))
    assert seen == list(range(total))
