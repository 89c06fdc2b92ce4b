"""JSON that both databases keep exactly: what they would refuse or change is refused, with the path of the value."""

import json
import math
import time
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given

from diglot.errors import InvalidValue
from diglot.sql.canonical_json import MAX_DEPTH, MAX_INTEGER, TypedLoader, check, dumps, loads, parse
from tests.parity.strategies import MANY, floats, json_objects, json_values


class Thing(msgspec.Struct):
    name: str
    at: datetime | None = None
    count: int | None = None
    rest: object = None
    unset: int | msgspec.UnsetType = msgspec.UNSET


def nested(levels, leaf=1):
    for _ in range(levels):
        leaf = [leaf]
    return leaf


# --- written ---


def test_the_text_is_canonical():
    value = {"b": [1, 1.5, True, None], "a": {"é": "😀", "": "/"}, "B": ()}
    assert dumps(value, "x") == '{"B":[],"a":{"":"/","é":"😀"},"b":[1,1.5,true,null]}'


def test_keys_are_sorted_by_code_points():
    keys = ["\uffff", "\U00010000", "z", "é", "Z", "a"]
    assert list(json.loads(dumps(dict.fromkeys(keys, 0), "x"))) == sorted(keys)


def test_the_order_of_keys_is_not_part_of_the_text():
    assert dumps({"a": 1, "b": {"c": 2, "d": 3}}, "x") == dumps({"b": {"d": 3, "c": 2}, "a": 1}, "x")


@MANY
@given(json_values)
def test_what_is_written_is_read_back_the_same(value):
    found = loads(dumps(value, "x"))
    assert found == value
    assert_same_types(found, value)


@MANY
@given(json_values)
def test_the_text_is_what_every_json_reader_reads(value):
    assert json.loads(dumps(value, "x")) == value


@MANY
@given(json_objects)
def test_checking_twice_changes_nothing(value):
    assert check(check(value, "x"), "x") == check(value, "x")


def assert_same_types(a, b):
    assert type(a) is type(b)
    if isinstance(a, dict):
        for key in a:
            assert_same_types(a[key], b[key])
    elif isinstance(a, list):
        for one, other in zip(a, b, strict=True):
            assert_same_types(one, other)


def test_minus_zero_is_zero():
    for found in (check(-0.0, "x"), loads(dumps([-0.0], "x"))[0]):
        assert type(found) is float
        assert math.copysign(1, found) == 1


def test_a_checked_value_shares_nothing_with_the_given_one():
    inner = [1]
    given_value = {"a": inner, "b": {"c": inner}}
    checked = check(given_value, "x")
    inner.append(2)
    given_value["b"]["d"] = 3
    assert checked == {"a": [1], "b": {"c": [1]}}


def test_a_struct_is_an_object_without_what_it_does_not_know():
    at = datetime(2026, 1, 31, 10, 5, 7, 123, timezone(timedelta(hours=1)))
    thing = Thing("n", at=at, rest=Thing("inner", rest={"a": None}))
    assert loads(dumps({"thing": thing}, "x")) == {
        "thing": {"name": "n", "at": "2026-01-31T09:05:07.000123Z", "rest": {"name": "inner", "rest": {"a": None}}}
    }


def test_the_largest_integers_pass():
    assert loads(dumps([MAX_INTEGER, -MAX_INTEGER], "x")) == [2**53 - 1, -(2**53 - 1)]


class Text(str):
    __slots__ = ()


