"""A small shop in both dialects, with everything in it that could break a page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from diglot.catalogue.collect import collect
from diglot.catalogue.entries import Catalogue
from diglot.check.scratch import scratch_postgres, scratch_sqlite
from diglot.drift import DriftSettings
from diglot.drift.settings import Allow
from diglot.project import Project
from tests.databases import POSTGRES_PARAMS, Databases

SCHEMA = """
create table customers (
    id {integer} constraint pk_customers primary key,
    name text not null,
    since {time} not null default {now},
    constraint uq_customers_name unique (name)
);
create table orders (
    customer_id {integer} not null,
    number {integer} not null,
    note text,
    constraint pk_orders primary key (customer_id, number),
    constraint fk_orders_customer_id foreign key (customer_id) references customers (id) on delete cascade,
    constraint ck_orders_number check (number > 0)
);
create index ix_orders_note on orders (note, number) where note is not null;
create table "</code><b>odd" ("a & b" text);
"""
WORDS = {
    "postgres": {"integer": "bigint", "time": "timestamptz", "now": "now()"},
    "sqlite": {"integer": "integer", "time": "text", "now": "(strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')"},
}
WORDS_INDEX = "create index ix_orders_words on orders using hash (note);"
CUSTOMERS = """
-- name: get_customer(id)^
-- param: id int
-- returns: Customer
-- One customer </p><script>window.hurt = 1</script> & "others".
-- A second line of it.
select id, name from customers where id = :id;

-- name: find_customer(name)^
-- param: name text
-- returns: Customer
-- A customer by name.
select id, name from customers where name = :name;

-- name: get_customers(ids)
-- param: ids int[]
-- returns: Customer
-- Several customers.
select id, name
from customers
where id {of_ids};
"""
OF_IDS = {"postgres": "= any(:ids)\nfor update", "sqlite": "in (select wanted.value from json_each(:ids) as wanted)"}
ORDERS = """
-- name: list_orders(customer_id, note, after, limit)
-- param: customer_id int
-- param: note text?
-- param: after int?
-- param: limit int
-- returns: Order
-- The orders of a customer.
select customer_id, number, note
from orders
where
    customer_id = :customer_id
    /* if :note */ and note = :note /* end */
    /* if :after */ and number > :after /* end */
order by number
limit :limit;

-- name: search_notes(word)
-- param: word text
-- returns: Order
-- plan: scan because the shop is small
-- Orders whose note says it.
select customer_id, number, note
from orders
where note like '%</code></pre><img src=x onerror="window.hurt = 2">%' or note like :word;

-- name: add_order(customer_id, number, note)!
-- param: customer_id int
-- param: number int
-- param: note text?
-- A new order.
insert into orders (customer_id, number, note)
values (:customer_id, :number, :note);

-- name: delete_customer(id)!
-- param: id int
-- A customer goes, and the orders too.
delete from customers where id = :id;
"""
LOCK = """
-- name: lock_orders(customer_id)
-- param: customer_id int
-- returns: Order
-- only: postgres because SQLite locks the whole file
-- Nobody else changes them \u202e.
select customer_id, number, note from orders where customer_id = :customer_id for update;
"""
HASH = Allow(kind="index", table="orders", name="ix_orders_words", reason="SQLite has no hash", until=date(2027, 1, 2))
ALLOWED = DriftSettings(allow=(HASH,))


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The trees in a folder."""
    root = tmp_path_factory.mktemp("shop")
    for dialect, words in WORDS.items():
        _write(root / "migrations" / dialect / "1_tables.sql", SCHEMA.format(**words))
        if dialect == "postgres":
            _write(root / "migrations" / dialect / "2_words.sql", WORDS_INDEX)
        _write(root / "queries" / dialect / "customers.sql", CUSTOMERS.replace("{of_ids}", OF_IDS[dialect]))
        _write(root / "queries" / dialect / "orders.sql", ORDERS + (LOCK if dialect == "postgres" else ""))
    return Project(queries=root / "queries", migrations=root / "migrations")


@pytest.fixture(scope="session", params=POSTGRES_PARAMS[-1:])
def server_url(request: pytest.FixtureRequest, databases: Databases) -> Iterator[str]:
    """A PostgreSQL on which scratch databases can be made: the newest."""
    server = databases.postgres(request.param)
    name = server.create(migrated=False)
    yield server.url(name)
    server.drop(name)


@pytest.fixture(scope="session")
def found(shop: Project, server_url: str) -> Catalogue:
    """What is known of the shop, from both engines."""
    with scratch_sqlite(shop.migrations) as sqlite, scratch_postgres(shop.migrations, server_url) as postgres:
        return collect(shop, postgres, sqlite, ALLOWED, date(2026, 11, 21))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
