"""Query objects: what is called, what is sent and what comes back, for each suffix, on every database."""

from datetime import UTC, datetime
from itertools import product

import msgspec
import pytest

from diglot.errors import (
    ConstraintViolation,
    InvalidValue,
    QueryArgumentError,
    QueryResultError,
)
from diglot.sql.loader import load_text
from diglot.sql.session import DIALECTS
from tests.parity.adhoc import count, query, rows, scratch, script, value

AT = datetime(2026, 1, 31, 9, 5, 7, 123, UTC)


class Thing(msgspec.Struct):
    id: int
    name: str | None = None


class Owner(msgspec.Struct):
    name: str
    flag: bool


class Owned(msgspec.Struct):
    id: int
    owner: Owner
    at: datetime


MODELS = {"Thing": Thing, "Owner": Owner, "Owned": Owned}

THINGS = """\
-- name: list_things(kind, ids, low)
-- param: kind text?
-- param: ids int[]?
-- param: low int?
-- returns: Thing
select
    id,
    name
from scratch
where 1 = 1
    /* if :kind */ and kind = :kind /* end */
    /* if :ids */ and id {in_ids} /* end */
    /* if :low */ and id >= :low /* end */
order by id;
"""
IN_IDS = {"postgres": "= any(:ids)", "sqlite": "in (select value from json_each(:ids))"}


def things(dialect):
    return load_text(THINGS.replace("{in_ids}", IN_IDS[dialect]), dialect, MODELS).list_things


def text_of(source, dialect="sqlite", **parameters):
    return load_text(source, dialect, MODELS).q.bind(parameters)[0].statement.text


# --- what is sent ---


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_sent_text_begins_with_the_querys_name_and_has_no_semicolon(dialect):
    statement = load_text("-- name: q()!\n-- Doc.\ndelete from a ;\n", dialect, subject="s").q.bind({})[0].statement
    assert statement.text == "/* diglot:s.q */ delete from a"
    assert statement.query == "s.q"


def test_every_packaged_statement_begins_with_its_name():
    from diglot.statestore.database import packaged_queries

    for dialect in DIALECTS:
        for packaged in packaged_queries(dialect):
            for variant in packaged.variants():
                assert variant.statement.text.startswith(f"/* diglot:{packaged.source.full_name} */ ")
                assert variant.statement.query == packaged.source.full_name


def test_parameters_become_placeholders_and_the_rest_stays():
    source = "-- name: q(a)!\n-- param: a int\ndelete from x where a = :a and b like 'c%:a' or a = :a"
    assert text_of(source, a=1).endswith("delete from x where a = ? and b like 'c%:a' or a = ?")
    assert text_of(source, "postgres", a=1).endswith("delete from x where a = $1 and b like 'c%:a' or a = $1")


def test_a_block_that_is_not_there_leaves_no_empty_line():
    source = "-- name: q(a)!\n-- param: a int?\ndelete from x\nwhere 1 = 1\n    /* if :a */ and a = :a /* end */\n"
    source += "    and b = '\n\n'\n"
    assert text_of(source, a=None) == "/* diglot:text.q */ delete from x\nwhere 1 = 1\n    and b = '\n\n'"


def test_a_line_comment_stays_a_line_of_its_own():
    source = "-- name: q(a)!\n-- param: a int?\n\ndelete from x -- one\n\n\n/* if :a */ where a = :a /* end */ -- two\n"
    assert text_of(source, a=None).splitlines()[0] == "/* diglot:text.q */ delete from x -- one"
    assert " where a = ?" in text_of(source, a=1).splitlines()[1]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_combination_of_blocks_is_one_static_text_built_once(dialect):
    listing = things(dialect)
    variants = list(listing.variants())
    assert len({v.statement.text for v in variants}) == len(variants) == 8
    for kind, ids, low in product((None, "x"), (None, [1]), (None, 0)):
        variant, _ = listing.bind({"kind": kind, "ids": ids, "low": low})
        again, _ = listing.bind({"kind": kind and "other", "ids": ids and [], "low": low and 7})
        assert again is variant
        assert any(variant is v for v in variants)
        for name, given, shown in (("kind", kind, "and kind ="), ("ids", ids, "and id " + IN_IDS[dialect][:4])):
            assert (shown in variant.statement.text) == (given is not None), name
    assert [v.statement for v in listing.variants()] == [v.statement for v in variants]


