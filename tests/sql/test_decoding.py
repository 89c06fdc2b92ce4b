"""Rows become models by position: each column is what its field says, NULL is None, and JSON columns are values."""

from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import pytest

from diglot.errors import QueryResultError
from diglot.sql.decoding import Decoders
from diglot.sql.session import DIALECTS

AT = datetime(2026, 1, 31, 9, 5, 7, 123, UTC)
AS_TEXT = "2026-01-31T09:05:07.000123Z"


class Part(msgspec.Struct):
    name: str
    at: datetime | None = None


class Row(msgspec.Struct):
    id: str
    kind: Literal["a", "b"]
    number: int
    ratio: float
    flag: bool
    data: bytes
    at: datetime
    document: dict[str, Any]
    anything: Any
    part: Part
    parts: list[Part]
    mixed: int | str | None
    version: int | msgspec.UnsetType = msgspec.UNSET
    extra: dict[str, int] | None = None


JSON = [
    '{"x":[49900000000000000]}',
    "[null]",
    '{"name":"n","at":"2026-01-31T09:05:07.000123Z"}',
    '[{"name":"m"}]',
    '"s"',
]
AS_WRITTEN = ['{"x":[4.99e16]}', *JSON[1:]]  # jsonb makes an integer of it
FROM_SQLITE = ("é", "a", 2**63 - 1, 0.5, 1, b"\0", AS_TEXT, *AS_WRITTEN, 3, '{"y":1}')
FROM_POSTGRES = ("é", "a", 2**63 - 1, 0.5, True, b"\0", AT, *(text.encode() for text in JSON), 3, b'{"y":1}')
WHOLE = Row(
    id="é",
    kind="a",
    number=2**63 - 1,
    ratio=0.5,
    flag=True,
    data=b"\0",
    at=AT,
    document={"x": [4.99e16]},
    anything=[None],
    part=Part("n", AT),
    parts=[Part("m")],
    mixed="s",
    version=3,
    extra={"y": 1},
)


@pytest.mark.parametrize(("dialect", "row"), [("sqlite", FROM_SQLITE), ("postgres", FROM_POSTGRES)])
def test_a_row_of_either_database_is_the_same_model(dialect, row):
    (found,) = Decoders(dialect, {"Row": Row}).of("Row").rows([row], "q")
    assert found == WHOLE
    assert (type(found.flag), type(found.document["x"][0]), found.at.tzinfo) == (bool, float, UTC)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_null_is_none_in_every_column(dialect):
    (found,) = Decoders(dialect, {"Row": Row}).of("Row").rows([(None,) * 14], "q")
    assert msgspec.structs.astuple(found) == (None,) * 14


@pytest.mark.parametrize("row", [FROM_SQLITE[:12], FROM_SQLITE[:13]], ids=["without both", "without the last"])
def test_fields_at_the_end_that_have_a_default_need_no_column(row):
    (found,) = Decoders("sqlite", {"Row": Row}).of("Row").rows([row], "q")
    assert found == msgspec.structs.replace(
        WHOLE, **dict([("version", msgspec.UNSET), ("extra", None)][len(row) - 12 :])
    )


class Inner(msgspec.Struct):
    id: str
    at: datetime


class Plain(msgspec.Struct):
    a: str
    b: int = 0


class Outer(msgspec.Struct):
    depth: int
    first: Inner
    flag: bool
    second: Inner | None
    plain: Plain


def test_a_field_that_is_a_row_model_takes_that_models_columns():
    decoder = Decoders("sqlite", {"Outer": Outer, "Inner": Inner, "Plain": Plain}).of("Outer")
    assert decoder.columns == ["depth", "id", "at", "flag", "id", "at", "a", "b"]
    (found,) = decoder.rows([(1, "x", AS_TEXT, 1, "y", AS_TEXT, "p", 7)], "q")
    assert found == Outer(1, Inner("x", AT), True, Inner("y", AT), Plain("p", 7))


def test_a_struct_that_is_no_row_model_is_a_json_column():
    decoder = Decoders("sqlite", {"Outer": Outer, "Inner": Inner}).of("Outer")
    assert decoder.columns == ["depth", "id", "at", "flag", "id", "at", "plain"]
    (found,) = decoder.rows([(1, "x", AS_TEXT, 0, "y", AS_TEXT, '{"a":"p"}')], "q")
    assert found.plain == Plain("p")


