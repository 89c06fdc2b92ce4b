"""A small project of two trees without a finding, which the mutation tests change in one place each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from diglot.project import Project
from diglot.sql.session import DIALECTS, Dialect

SCHEMA: dict[Dialect, str] = {
    "postgres": """
create table customers (
    id text not null, email text not null, name text, active boolean not null, rating double precision, photo bytea,
    tags jsonb, created_at timestamptz not null, primary key (id)
);
create table invoices (
    id text not null, customer_id text not null references customers (id), total bigint not null, paid_at timestamptz,
    note text, primary key (id)
);
""",
    "sqlite": """
create table customers (
    id text not null, email text not null, name text, active integer not null check (active in (0, 1)), rating real,
    photo blob, tags text check (json_valid(tags)), created_at text not null check (created_at glob '????-??-??T*Z'),
    primary key (id)
) strict;
create table invoices (
    id text not null, customer_id text not null references customers (id), total integer not null,
    paid_at text check (paid_at is null or paid_at glob '????-??-??T*Z'), note text, primary key (id)
) strict;
""",
}


class Customer(msgspec.Struct):
    id: str
    email: str
    name: str | None
    active: bool
    rating: float | None
    photo: bytes | None
    tags: list[str] | None
    created_at: datetime


class Invoice(msgspec.Struct):
    id: str
    customer_id: str
    total: int
    paid_at: datetime | None


class Overview(msgspec.Struct):
    customer_id: str
    email: str
    invoice_id: str | None
    total: int | None


MODELS: dict[str, type[Any]] = {"Customer": Customer, "Invoice": Invoice, "Overview": Overview}

CUSTOMERS = """-- Customers.

-- name: add_customer(id, email, name, active, rating, photo, tags, now)^
-- param: id text
-- param: email text
-- param: name text?
-- param: active bool
-- param: rating float?
-- param: photo bytes?
-- param: tags json?
-- param: now timestamp
-- returns: Customer
-- A new customer.
insert into customers (id, email, name, active, rating, photo, tags, created_at)
values (:id, :email, :name, :active, :rating, :photo, :tags, :now)
returning id, email, name, active, rating, photo, tags, created_at;

-- name: get_customer(id)^
-- param: id text
-- returns: Customer
-- One customer.
select
    id,
    email,
    name,
    active,
    rating,
    photo,
    tags,
    created_at
from customers
where id = :id;

-- name: list_customers(name, active, since, ids, limit)
-- param: name text?
-- param: active bool?
-- param: since timestamp?
-- param: ids text[]?
-- param: limit int
-- returns: Customer
-- Customers that fit every filter.
select id, email, name, active, rating, photo, tags, created_at
from customers
where
    1 = 1
    /* if :name */ and name = :name /* end */
    /* if :active */ and active = :active /* end */
    /* if :since */ and created_at >= :since /* end */
    /* if :ids */ and id {ids} /* end */
order by id
limit :limit;

-- name: rename(id, name, email)!
-- param: id text
-- param: name text?
-- param: email text?
-- idempotent: the same again
-- Change what is given.
update customers
set
    /* if :email */ email = :email, /* end */
    name = :name
where id = :id;

-- name: emails()
-- returns: text
-- All addresses.
select email
from customers
order by email;
"""
INVOICES = """-- name: unpaid(customer_id)
-- param: customer_id text
-- returns: Invoice
-- What a customer owes.
select invoice.id, invoice.customer_id, invoice.total, invoice.paid_at
from invoices as invoice
where invoice.customer_id = :customer_id and invoice.paid_at is null
order by invoice.id;

-- name: overview()
-- returns: Overview
-- Every customer with the invoices.
select
    customer.id as customer_id,
    customer.email,
    invoice.id as invoice_id,
    invoice.total
from customers as customer
left join invoices as invoice on customer.id = invoice.customer_id
order by customer.id;

-- name: newest()^
-- returns: Invoice
-- The invoice paid last.
with ranked as (
    select id, customer_id, total, paid_at, row_number() over (order by paid_at desc) as age
    from invoices
)

select ranked.id, ranked.customer_id, ranked.total, ranked.paid_at
from ranked
where ranked.age = 1;

-- name: highest(customer_id)$
-- param: customer_id text
-- returns: int?
-- The highest invoice of a customer.
select max(total) as highest
from invoices
where customer_id = :customer_id;

-- name: how_many()$
-- returns: int
-- differs: {differs}
-- How many there are.
select count(*) as how_many
from invoices{nothing};

-- name: pay(id, now)!
-- param: id text
-- param: now timestamp
-- Note that it was paid.
update invoices
set paid_at = :now
where id = :id;

-- name: add_invoices(id, customer_id, total, note)*!
-- param: id text
-- param: customer_id text
-- param: total int
-- param: note text?
-- New invoices.
insert into invoices (id, customer_id, total, note)
values (:id, :customer_id, :total, :note);

-- name: clear()#
-- Everything goes.
delete from invoices;
delete from customers;

-- name: facts_{dialect}()$
-- only: {dialect} because the other has no such thing
-- returns: text
-- What it is.
select '{dialect}' as dialect;
"""
FILLED: dict[Dialect, dict[str, str]] = {
    "postgres": {"ids": "= any(:ids)", "differs": "a hint", "nothing": " where true", "dialect": "postgres"},
    "sqlite": {
        "ids": "in (select wanted.value from json_each(:ids) as wanted)",
        "differs": "no hint",
        "nothing": "",
        "dialect": "sqlite",
    },
}


def text(dialect: Dialect, name: str) -> str:
    """A query file of the project."""
    source = {"customers": CUSTOMERS, "invoices": INVOICES}[name]
    for key, value in FILLED[dialect].items():
        source = source.replace(f"{{{key}}}", value)
    return source


def write_queries(folder: Path, names: Sequence[str] = ("customers", "invoices")) -> Project:
    """The project's query files, or some of them, as they should be."""
    for dialect in DIALECTS:
        (folder / dialect).mkdir(parents=True)
        for name in names:
            (folder / dialect / f"{name}.sql").write_text(text(dialect, name), "utf-8")
    return Project(queries=folder, models=MODELS)