EFFECTS = [
    ("select 1 as x", False, False),
    ("-- note\nselect 1 as x", False, False),
    ("values (1)", False, False),
    ("with a as (select 1) select * from a", False, False),
    ("explain select 1", False, False),
    ("insert into a values (1)", True, False),
    ("INSERT into a values (1)", True, False),
    ("update a set b = 1", True, False),
    ("delete from a", True, False),
    ("create table a (b int)", True, False),
    ("pragma user_version = 1", True, False),
    ("replace into a values (1)", True, False),
    ("with x as (select 1) insert into a select * from x", True, False),
    ("with x as (select 1) delete from a", True, False),
    ("with x as (select 1) replace into a select * from x", True, False),
    ("with x as (insert into a values (1) returning b) select * from x", True, False),
    ("merge into a using b on c when matched then delete", True, False),
    ("select replace(a, 'b', 'c') as x from y", False, False),
    ("select 'insert into a' as x", False, False),
    ('select "update" from x', False, False),
    ("select /* update */ 1 as x -- delete", False, False),
    ("select 1 from a for update", False, True),
    ("select 1 from a for no key update", False, True),
    ("select 1 from a for share", False, True),
    ("select 1 from a for key share of a", False, True),
    ("select 1 from a FOR UPDATE skip locked", False, True),
    ("with x as (select 1 from a for update) update a set b = 1", True, True),
]


@pytest.mark.parametrize(("sql", "writes", "locks"), EFFECTS, ids=[c[0] for c in EFFECTS])
def test_a_statement_says_whether_it_writes_and_locks(sql, writes, locks):
    statement = load_text(f"-- name: q()!\n{sql}", "postgres").q.bind({})[0].statement
    assert (statement.writes, statement.locks) == (writes, locks)
    assert statement.idempotent == (not writes)


def test_a_write_is_idempotent_when_its_header_says_so():
    source = "-- name: q()!\n-- idempotent: the same again\ndelete from a"
    assert load_text(source, "sqlite").q.bind({})[0].statement.idempotent


# --- what is given ---

ARGUMENTS = [
    ("missing", {"b": None}, "query text.q needs a"),
    ("both missing", {}, "query text.q needs a, b"),
    ("unknown", {"a": 1, "b": None, "c": 3}, "query text.q does not know c"),
    ("misspelt", {"A": 1, "b": None}, "query text.q needs a and does not know A"),
    ("more unknown", {"a": 1, "b": 2, "d": 3, "c": 4}, "query text.q does not know d, c"),
]
TWO = "-- name: q(a, b){}\n-- param: a int\n-- param: b int?\n{}{} :a, :b"
KINDS = [
    ("", "-- returns: Thing\n", "select"),
    ("^", "-- returns: Thing\n", "select"),
    ("$", "-- returns: int\n", "select"),
    ("!", "", "delete"),
]


@pytest.mark.parametrize("suffix", KINDS, ids=lambda k: k[0])
@pytest.mark.parametrize(("given", "problem"), [c[1:] for c in ARGUMENTS], ids=[c[0] for c in ARGUMENTS])
def test_wrong_parameters_are_an_error_before_anything_is_sent(suffix, given, problem):
    wrong = load_text(TWO.format(*suffix), "sqlite", MODELS).q
    with pytest.raises(QueryArgumentError) as error:
        wrong(None, **given)
    assert str(error.value) == problem
    assert isinstance(error.value, TypeError)


def test_wrong_parameters_of_a_batch_are_an_error_too():
    wrong = load_text(TWO.format("*!", "", "delete"), "sqlite").q
    with pytest.raises(QueryArgumentError, match=r"query text\.q needs b$"):
        wrong(None, [{"a": 1, "b": 2}, {"a": 1}])
    with pytest.raises(InvalidValue, match=r"^a: an integer is needed, not str$"):
        wrong(None, [{"a": 1, "b": 2}, {"a": "1", "b": 2}])


