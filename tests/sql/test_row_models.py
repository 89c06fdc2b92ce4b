"""Row models of every shape: the decoder takes exactly the answers that the checks accept, on both databases."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diglot.check.models import wanted
from diglot.errors import ConfigurationError, QueryResultError
from diglot.sql.decoding import Decoders
from diglot.sql.header import read_queries
from diglot.sql.models import Models, row_model
from diglot.sql.session import DIALECTS, Dialect
from diglot.stores.store import Store
from tests.parity.adhoc import rows


class Author(msgspec.Struct, frozen=True):
    id: int
    name: str
    born: str | None


class Stock(msgspec.Struct, frozen=True):
    count: int


class AuthorFirst(msgspec.Struct, frozen=True):
    author: Author
    title: str


class BeforeADefault(msgspec.Struct, frozen=True):
    title: str
    author: Author
    copies: int = 7
    shelf: str | None = "none"


class Two(msgspec.Struct, frozen=True):
    author: Author
    editor: Author
    title: str


class MaybeAuthor(msgspec.Struct, frozen=True):
    title: str
    author: Author | None
    stock: Stock | None


class DefaultAuthor(msgspec.Struct, frozen=True):
    title: str
    author: Author | None = None
    copies: int = 7


class Deep(msgspec.Struct, frozen=True):
    first: MaybeAuthor | None
    second: AuthorFirst


MODELS: Models = {
    model.__name__: model
    for model in (Author, Stock, AuthorFirst, BeforeADefault, Two, MaybeAuthor, DefaultAuthor, Deep)
}
ADA = "1 as id, 'Ada' as name, '1815' as born"
BOB = "2 as id, 'Bob' as name, cast(null as text) as born"
NOBODY = "cast(null as integer) as id, cast(null as text) as name, cast(null as text) as born"
SOMEBODY = "cast(null as integer) as id, 'Ada' as name, cast(null as text) as born"
ada, bob = Author(1, "Ada", "1815"), Author(2, "Bob", None)
SHAPES = [
    ("nested first", f"{ADA}, 't' as title", AuthorFirst(ada, "t")),
    ("before defaults", f"'t' as title, {ADA}, 3 as copies, 's' as shelf", BeforeADefault("t", ada, 3, "s")),
    ("before a default, without the last", f"'t' as title, {ADA}, 3 as copies", BeforeADefault("t", ada, 3)),
    ("before a default, without both", f"'t' as title, {ADA}", BeforeADefault("t", ada)),
    ("two of one model", f"{ADA}, {BOB}, 't' as title", Two(ada, bob, "t")),
    ("optional, both there", f"'t' as title, {BOB}, 0 as count", MaybeAuthor("t", bob, Stock(0))),
    ("optional, one null", f"'t' as title, {NOBODY}, 0 as count", MaybeAuthor("t", None, Stock(0))),
    ("optional, both null", f"'t' as title, {NOBODY}, cast(null as integer) as count", MaybeAuthor("t", None, None)),
    ("optional with a default, all columns", f"'t' as title, {ADA}, 3 as copies", DefaultAuthor("t", ada, 3)),
    ("optional with a default, without it", "'t' as title", DefaultAuthor("t")),
    (
        "optional inside an optional one",
        f"'t' as title, {NOBODY}, cast(null as integer) as count, {ADA}, 'u' as title",
        Deep(MaybeAuthor("t", None, None), AuthorFirst(ada, "u")),
    ),
    (
        "an optional one with all that is in it",
        f"cast(null as text) as title, {NOBODY}, cast(null as integer) as count, {BOB}, 'u' as title",
        Deep(None, AuthorFirst(bob, "u")),
    ),
]


@pytest.mark.parametrize(("columns", "expected"), [shape[1:] for shape in SHAPES], ids=[shape[0] for shape in SHAPES])
def test_a_model_of_any_shape_is_decoded(store: Store, columns: str, expected: msgspec.Struct) -> None:
    assert rows(store, f"select {columns}", type(expected).__name__, MODELS) == [expected]


BAD = [
    ("optional, partly null", f"'t' as title, {SOMEBODY}, 0 as count", "MaybeAuthor", "Author.id is null, but other"),
    ("half of a nested model", "'t' as title, 1 as id, 'n' as name", "DefaultAuthor", r"its model has the fields"),
    ("half of a nested model at its end", "'t' as title, 1 as id", "BeforeADefault", r"its model has the fields"),
]


@pytest.mark.parametrize(("columns", "returns", "problem"), [bad[1:] for bad in BAD], ids=[bad[0] for bad in BAD])
def test_an_answer_that_does_not_fit_is_an_error(store: Store, columns: str, returns: str, problem: str) -> None:
    with pytest.raises(QueryResultError, match=problem):
        rows(store, f"select {columns}", returns, MODELS)


class Book(msgspec.Struct, frozen=True):
    title: str
    author: Author | None


def test_an_optional_nested_model_is_none_where_a_left_join_finds_nothing(store: Store) -> None:
    sql = f"""
        with authors as (select {ADA}), books as (select 'a' as title, 1 as author union all select 'b', 2)
        select b.title, a.id, a.name, a.born
        from books as b
        left join authors as a on a.id = b.author
        order by b.title"""
    found = rows(store, sql, "Book", {"Book": Book, "Author": Author})
    assert found == [Book("a", ada), Book("b", None)]


class Chapter(msgspec.Struct):
    title: str
    parent: Chapter | None


def test_a_row_model_that_contains_itself_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="row model Chapter contains itself"):
        Decoders("sqlite", {"Chapter": Chapter}).of("Chapter")
    assert [c.type for c in row_model(Chapter, {}).columns.columns] == ["text", "json"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(Literal["a", "b"], "text"), (Literal[1, 2], "int"), (Literal[True], "bool"), (list[int], "json"), (Any, "json")],
)
def test_the_header_type_of_a_field(kind: Any, expected: str) -> None:
    model = msgspec.defstruct("Model", [("field", kind)])
    assert [c.type for c in row_model(model, {}).columns.columns] == [expected]


# --- any model: what the checks accept, the decoder decodes ------------------------------------------------

SCALARS: list[tuple[Any, Any, dict[Dialect, Any]]] = [
    (str, "x", {"sqlite": "x", "postgres": "x"}),
    (int, 5, {"sqlite": 5, "postgres": 5}),
    (bool, True, {"sqlite": 1, "postgres": True}),
    (dict[str, int], {"a": 1}, {"sqlite": '{"a":1}', "postgres": b'{"a": 1}'}),
    (datetime | None, None, {"sqlite": None, "postgres": None}),
]
"""A type, a value of it, and what each driver gives for that value."""


class Made(msgspec.Struct):
    """A generated model with a row for it in each dialect and what that row decodes to.

    ``ends``: where the columns of each field end, beginning with 0; ``required``: the number of fields without a
    default at the end.
    """

    model: type[msgspec.Struct]
    inner: dict[str, type[msgspec.Struct]]
    value: Any
    raw: dict[Dialect, tuple[Any, ...]]
    ends: list[int]
    required: int


@st.composite
def models(draw: st.DrawFn, depth: int = 2, name: str = "M") -> Made:
    fields: list[Any] = []
    values: list[Any] = []
    raw: dict[Dialect, tuple[Any, ...]] = {"sqlite": (), "postgres": ()}
    inner: dict[str, type[msgspec.Struct]] = {}
    ends = [0]
    with_default = draw(st.integers(0, 4))
    count = draw(st.integers(1, 4))
    for number in range(count):
        if depth and draw(st.booleans()):
            nested = draw(models(depth=depth - 1, name=f"{name}{number}"))
            inner |= {nested.model.__name__: nested.model} | nested.inner
            kind, value, added = nested.model, nested.value, nested.raw
            if draw(st.booleans()):
                kind = kind | None
                if draw(st.booleans()) or set(added["sqlite"]) == {None}:
                    value, added = None, {d: (None,) * len(row) for d, row in added.items()}
        else:
            kind, value, of_driver = draw(st.sampled_from(SCALARS))
            added = {d: (of_driver[d],) for d in DIALECTS}
        at_end = number >= count - with_default
        fields.append((f"f{number}", kind, None) if at_end else (f"f{number}", kind))
        values.append(value)
        raw = {d: raw[d] + added[d] for d in DIALECTS}
        ends.append(len(raw["sqlite"]))
    model = msgspec.defstruct(name, fields)
    return Made(model, inner, model(*values), raw, ends, max(0, count - with_default))


def fits(returns: str, length: int, models: Models) -> bool:
    """Whether the checks accept an answer with the first ``length`` columns of the model."""
    (source,) = read_queries(f"-- name: q()\n-- returns: {returns}\n-- Text.\nselect 1;\n", "t", "t.sql", "sqlite")
    columns = wanted(source, models)
    assert columns is not None
    return not columns.missing(length)


@given(models())
def test_whatever_the_checks_accept_is_decoded_and_nothing_else(made: Made) -> None:
    known = {made.model.__name__: made.model} | made.inner
    for dialect in DIALECTS:
        decoder = Decoders(dialect, known).of(made.model.__name__)
        for length in range(len(made.raw[dialect]) + 1):
            accepted = fits(made.model.__name__, length, known)
            assert accepted == (length in made.ends[made.required :])
            if not accepted:
                with pytest.raises(QueryResultError):
                    decoder.check_columns(decoder.columns[:length], "q")
                continue
            decoder.check_columns(decoder.columns[:length], "q")
            (found,) = decoder.rows([made.raw[dialect][:length]], "q")
            kept = made.ends.index(length)
            values = list(msgspec.structs.astuple(made.value))
            assert list(msgspec.structs.astuple(found)) == values[:kept] + [None] * (len(values) - kept)
