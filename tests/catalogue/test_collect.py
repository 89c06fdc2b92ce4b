"""What the catalogue says of a query and a table is what the files and both engines say."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from diglot.catalogue.collect import collect
from diglot.catalogue.entries import Catalogue, Entry, Index, ResultColumn, Table, TableUse
from diglot.check.scratch import scratch_postgres, scratch_sqlite
from diglot.drift import DriftSettings
from diglot.errors import QueryFileError
from diglot.project import Project


def query(found: Catalogue, name: str) -> Entry:
    return next(entry for subject in found.subjects for entry in subject.entries if entry.name == name)


def table(found: Catalogue, name: str) -> Table:
    return next(one for one in found.tables if one.name == name)


def test_every_query_is_there_once_by_file_and_in_the_order_of_the_file(found: Catalogue) -> None:
    assert [(subject.name, [entry.name for entry in subject.entries]) for subject in found.subjects] == [
        ("customers", ["customers.get_customer", "customers.find_customer", "customers.get_customers"]),
        (
            "orders",
            [
                "orders.list_orders",
                "orders.search_notes",
                "orders.add_order",
                "orders.delete_customer",
                "orders.lock_orders",
            ],
        ),
    ]


def test_a_query_has_its_header_and_its_places(found: Catalogue) -> None:
    entry = query(found, "orders.list_orders")
    assert (entry.kind, entry.returns, entry.doc) == ("list of rows", "Order", "The orders of a customer.")
    assert [f"{each.name} {each.declaration}" for each in entry.parameters] == [
        "customer_id int",
        "note text?",
        "after int?",
        "limit int",
    ]
    assert {dialect: side.place for dialect, side in entry.sides.items()} == {
        "postgres": "postgres/orders.sql:2",
        "sqlite": "sqlite/orders.sql:2",
    }
    assert query(found, "orders.search_notes").sides["sqlite"].notes == {"plan": "scan because the shop is small"}


def test_texts_that_differ_are_told_from_those_that_do_not(found: Catalogue) -> None:
    different = {entry.name for subject in found.subjects for entry in subject.entries if not entry.same}
    assert different == {"customers.get_customers", "orders.lock_orders"}
    assert list(query(found, "orders.lock_orders").sides) == ["postgres"]


def test_a_query_says_what_it_does_to_which_columns(found: Catalogue) -> None:
    uses = {
        name: query(found, name).uses for name in ("orders.list_orders", "orders.add_order", "orders.delete_customer")
    }
    assert uses == {
        "orders.list_orders": [TableUse("orders", ["customer_id", "note", "number"], None)],
        "orders.add_order": [TableUse("orders", None, ["customer_id", "number", "note"])],
        "orders.delete_customer": [TableUse("customers", ["id"], [])],
    }
    writing = {entry.name for subject in found.subjects for entry in subject.entries if entry.writes}
    assert writing == {"orders.add_order", "orders.delete_customer"}


def test_a_query_has_the_columns_of_its_answer(found: Catalogue) -> None:
    assert query(found, "orders.list_orders").columns == [
        ResultColumn("customer_id", {"postgres": "bigint", "sqlite": "integer"}, False),
        ResultColumn("number", {"postgres": "bigint", "sqlite": "integer"}, False),
        ResultColumn("note", {"postgres": "text", "sqlite": "text"}, True),
    ]
    assert query(found, "orders.add_order").columns == []


def test_a_table_is_read_and_written_by_queries(found: Catalogue) -> None:
    orders, customers = table(found, "orders"), table(found, "customers")
    assert orders.read_by == ["orders.list_orders", "orders.search_notes", "orders.lock_orders"]
    assert orders.written_by == ["orders.add_order"]
    assert customers.read_by == [
        *(f"customers.{name}_customer" for name in ("get", "find")),
        "customers.get_customers",
        "orders.delete_customer",
    ]
    assert customers.written_by == ["orders.delete_customer"]


def test_plans_and_indexes_are_those_of_both_engines(found: Catalogue) -> None:
    sides = query(found, "orders.list_orders").sides
    assert "Index Scan using pk_orders" in sides["postgres"].plans[0].text
    assert "SEARCH orders USING" in sides["sqlite"].plans[0].text
    assert "pk_orders" in sides["postgres"].indexes
    assert "pk_orders" in sides["sqlite"].indexes, "not sqlite_autoindex_orders_1, which nobody gave a name"


def test_an_index_has_the_name_of_its_constraint_on_both_sides(found: Catalogue) -> None:
    for side in query(found, "customers.find_customer").sides.values():
        assert side.indexes == ["uq_customers_name"]


def test_combinations_that_need_the_same_indexes_share_one_plan(found: Catalogue) -> None:
    sides = query(found, "orders.list_orders").sides
    assert all(len(side.plans) < 4 for side in sides.values()), "there are four combinations"
    with_note = [plan.when for plan in sides["postgres"].plans]
    assert with_note == ["without any condition (2 combinations)", "with :note (2 combinations)"]


def test_a_scan_is_named_under_its_plan(found: Catalogue) -> None:
    for side in query(found, "orders.search_notes").sides.values():
        assert [problem.partition(":")[0] for plan in side.plans for problem in plan.problems] == ["scan of orders"]
    assert [plan.problems for plan in query(found, "customers.get_customer").sides["postgres"].plans] == [[]]


def test_a_table_has_the_columns_of_both_sides_in_the_words_of_each(found: Catalogue) -> None:
    columns = table(found, "customers").columns
    assert list(columns) == ["id", "name", "since"]
    since = columns["since"]
    assert (since["postgres"].type, since["postgres"].rules) == ("timestamp with time zone", "not null default now()")
    assert since["sqlite"].type == "text"
    assert since["sqlite"].rules.startswith("not null default ")
    assert "numbered by rowid" in columns["id"]["sqlite"].rules


def test_a_table_has_the_indexes_of_both_sides_and_what_they_serve(found: Catalogue) -> None:
    indexes = table(found, "orders").indexes
    assert indexes["sqlite"][0] == Index(
        "pk_orders", "primary key (customer_id, number)", serving(found, "sqlite", "pk_orders")
    )
    assert "orders.list_orders" in indexes["postgres"][0].serves
    assert [index.name for index in indexes["postgres"]] == ["pk_orders", "ix_orders_note", "ix_orders_words"]
    assert indexes["postgres"][1].definition.startswith("(note, number) where ")
    assert indexes["postgres"][2].definition == "hash (note)"


def serving(found: Catalogue, dialect: str, index: str) -> list[str]:
    entries = [entry for subject in found.subjects for entry in subject.entries]
    return [e.name for e in entries if any(d == dialect and index in side.indexes for d, side in e.sides.items())]


def test_a_table_has_its_constraints(found: Catalogue) -> None:
    for constraints in table(found, "orders").constraints.values():
        assert [(each.name, each.definition.split()[0]) for each in constraints] == [
            ("fk_orders_customer_id", "foreign"),
            ("ck_orders_number", "check"),
        ]
        assert constraints[0].definition.endswith("references customers (id) on delete cascade")


def test_drift_is_that_of_the_gate(found: Catalogue) -> None:
    assert [(each.kind, each.name, each.reason) for each in found.drift.allowed] == [
        ("index", "ix_orders_words", "SQLite has no hash")
    ]
    assert [(each.kind, each.table, each.name) for each in found.drift.differences] == [("identity", "customers", "id")]


@pytest.mark.postgres
def test_a_query_that_cannot_be_read_is_an_error_and_not_left_out(tmp_path: Path, server_url: str) -> None:
    for dialect in ("postgres", "sqlite"):
        folder = tmp_path / dialect
        folder.mkdir()
        (folder / "a.sql").write_text("-- name: one()\n-- what: ever\nselect 1;\n")
    with scratch_sqlite(None) as sqlite, scratch_postgres(None, server_url) as postgres:
        project = Project(queries=tmp_path, migrations=tmp_path)
        with pytest.raises(QueryFileError, match=r"a\.sql:2:1: unknown header key 'what'"):
            collect(project, postgres, sqlite, DriftSettings(), date(2026, 11, 21))
