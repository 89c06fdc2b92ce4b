"""Every type of the headers: written, read, compared and listed with the same answer on each database, and checked."""

from __future__ import annotations

import enum
import importlib
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diglot.check.run import run_checks
from diglot.errors import InvalidValue, QueryResultError
from diglot.project import Project
from diglot.sql.session import Statement
from diglot.sql.types import TYPES
from tests.cli.running import diglot

POSTGRES = """
create table things (
    id text collate "C" primary key,
    day date not null,
    clock time not null,
    code uuid not null,
    price numeric not null,
    moment timestamptz not null,
    colour text collate "C" not null,
    tags text[] collate "C" not null,
    days date[]
);
create index ix_things_day on things (day);
"""
SQLITE = """
create table things (
    id text not null primary key,
    day text not null,
    clock text not null,
    code text not null,
    price text not null,
    moment text not null,
    colour text not null,
    tags text not null check (json_valid(tags)),
    days text check (json_valid(days))
) strict;
create index ix_things_day on things (day);
"""
MODELS = """
import enum
from datetime import date, datetime, time
from decimal import Decimal
from uuid import UUID

import msgspec

class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"

class Thing(msgspec.Struct, frozen=True):
    id: str
    day: date
    clock: time
    code: UUID
    price: Decimal
    moment: datetime
    colour: Colour
    tags: list[str]
    days: list[date] | None
"""
QUERIES = """
-- name: put!
-- param: id text
-- param: day date
-- param: clock time
-- param: code uuid
-- param: price decimal
-- param: moment timestamp
-- param: colour text
-- param: tags text[]
-- param: days date[]?
-- Store a thing.
insert into things (id, day, clock, code, price, moment, colour, tags, days)
values (:id, :day, :clock, :code, :price, :moment, :colour, :tags, :days);

-- name: get^
-- param: id text
-- returns: Thing
-- One thing.
select id, day, clock, code, price, moment, colour, tags, days
from things
where id = :id;

-- name: by_values
-- param: day date
-- param: clock time
-- param: code uuid
-- param: price decimal
-- returns: text
-- Those that have all of these values.
select id
from things
where day = :day and clock = :clock and code = :code and price = :price
order by id;

-- name: codes
-- returns: uuid
-- plan: scan because the table is small
-- Their codes.
select code
from things;

-- name: last_day$
-- returns: date?
-- The last of the days.
select max(day)
from things;
"""
LISTS = {
    "postgres": "where day = any(:days) and code = any(:codes) and price = any(:prices)",
    "sqlite": """where
    day in (select wanted.value from json_each(:days) as wanted)
    and code in (select wanted.value from json_each(:codes) as wanted)
    and price in (select wanted.value from json_each(:prices) as wanted)""",
}
LISTED = """
-- name: listed
-- param: days date[]
-- param: codes uuid[]
-- param: prices decimal[]
-- returns: text
-- Those whose values are in all of the lists.
select id
from things
{where}
order by id;
"""
VALUES: dict[str, Any] = {
    "day": date(2026, 1, 31),
    "clock": time(9, 5, 7, 123),
    "code": UUID("01987b2c-4c1e-7d0a-9f3e-5a6b7c8d9e0f"),
    "price": Decimal("12.50"),
    "moment": datetime(2026, 1, 31, 9, 5, 7, 123, UTC),
    "colour": "red",
    "tags": ["a", 'quote"', "{,}", ""],
    "days": [date(1, 1, 1), date(9999, 12, 31)],
}


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("things")
    for dialect, schema in (("postgres", POSTGRES), ("sqlite", SQLITE)):
        migrations, queries = folder / "migrations" / dialect, folder / "queries" / dialect
        migrations.mkdir(parents=True)
        queries.mkdir(parents=True)
        (migrations / "0001_things.sql").write_text(schema)
        (migrations / "0001_things.rollback.sql").write_text("drop table things;\n")
        (queries / "things.sql").write_text(QUERIES + LISTED.format(where=LISTS[dialect]))
    (folder / "things_models.py").write_text(MODELS)
    (folder / "things_types").mkdir()
    (folder / "diglot.toml").write_text(
        '[project]\nqueries = "queries"\nmigrations = "migrations"\nmodels = "things_models"\n'
        'generated = "things_types"\n'
    )
    assert diglot("--project", str(folder / "diglot.toml"), "generate").code == 0
    return Project.find(folder / "diglot.toml")


def protocol() -> Any:
    """What was generated; the project's folder is on the path once its models are loaded."""
    return importlib.import_module("things_types").Queries


def findings(project: Project, postgres_url: str) -> list[str]:
    return [found.message for found in run_checks(project, postgres_url=postgres_url, today=date(2026, 1, 31)).findings]