def test_parameters_are_given_by_name():
    with pytest.raises(TypeError):
        load_text(TWO.format(*KINDS[0]), "sqlite", MODELS).q(None, 1, 2)


def test_only_a_parameter_that_may_be_null_may_be_none():
    optional = load_text(TWO.format(*KINDS[3]), "sqlite").q
    assert optional.bind({"a": 1, "b": None})[1] == (1, None)
    with pytest.raises(InvalidValue, match=r"^a: a value is needed, not None$"):
        optional.bind({"a": None, "b": 1})


def test_a_parameter_may_be_called_like_anything():
    source = "-- name: q(self, session, source)!\n-- param: self int\n-- param: session int\n-- param: source int\n"
    odd = load_text(source + "delete from a where b in (:session, :self, :source)", "sqlite").q
    assert odd.bind({"self": 1, "session": 2, "source": 3})[1] == (2, 1, 3)


def test_a_batch_needs_the_same_blocks():
    source = "-- name: q(a)*!\n-- param: a int?\ndelete from x /* if :a */ where a = :a /* end */"
    with pytest.raises(QueryArgumentError, match="one batch needs the same conditional blocks"):
        load_text(source, "sqlite").q(None, [{"a": 1}, {"a": None}])


def test_a_batch_does_not_change_the_mappings_it_was_given(store):
    scratch(store, id="int", at="timestamp")
    given = [{"id": 1, "at": AT}]
    query(store, "insert into scratch values (:id, :at)", "*!", id=1, at=AT)(store, given)
    assert given == [{"id": 1, "at": AT}]


def test_an_empty_batch_and_an_argument_error_need_no_database():
    assert load_text(TWO.format("*!", "", "delete"), "sqlite").q(None, []) == 0


def test_a_query_shows_its_name_suffix_and_dialect():
    assert repr(load_text(TWO.format(*KINDS[3]), "postgres").q) == "<query text.q! (postgres)>"


# --- what comes back ---


@pytest.fixture
def table(store):
    """id 1 to 4; kinds x, y, x, NULL; the names of 2 and 4 are NULL."""
    scratch(store, id="int", kind="text", name="text")
    insert = query(store, "insert into scratch values (:id, :kind, :name)", "*!", id=1,
                   types={"kind": "text?", "name": "text?"})  # fmt: skip
    batch = [(1, "x", "one"), (2, "y", None), (3, "x", "three"), (4, None, None)]
    assert insert(store, [dict(zip(("id", "kind", "name"), row, strict=True)) for row in batch]) == 4
    return store


def test_no_suffix_gives_every_row_at_once(table):
    found = rows(table, "select id, name from scratch order by id", "Thing", MODELS)
    assert found == [Thing(1, "one"), Thing(2), Thing(3, "three"), Thing(4)]
    assert rows(table, "select id, name from scratch where id > 9", "Thing", MODELS) == []
    assert rows(table, "select id from scratch order by id", "int") == [1, 2, 3, 4]


def test_one_row_or_none(table):
    one = query(table, "select id, name from scratch where id = :id", "^", "Thing", MODELS, id=1)
    assert one(table, id=3) == Thing(3, "three")
    assert one(table, id=9) is None


def test_two_rows_are_an_error_where_one_is_meant(table):
    two = query(table, "select id, name from scratch where kind = 'x'", "^", "Thing", MODELS)
    with pytest.raises(QueryResultError, match=r"query text\.q should give one row, but gave 2"):
        two(table)
    with pytest.raises(QueryResultError, match=r"query text\.q should give one value, but gave 4 rows"):
        value(table, "select id from scratch", "int")