REFUSED = [
    ("nan", {"a": [1, math.nan]}, "x.a[1]", "nan is not a JSON number"),
    ("infinity", {"a": math.inf}, "x.a", "inf is not a JSON number"),
    ("minus infinity", -math.inf, "x", "-inf is not a JSON number"),
    ("NUL", {"a": {"b": "1\0"}}, "x.a.b", "text with a NUL character (U+0000) can't be stored"),
    ("NUL in other text", ["é\0"], "x[0]", "text with a NUL character (U+0000) can't be stored"),
    ("NUL in a key", {"a\0b": 1}, r"x.a\x00b", "text with a NUL character (U+0000) can't be stored"),
    ("lone surrogate", ["a", "b\ud800"], "x[1]", "text with a lone surrogate (U+D800) can't be stored"),
    ("low surrogate", "\udfff", "x", "text with a lone surrogate (U+DFFF) can't be stored"),
    ("pair of surrogates", "\ud83d\ude00", "x", "text with a lone surrogate (U+D83D) can't be stored"),
    ("surrogate in a key", {"\ud800": 1}, r"x.\ud800", "text with a lone surrogate (U+D800) can't be stored"),
    ("2^53", {"a": 2**53}, "x.a", "the integer 9007199254740992 is beyond ±(2^53 - 1): send it as text"),
    ("-2^53", -(2**53), "x", "the integer -9007199254740992 is beyond ±(2^53 - 1): send it as text"),
    ("2^64", 2**64, "x", "the integer 18446744073709551616 is beyond ±(2^53 - 1): send it as text"),
    ("long", 10**60, "x", "the integer 10000000000000000000… is beyond ±(2^53 - 1): send it as text"),
    ("endless", 10**5000, "x", "the integer of 16610 bits is beyond ±(2^53 - 1): send it as text"),
    ("number as key", {"a": {1: 2}}, "x.a", "the key 1 is not text"),
    ("None as key", {None: 2}, "x", "the key None is not text"),
    ("subclass as key", {Text("k"): 2}, "x", "the key 'k' is not text"),
    ("bytes", {"a": b"1"}, "x.a", "a bytes can't be written as JSON"),
    ("datetime", [datetime(2026, 1, 31, tzinfo=UTC)], "x[0]", "a datetime can't be written as JSON"),
    ("set", {"a": {1}}, "x.a", "a set can't be written as JSON"),
    ("object", object(), "x", "a object can't be written as JSON"),
    ("naive datetime in a struct", [Thing("n", at=datetime(2026, 1, 31))], "x[0].at", None),
    ("NUL in a struct", Thing("\0"), "x.name", "text with a NUL character (U+0000) can't be stored"),
    ("line break in the path", {"a\nb": math.nan}, r"x.a\nb", "nan is not a JSON number"),
    ("text direction in the path", {"a\u202eb": math.nan}, r"x.a\u202eb", "nan is not a JSON number"),
    ("quote and backslash in the path", {"é'\\": math.nan}, "x.é'\\", "nan is not a JSON number"),
]


@pytest.mark.parametrize(("value", "path", "problem"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED])
def test_what_a_database_would_refuse_or_change_is_refused_with_its_path(value, path, problem):
    with pytest.raises(InvalidValue) as error:
        dumps(value, "x")
    assert error.value.path == path
    assert problem is None or error.value.problem == problem


@pytest.mark.parametrize("wrap", [lambda v: [v], lambda v: {"a": v}, lambda v: (v,)], ids=["list", "object", "tuple"])
def test_64_levels_pass_and_65_are_refused(wrap):
    value = 1
    for _ in range(MAX_DEPTH):
        value = wrap(value)
    assert MAX_DEPTH == 64
    assert json.loads(dumps(value, "x")) is not None
    with pytest.raises(InvalidValue, match="more than 64 levels"):
        dumps(wrap(value), "x")


def test_the_error_names_the_levels_that_were_allowed():
    with pytest.raises(InvalidValue, match="more than 3 levels"):
        dumps(nested(4), "x", max_depth=3)
    with pytest.raises(InvalidValue, match="more than 3 levels"):
        dumps({"a": {"b": {"c": {}}}}, "x", max_depth=3)


def test_an_endless_value_is_refused():
    endless = []
    endless.append(endless)
    with pytest.raises(InvalidValue, match="levels"):
        dumps(endless, "x")


# --- read ---

AS_POSTGRES_SAYS_IT = [
    ("49900000000000000", 4.99e16),
    ("10000000000000000", 1e16),
    ("-10000000000000000", -1e16),
    ("1" + "0" * 308, 1e308),
    ("179769313486231570" + "0" * 291, 1.7976931348623157e308),
    ("0." + "0" * 323 + "5", 5e-324),
    ("9007199254740992", 2.0**53),
]


