"""What a driver gets: each declared type takes its own kind of value, the same on both databases, and nothing else."""

import json
import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from uuid import UUID

import pytest

from diglot.errors import InvalidValue
from diglot.sql.encoding import EncodedJson, encode_json
from diglot.sql.header import Parameter
from diglot.sql.parameters import encoder
from diglot.sql.session import DIALECTS

AT = datetime(2026, 1, 31, 10, 5, 7, 123, timezone(timedelta(hours=1)))
IN_UTC = datetime(2026, 1, 31, 9, 5, 7, 123, UTC)
AS_TEXT = "2026-01-31T09:05:07.000123Z"


class Colour(StrEnum):
    RED = "red"


class Shouting(str):
    __slots__ = ()

    def __str__(self):
        return self.upper()


TAKEN = [
    ("text", "é\U0010ffff", "é\U0010ffff", "é\U0010ffff"),
    ("text", "", "", ""),
    ("text", Colour.RED, "red", "red"),
    ("text", Shouting("quiet"), "quiet", "quiet"),
    ("int", 2**63 - 1, 2**63 - 1, 2**63 - 1),
    ("int", -(2**63), -(2**63), -(2**63)),
    ("int", 0, 0, 0),
    ("float", 1.5, 1.5, 1.5),
    ("float", 3, 3.0, 3.0),
    ("float", -(2**53), -(2.0**53), -(2.0**53)),
    ("float", 2**70, 2.0**70, 2.0**70),
    ("float", 5e-324, 5e-324, 5e-324),
    ("float", 1.7976931348623157e308, 1.7976931348623157e308, 1.7976931348623157e308),
    ("bool", True, 1, True),
    ("bool", False, 0, False),
    ("bytes", b"\0\xff", b"\0\xff", b"\0\xff"),
    ("bytes", b"", b"", b""),
    ("timestamp", AT, AS_TEXT, IN_UTC),
    ("timestamp", datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000000Z", datetime(1, 1, 1, tzinfo=UTC)),
    ("json", {"b": 1, "a": [None]}, '{"a":[null],"b":1}', '{"a":[null],"b":1}'),
    ("json", "x", '"x"', '"x"'),
]


@pytest.mark.parametrize(("kind", "value", "sqlite", "postgres"), TAKEN)
def test_each_type_takes_its_own_kind_of_value(kind, value, sqlite, postgres):
    for dialect, wanted in (("sqlite", sqlite), ("postgres", postgres)):
        found = encoder(Parameter("p", kind), dialect)(value, "p")
        assert found == wanted
        assert type(found) is type(wanted)


def test_minus_zero_is_zero_for_both():
    for dialect in DIALECTS:
        for zero in (-0.0, 0, 0.0):
            found = encoder(Parameter("p", "float"), dialect)(zero, "p")
            assert (type(found), math.copysign(1, found)) == (float, 1)


REFUSED = [
    ("text", 1, "text is needed, not int"),
    ("text", b"a", "text is needed, not bytes"),
    ("text", UUID(int=1), "text is needed, not UUID"),
    ("text", "a\0", "text with a NUL character (U+0000) can't be stored"),
    ("text", "\ud800", "text with a lone surrogate (U+D800) can't be stored"),
    ("int", "12", "an integer is needed, not str"),
    ("int", 1.0, "an integer is needed, not float"),
    ("int", True, "an integer is needed, not bool"),
    ("int", Decimal(1), "an integer is needed, not Decimal"),
    ("int", 2**63, "the integer is beyond 64 bits"),
    ("int", -(2**63) - 1, "the integer is beyond 64 bits"),
    ("float", "1.5", "a number is needed, not str"),
    ("float", True, "a number is needed, not bool"),
    ("float", Fraction(1, 2), "a number is needed, not Fraction"),
    ("float", Decimal("1.005"), "a number is needed, not Decimal"),
    ("float", math.nan, "nan can't be stored: SQLite would keep NULL"),
    ("float", math.inf, "inf can't be stored: SQLite would keep NULL"),
    ("float", -math.inf, "-inf can't be stored: SQLite would keep NULL"),
    ("float", 10**400, "the integer has no exact form as a float"),
    ("float", 2**53 + 1, "the integer has no exact form as a float"),
    ("bool", 1, "True or False is needed, not int"),
    ("bool", "true", "True or False is needed, not str"),
    ("bytes", "a", "bytes are needed, not str"),
    ("bytes", bytearray(b"a"), "bytes are needed, not bytearray"),
    ("timestamp", AS_TEXT, "a datetime is needed, not str"),
    ("timestamp", 0, "a datetime is needed, not int"),
    ("timestamp", date(2026, 1, 31), "a datetime is needed, not date"),
    (
        "timestamp",
        datetime(2026, 1, 31),
        "a datetime without a time zone: use datetime.now(UTC) or .replace(tzinfo=UTC)",
    ),
    ("json", {"a": math.nan}, "nan is not a JSON number"),
]


@pytest.mark.parametrize(("kind", "value", "problem"), REFUSED)
def test_any_other_value_is_refused_the_same_way_for_both(kind, value, problem):
    for dialect in DIALECTS:
        with pytest.raises(InvalidValue) as error:
            encoder(Parameter("p", kind), dialect)(value, "p")
        assert error.value.problem == problem
        assert error.value.path == ("p.a" if kind == "json" else "p")


# --- lists ---

LISTS = [
    ("text", ["a", 'é"\\', "\U0010ffff", ""], ["a", 'é"\\', "\U0010ffff", ""]),
    ("int", [2**63 - 1, -(2**63)], [2**63 - 1, -(2**63)]),
    ("float", [1, 0.5], [1.0, 0.5]),
    ("bool", [True, False], [1, 0]),
    ("timestamp", [AT], [AS_TEXT]),
    ("text", [], []),
]


@pytest.mark.parametrize(("kind", "value", "in_json"), LISTS)
def test_a_list_is_an_array_for_postgres_and_json_for_sqlite(kind, value, in_json):
    parameter = Parameter("p", kind, is_list=True)
    text = encoder(parameter, "sqlite")(value, "p")
    assert type(text) is str
    assert json.loads(text) == in_json
    found = encoder(parameter, "postgres")(tuple(value), "p")
    assert type(found) is list
    assert found == value


@pytest.mark.parametrize("make", [list, tuple, set, frozenset])
def test_lists_tuples_and_sets_are_lists(make):
    assert encoder(Parameter("p", "int", is_list=True), "postgres")(make([7]), "p") == [7]


@pytest.mark.parametrize("value", ["abc", b"abc", {"a": 1}, 5, iter([1]), range(3)], ids=lambda v: type(v).__name__)
def test_anything_else_is_no_list(value):
    for dialect in DIALECTS:
        with pytest.raises(InvalidValue, match=f"^p: a list is needed, not {type(value).__name__}$"):
            encoder(Parameter("p", "text", is_list=True), dialect)(value, "p")


@pytest.mark.parametrize(
    ("items", "problem"), [(["a", None], r"text is needed, not None"), (["a", "b\0"], r"text with a NUL")]
)
def test_an_item_that_does_not_fit_is_refused_with_its_place(items, problem):
    for dialect in DIALECTS:
        with pytest.raises(InvalidValue, match=rf"^p\[1\]: {problem}"):
            encoder(Parameter("p", "text", is_list=True), dialect)(items, "p")


# --- JSON that is encoded already ---


def test_a_text_that_was_checked_already_is_passed_on():
    text = EncodedJson('{"b":1,"a":2}')
    assert encode_json(text, "p") is text


def test_any_other_text_is_a_json_string():
    assert encode_json('{"b":1}', "p") == '"{\\"b\\":1}"'