def test_a_value_tells_null_from_no_row(table):
    sql = "select name from scratch where id = :id"
    assert value(table, sql, "text", id=1) == "one"
    with pytest.raises(QueryResultError, match=r"text\.q gave NULL: its header says '-- returns: text', not 'text\?'"):
        value(table, sql, "text", id=2)
    with pytest.raises(
        QueryResultError, match=r"text\.q gave no row: its header says '-- returns: text', not 'text\?'"
    ):
        value(table, sql, "text", id=9)
    assert value(table, sql, "text?", id=2) is None
    assert value(table, sql, "text?", id=9) is None


def test_a_value_that_counts_as_nothing_is_still_a_value(table):
    assert value(table, "select 0 as x", "int") == 0
    assert value(table, "select '' as x", "text") == ""
    assert value(table, "select 1 = 2 as x", "bool") is False


def test_rows_changed_are_counted(table):
    assert count(table, "update scratch set name = 'new' where kind = :kind", kind="x") == 2
    assert count(table, "update scratch set name = 'new' where kind = :kind", kind="x") == 2
    assert count(table, "delete from scratch where id = :id", id=9) == 0
    assert count(table, "insert into scratch (id) values (5), (6)") == 2
    assert count(table, "delete from scratch") == 6


def test_rows_changed_by_a_batch_are_counted_in_all(table):
    rename = query(table, "update scratch set name = :name where kind = :kind", "*!", name="", kind="")
    assert rename(table, ({"kind": kind, "name": "new"} for kind in ("x", "y", "z"))) == 3
    assert rename(table, []) == 0
    assert value(table, "select count(*) as n from scratch where name = 'new'", "int") == 3


def test_a_batch_is_stored_wholly_or_not_at_all(table):
    script(table, "create unique index uq on scratch (id);")
    insert = query(table, "insert into scratch (id) values (:id)", "*!", id=1)
    with pytest.raises(ConstraintViolation):
        insert(table, [{"id": 5}, {"id": 6}, {"id": 1}, {"id": 7}])
    assert rows(table, "select id from scratch order by id", "int") == [1, 2, 3, 4]


def test_a_script_runs_all_of_its_statements(table):
    script(table, "delete from scratch where id = 1; -- it's one\n\nupdate scratch set name = 'a;b' where id = 2;\n")
    assert rows(table, "select id, name from scratch order by id", "Thing", MODELS) == [
        Thing(2, "a;b"),
        Thing(3, "three"),
        Thing(4),
    ]


def test_a_script_that_fails_changes_nothing(table):
    script(table, "create unique index uq on scratch (id);")
    with pytest.raises(ConstraintViolation):
        script(table, "delete from scratch where id = 1; insert into scratch (id) values (2);")
    assert rows(table, "select id from scratch order by id", "int") == [1, 2, 3, 4]


def test_a_script_takes_no_parameters(table):
    with pytest.raises(TypeError):
        load_text("-- name: q#\nselect 1;", table.dialect).q(table, a=1)


def test_blocks_filter_in_every_combination(table):
    listing = things(table.dialect)
    stored = [(1, "x", "one"), (2, "y", None), (3, "x", "three"), (4, None, None)]
    for kind, ids, low in product((None, "x", "none"), (None, [], [3], [4, 3, 1, 9]), (None, 3)):
        wanted = [
            Thing(i, name)
            for i, k, name in stored
            if (kind is None or k == kind) and (ids is None or i in ids) and (low is None or i >= low)
        ]
        assert listing(table, kind=kind, ids=ids, low=low) == wanted, (kind, ids, low)


LISTS = [
    ("text", "text", ["a", "é", 'q"\\', "", "\U0010ffff", "\x1f", "null", "{}"], ["b", "\U0010fffe"]),
    ("int", "int", [0, -1, 2**63 - 1, -(2**63), 2**53 + 1], [1, 2**53]),
    ("float", "float", [0.0, 0.1, -1.5, 5e-324, 1.7976931348623157e308, 4.99e16, 1e16], [0.5, 1e15]),
    ("timestamp", "timestamp", [AT, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)],
     [AT.replace(microsecond=124)]),
    ("bool", "bool", [True], [False]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "returns", "inside", "outside"), LISTS, ids=[c[0] for c in LISTS])