def test_every_type_comes_back_as_it_was_written(things: Project, database_url: str) -> None:
    with things.open(database_url) as db:
        queries = db.queries(protocol())
        queries.things.put(db, id="a", **VALUES)
        found = queries.things.get(db, id="a")
        assert msgspec.structs.asdict(found) == {"id": "a"} | VALUES | {"colour": type(found.colour)("red")}
        assert isinstance(found.colour, enum.Enum)
        wanted = {name: VALUES[name] for name in ("day", "clock", "code", "price")}
        assert queries.things.by_values(db, **wanted) == ["a"]
        assert queries.things.by_values(db, **wanted | {"price": Decimal("12.5")}) == ["a"], "12.50 is 12.5"
        assert queries.things.codes(db) == [VALUES["code"]]
        assert queries.things.last_day(db) == VALUES["day"]
        lists = {"days": [VALUES["day"]], "codes": {VALUES["code"]}, "prices": (Decimal(3), Decimal("12.500"))}
        assert queries.things.listed(db, **lists) == ["a"]
        assert queries.things.listed(db, **lists | {"codes": []}) == []


DECIMALS = st.decimals(allow_nan=False, allow_infinity=False) | st.sampled_from([Decimal("-0.00"), Decimal("1E+20")])


@given(
    day=st.dates(),
    clock=st.times(),
    code=st.uuids(),
    price=DECIMALS.filter(lambda number: abs(number.adjusted()) < 900),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_value_comes_back(
    things: Project, database_url: str, day: date, clock: time, code: UUID, price: Decimal
) -> None:
    with things.open(database_url) as db, db.transaction() as tx:
        queries = db.queries(protocol())
        tx.rows(Statement("test.delete", "delete from things", writes=True))
        values = {"day": day, "clock": clock, "code": code, "price": price}
        queries.things.put(tx, id="a", **VALUES | values)
        found = queries.things.get(tx, id="a")
        assert {name: getattr(found, name) for name in values} == values
        assert queries.things.by_values(tx, **values) == ["a"]


WRONG = [
    ("day", datetime(2026, 1, 31, tzinfo=UTC), "a date is needed, not datetime"),
    ("day", "2026-01-31", "a date is needed, not str"),
    ("clock", time(9, tzinfo=UTC), "a time of day without a time zone is needed"),
    ("clock", "09:05", "a time is needed, not str"),
    ("code", "01987b2c-4c1e-7d0a-9f3e-5a6b7c8d9e0f", "a UUID is needed, not str"),
    ("price", 1.5, "a Decimal is needed, not float"),
    ("price", True, "a Decimal is needed, not bool"),
    ("price", Decimal("NaN"), "NaN can't be stored: it is not a number"),
    ("price", Decimal("1E-20000"), "the number has more than 16,383 digits before or after its point"),
    ("days", [None], "days[0]"),
]


@pytest.mark.parametrize(("name", "value", "problem"), WRONG)
def test_a_wrong_value_is_refused_by_its_name(
    things: Project, database_url: str, name: str, value: object, problem: str
) -> None:
    with things.open(database_url) as db:
        with pytest.raises(InvalidValue) as refused:
            db.queries(protocol()).things.put(db, id="a", **VALUES | {name: value})
        assert problem in str(refused.value)
        assert db.queries(protocol()).things.codes(db) == []


FOREIGN = [("day", "20260131"), ("day", "tomorrow"), ("clock", "09:05:07+01:00"), ("code", "x"), ("price", "NaN")]


@pytest.mark.parametrize(("column", "stored"), FOREIGN)
def test_what_another_program_stored_is_a_typed_error(
    things: Project, tmp_path: Path, column: str, stored: str
) -> None:
    with things.open(f"sqlite:///{tmp_path}/things.db") as db:
        db.queries(protocol()).things.put(db, id="a", **VALUES)
        db.rows(Statement("test.spoil", f"update things set {column} = ?", writes=True), (stored,))  # type: ignore[arg-type]
        with pytest.raises(QueryResultError):
            db.queries(protocol()).things.get(db, id="a")


def test_the_checks_know_the_types(things: Project, postgres_url: str) -> None:
    assert findings(things, postgres_url) == []
    (file,) = things.query_files("sqlite")
    text = file.read_text()
    try:
        file.write_text(text.replace("-- returns: uuid", "-- returns: date"))
        other = file.parent.parent / "postgres" / "things.sql"
        whole = other.read_text()
        other.write_text(whole.replace("-- returns: uuid", "-- returns: date"))
        assert any("'code' is uuid" in found for found in findings(things, postgres_url))
    finally:
        file.write_text(text)
        other.write_text(whole)


def test_every_type_is_tried_here() -> None:
    assert set(TYPES) - {"int", "float", "bool", "bytes", "json"} <= set(
        QUERIES.replace("[]", "").replace("?", "").split()
    )
