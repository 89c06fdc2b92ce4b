"""Names of constraints and indexes count where it is asked for, and only where both sides give one."""

from __future__ import annotations

from diglot.drift import compare
from tests.drift.shop import SQLITE, changed, read_sqlite_text

RENAMED = {
    "pk_order_lines": "primary-key",
    "fk_orders_customer": "foreign-key",
    "uq_customers_email": "unique",
    "uq_customers_nick": "unique",
    "ck_orders_status": "check",
    "ix_orders_parent": "index",
}


def test_another_name_is_a_difference_only_where_names_count() -> None:
    one = read_sqlite_text(SQLITE)
    for name, kind in RENAMED.items():
        other = read_sqlite_text(changed(SQLITE, name, f"{name}_2"))
        assert compare(one, other) == []
        (found,) = compare(one, other, names=True)
        assert (found.kind, found.name, found.left, found.right) == (kind, name, name, f"{name}_2")


def test_a_constraint_without_a_name_has_no_other_name() -> None:
    one = read_sqlite_text(SQLITE)
    for name in ("pk_order_lines", "fk_orders_customer", "uq_customers_email", "ck_orders_status"):
        other = read_sqlite_text(changed(SQLITE, f"constraint {name} ", ""))
        assert compare(one, other, names=True) == []


def test_of_two_that_mean_the_same_the_names_decide_which_is_which() -> None:
    text = "create table t (a int); create index one on t (a); create index two on t (a);"
    turned = "create table t (a int); create index two on t (a); create index one on t (a);"
    assert compare(read_sqlite_text(text), read_sqlite_text(turned), names=True) == []
    (found,) = compare(read_sqlite_text(text), read_sqlite_text(text.replace("create index two on t (a);", "")))
    assert (found.kind, found.name) == ("index", "two")