def test_a_list_finds_exactly_its_items(store, kind, returns, inside, outside):
    scratch(store, item=kind)
    query(store, "insert into scratch values (:item)", "*!", types={"item": kind})(
        store, [{"item": item} for item in inside + outside]
    )
    within = {"postgres": "item = any(:items)", "sqlite": "item in (select value from json_each(:items))"}
    find = query(store, f"select item from scratch where {within[store.dialect]}", "", returns,
                 types={"items": f"{kind}[]"})  # fmt: skip
    assert sorted(find(store, items=inside)) == sorted(inside)
    assert sorted(find(store, items=[*outside, *outside])) == sorted(outside)
    assert find(store, items=[]) == []


def test_a_list_may_have_100_000_items(table):
    within = {"postgres": "id = any(:ids)", "sqlite": "id in (select value from json_each(:ids))"}
    sql = f"select id from scratch where {within[table.dialect]} order by id"
    assert rows(table, sql, "int", ids=list(range(2, 100_002))) == [2, 3, 4]


def test_columns_that_do_not_fit_the_model_are_an_error(table):
    cases = [
        ("select id, name, kind from scratch", r"returns the columns (id, name, kind) but its model has"),
        ("select name, id from scratch", r"returns the columns (name, id) but its model has"),
        ("select id as number, name from scratch", r"returns the columns (number, name) but its model has"),
    ]
    for sql, problem in cases:
        with pytest.raises(QueryResultError) as error:
            rows(table, sql, "Thing", MODELS)
        assert problem in str(error.value)
    with pytest.raises(QueryResultError, match=r"should give one column, not \(id, name\)"):
        rows(table, "select id, name from scratch", "int")


def test_columns_are_compared_even_when_there_is_no_row(table):
    with pytest.raises(QueryResultError, match=r"returns the columns \(name, id\)"):
        rows(table, "select name, id from scratch where 1 = 2", "Thing", MODELS)


def test_columns_are_compared_once_for_each_combination(table):
    listing = things(table.dialect)
    assert [v.checked for v in listing.variants()] == [False] * 8
    listing(table, kind=None, ids=None, low=None)
    listing(table, kind="x", ids=None, low=None)
    assert sum(v.checked for v in listing.variants()) == 2
    assert listing(table, kind="x", ids=None, low=None) == [Thing(1, "one"), Thing(3, "three")]


def test_a_model_inside_of_a_model_takes_its_columns(store):
    scratch(store, id="int", name="text", flag="bool", at="timestamp")
    count(store, "insert into scratch values (:id, :name, :flag, :at)", id=1, name="n", flag=True, at=AT)
    assert rows(store, "select id, name, flag, at from scratch", "Owned", MODELS) == [Owned(1, Owner("n", True), AT)]


def test_a_stored_document_that_does_not_fit_its_model_is_an_error(store):
    class Holder(msgspec.Struct):
        document: Thing

    scratch(store, document="json")
    count(store, "insert into scratch values (:document)", document={"id": "not a number"})
    with pytest.raises(QueryResultError, match=r"query text\.q: a stored value does not fit its model"):
        rows(store, "select document from scratch", "Holder", {"Holder": Holder})


def test_several_reads_see_one_state_and_are_decoded_as_ever(table):
    listing = things(table.dialect)
    one = query(table, "select id, name from scratch where id = :id", "^", "Thing", MODELS, id=1)
    answers = table.together([listing.call(kind="x", ids=None, low=None), one.call(id=2)])
    assert listing.decode(answers[0]) == [Thing(1, "one"), Thing(3, "three")]
    assert one.decode(answers[1]) == [Thing(2)]


def test_text_that_looks_like_sql_stays_text(table):
    for nasty in ("'; drop table scratch; --", "%s %(a)s %%", ":id", "$1", "?", "\\'", "*/"):
        count(table, "update scratch set name = :name where id = 1", name=nasty)
        assert value(table, "select name from scratch where name = :name", "text", name=nasty) == nasty
    assert value(table, "select 'a%s :x $1 ? %%' as x", "text") == "a%s :x $1 ? %%"