@pytest.mark.parametrize(("text", "value"), AS_POSTGRES_SAYS_IT, ids=[str(v) for _, v in AS_POSTGRES_SAYS_IT])
def test_a_float_that_jsonb_made_an_integer_is_a_float_again(text, value):
    for form in (text, text.encode()):
        (found,) = loads(form.join("[]") if isinstance(form, str) else form.join([b"[", b"]"]))
        assert type(found) is float
        assert found == value
        assert loads(f'{{"a": {{"b": [{text}]}}}}') == {"a": {"b": [value]}}


@MANY
@given(floats)
def test_a_float_survives_the_way_jsonb_writes_it(value):
    # jsonb keeps a decimal number and writes all of its digits.
    from decimal import Decimal

    found = loads(format(Decimal(repr(value)), "f"))
    assert found == value
    assert type(found) is float or abs(found) <= MAX_INTEGER


def test_the_largest_integers_stay_integers():
    found = loads(b"[9007199254740991, -9007199254740991]")
    assert [(type(n), n) for n in found] == [(int, MAX_INTEGER), (int, -MAX_INTEGER)]


def test_a_typed_loader_gives_structs():
    load = TypedLoader(list[Thing])
    text = '[{"name": "a", "at": "2026-01-31T09:05:07.000123Z", "count": 3, "rest": [1]}]'
    wanted = [Thing("a", at=datetime(2026, 1, 31, 9, 5, 7, 123, UTC), count=3, rest=[1])]
    assert load(text) == wanted
    assert load(text.encode()) == wanted


def test_a_typed_loader_repairs_floats_too():
    found = TypedLoader(Thing)(b'{"name": "a", "count": 9007199254740991, "rest": {"x": 49900000000000000}}')
    assert found == Thing("a", count=MAX_INTEGER, rest={"x": 4.99e16})
    assert type(found.rest["x"]) is float


@pytest.mark.parametrize("text", ['{"name": 5}', '{"name": 5, "rest": 49900000000000000}', "[]", "{"])
def test_a_typed_loader_refuses_what_does_not_fit(text):
    with pytest.raises(msgspec.MsgspecError):
        TypedLoader(Thing)(text)


# --- from outside ---


def test_a_text_from_outside_is_read_and_checked():
    assert parse('{"a": [1, 2.5, "é", null, true], "b": {"a": -0.0}}', "x") == {
        "a": [1, 2.5, "é", None, True],
        "b": {"a": 0.0},
    }
    assert parse(b"\xef\xbb\xbf[]", "x") == []


FROM_OUTSIDE = [
    ("duplicate key", '{"a": {"b": 1, "c": 2, "b": 1}}', "the key 'b' appears twice in one object"),
    ("not JSON", "{'a': 1}", "not JSON: "),
    ("empty", "", "not JSON: "),
    ("not UTF-8", b"\xff", "not JSON: "),
    ("NaN", "[NaN]", "nan is not a JSON number"),
    ("Infinity", "-Infinity", "-inf is not a JSON number"),
    ("1e400", "1e400", "inf is not a JSON number"),
    ("2^53", "9007199254740992", "the integer 9007199254740992 is beyond"),
    ("5,000 digits", "1" * 5000, "not JSON: "),
    ("NUL", r'"\u0000"', "text with a NUL character"),
    ("lone surrogate", r'["\ud800"]', "text with a lone surrogate (U+D800)"),
    ("65 levels", "[" * 65 + "]" * 65, "more than 64 levels"),
    ("100,000 levels", "[" * 100_000, "not JSON: "),
]


@pytest.mark.parametrize(("text", "problem"), [c[1:] for c in FROM_OUTSIDE], ids=[c[0] for c in FROM_OUTSIDE])
def test_a_text_from_outside_that_cant_be_kept_is_refused(text, problem):
    with pytest.raises(InvalidValue) as error:
        parse(text, "input")
    assert error.value.path.startswith("input")
    assert error.value.problem.startswith(problem)


def test_an_escaped_pair_of_surrogates_is_a_character():
    assert parse(r'"\ud83d\ude00"', "x") == "😀"


def test_a_duplicate_among_many_keys_is_found_at_once():
    keys = [f'"key number {i}": 0' for i in range(100_000)]
    started = time.process_time()
    with pytest.raises(InvalidValue, match="'key number 99999' appears twice"):
        parse("{" + ", ".join([*keys, keys[-1]]) + "}", "x")
    assert time.process_time() - started < 5