def test_a_decoder_is_compiled_once():
    decoders = Decoders("sqlite", {"Plain": Plain})
    assert decoders.of("Plain") is decoders.of("Plain")


SCALARS = [
    ("text", "a", "a", "a"),
    ("int", 5, 5, 5),
    ("float", 0.5, 0.5, 0.5),
    ("bool", 1, True, True),
    ("bool", 0, False, False),
    ("bytes", b"\0", b"\0", b"\0"),
    ("timestamp", AS_TEXT, AT, AT),
    ("json", '[{"a":1}]', b'[{"a": 1}]', [{"a": 1}]),
]


@pytest.mark.parametrize(("returns", "sqlite", "postgres", "wanted"), SCALARS)
def test_a_type_is_the_value_of_the_only_column(returns, sqlite, postgres, wanted):
    for dialect, raw in (("sqlite", sqlite), ("postgres", postgres)):
        found = Decoders(dialect, {}).of(returns).rows([(raw,), (None,)], "q")
        assert found == [wanted, None]
        assert type(found[0]) is type(wanted)


def test_what_is_neither_a_model_nor_a_type_is_a_key_error():
    with pytest.raises(KeyError):
        Decoders("sqlite", {}).of("Row")


BROKEN = [
    ("timestamp", (*FROM_SQLITE[:6], "2026-01-31", *FROM_SQLITE[7:])),
    ("JSON", (*FROM_SQLITE[:7], "{", *FROM_SQLITE[8:])),
    ("JSON of another form", (*FROM_SQLITE[:9], '{"name":5}', *FROM_SQLITE[10:])),
    ("text as timestamp", (*FROM_SQLITE[:6], 5, *FROM_SQLITE[7:])),
    ("too many columns", (*FROM_SQLITE, "x")),
    ("too few columns", FROM_SQLITE[:11]),
]


@pytest.mark.parametrize("row", [c[1] for c in BROKEN], ids=[c[0] for c in BROKEN])
def test_a_value_that_does_not_fit_its_field_is_an_error_that_names_the_query(row):
    with pytest.raises(QueryResultError, match=r"^query things\.get: a stored value does not fit its model: "):
        Decoders("sqlite", {"Row": Row}).of("Row").rows([row], "things.get")


COLUMNS = [
    ("all", "Plain", ["a", "b"], None),
    ("without the optional one", "Plain", ["a"], None),
    ("none", "Plain", [], r"returns the columns () but its model has the fields (a, b)"),
    ("another order", "Plain", ["b", "a"], r"returns the columns (b, a) but its model has the fields (a, b)"),
    ("another name", "Plain", ["a", "c"], r"returns the columns (a, c) but its model has the fields (a, b)"),
    ("one more", "Plain", ["a", "b", "c"], r"returns the columns (a, b, c) but its model has the fields (a, b)"),
    ("case", "Plain", ["A", "b"], r"returns the columns (A, b) but its model has the fields (a, b)"),
    ("nested", "Outer", ["depth", "id", "at", "flag", "id", "at", "a", "b"], None),
    ("nested, one short", "Outer", ["depth", "id", "at", "flag", "id", "at", "a"], r"returns the columns "),
    ("one value", "int", ["anything"], None),
    ("two values", "int", ["a", "b"], r"should give one column, not (a, b)"),
    ("no value", "int", [], r"should give one column, not ()"),
]


@pytest.mark.parametrize(("returns", "columns", "problem"), [c[1:] for c in COLUMNS], ids=[c[0] for c in COLUMNS])
def test_the_columns_of_an_answer_are_the_fields_in_their_order(returns, columns, problem):
    decoder = Decoders("postgres", {"Plain": Plain, "Outer": Outer, "Inner": Inner}).of(returns)
    if problem is None:
        decoder.check_columns(columns, "things.get")
    else:
        with pytest.raises(QueryResultError) as error:
            decoder.check_columns(columns, "things.get")
        assert str(error.value).startswith(f"query things.get {problem}")
