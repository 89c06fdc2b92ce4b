"""Single changes to one of the two schemas of shop.py: what each is reported as, and those that mean the same."""

# ruff: noqa: E501  (a change a line: the lists are read as tables)

from __future__ import annotations

from typing import NamedTuple

from diglot.drift.difference import DifferenceKind
from diglot.sql.session import Dialect

P: Dialect = "postgres"
S: Dialect = "sqlite"


class Change(NamedTuple):
    """``old`` becomes ``new`` in the text of one dialect, and this difference alone is found."""

    kind: DifferenceKind
    table: str
    name: str
    dialect: Dialect
    old: str
    new: str

    @property
    def id(self) -> str:
        return f"{self.dialect}-{self.kind}-{self.table}-{self.name}"


class Respelling(NamedTuple):
    """``old`` becomes ``new``, which means the same."""

    id: str
    dialect: Dialect
    old: str
    new: str
    between: str = "any two"
    """``the engines``: what PostgreSQL's type says already is a difference between two of SQLite."""


CHANGES = [
    # a table
    Change("table", "extras", "extras", P, "", "create table extras (id bigint);"),
    Change("table", "extras", "extras", S, "", "create table extras (id integer);"),
    Change("table", "tags", "tags", P, "", "create table tags (id bigint);"),
    # a column
    Change("column", "customers", "phone", P, "    born date,", "    born date, phone text,"),
    Change("column", "customers", "phone", S, "    born text,", "    born text, phone text,"),
    Change("column", "customers", "born", P, "    born date,", ""),
    Change("column", "customers", "balance", S, "    balance real,", ""),
    Change("column", "order_lines", "batch", S, "    lot text,", "    batch text, lot text,"),
    Change("column", "order_lines", "batch", P, '    lot text collate "C",', '    lot text collate "C", batch text collate "C",'),
    # a type
    Change("type", "customers", "balance", P, "balance double precision", "balance bigint"),
    Change("type", "customers", "balance", S, "balance real", "balance text"),
    Change("type", "customers", "born", P, "born date", "born integer"),
    Change("type", "customers", "born", S, "born text", "born integer"),
    Change("type", "orders", "note", P, 'note text collate "C"', "note text"),
    Change("type", "orders", "note", S, "note text", "note text collate nocase"),
    Change("type", "customers", "photo", S, "photo blob", "photo text"),
    Change("type", "order_lines", "lot", P, 'lot text collate "C"', "lot bytea"),
    Change("type", "order_lines", "lot", S, "lot text", "lot any"),
    Change("type", "orders", "price", P, "price bigint not null", "price numeric not null"),
    Change("type", "orders", "price", S, "price integer not null", "price real not null"),
    # nullable
    Change("nullable", "orders", "customer_id", P, "customer_id bigint not null", "customer_id bigint"),
    Change("nullable", "orders", "customer_id", S, "customer_id integer not null", "customer_id integer"),
    Change("nullable", "orders", "note", P, 'note text collate "C"', 'note text collate "C" not null'),
    Change("nullable", "orders", "note", S, "note text,", "note text not null,"),
    Change("nullable", "customers", "born", S, "born text", "born text check (born is not null)"),
    # a default
    Change("default", "customers", "active", P, "active boolean not null default true", "active boolean not null default false"),
    Change("default", "customers", "active", S, "active integer not null default 1", "active integer not null default 0"),
    Change("default", "orders", "status", P, "default 'open'", "default 'paid'"),
    Change("default", "orders", "status", S, "status text not null default 'open'", "status text not null"),
    Change("default", "orders", "created_at", P, "    note text collate \"C\",\n    created_at timestamptz not null default now()", "    note text collate \"C\",\n    created_at timestamptz not null default now() + interval '1 day'"),
    Change("default", "orders", "created_at", S, "    note text,\n    created_at text not null default (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')", "    note text,\n    created_at text not null default (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+1 day') || '000Z')"),
    Change("default", "customers", "settings", P, "settings jsonb not null default '{}'", "settings jsonb not null default '[]'"),
    Change("default", "customers", "tags", S, "default '[]'", "default '[1]'"),
    Change("default", "customers", "token", P, " default gen_random_uuid()", ""),
    Change("default", "customers", "favourite", P, "default 'red'", "default 'blue'"),
    Change("default", "customers", "score", S, "score numeric not null default 0", "score numeric not null default 0.5"),
    # a default that its own column refuses
    Change("default", "customers", "created_at", S, "    born text,\n    created_at text not null default (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')", "    born text,\n    created_at text not null default current_timestamp"),
    Change("default", "customers", "created_at", S, "    born text,\n    created_at text not null default (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')", "    born text,\n    created_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))"),
    Change("default", "customers", "token", S, "default (lower(hex(randomblob(16))))", "default (lower(hex(randomblob(16)))) check (length(token) = 36)"),
    Change("default", "customers", "token", S, "default (lower(hex(randomblob(16))))", "default (hex(randomblob(16))) check (token not glob '*[^0-9a-f]*')"),
    Change("default", "customers", "token", S, "default (lower(hex(randomblob(16))))", "default (hex(randomblob(4)))"),
    Change("default", "customers", "active", S, "active integer not null default 1", "active integer not null default 'true'"),
    Change("default", "customers", "tags", S, "default '[]'", "default '{}'"),
    # who numbers the rows
    Change("identity", "orders", "id", P, "create table orders (\n    id bigint generated by default as identity", "create table orders (\n    id bigint not null"),
    Change("identity", "orders", "id", S, "id integer primary key autoincrement", "id bigint not null primary key"),
    Change("identity", "order_lines", "line", P, "line integer not null", "line integer generated by default as identity"),
    # the primary key
    Change("primary-key", "order_lines", "pk_order_lines", P, "primary key (order_id, line)", "primary key (line, order_id)"),
    Change("primary-key", "order_lines", "pk_order_lines", S, "primary key (order_id, line)", "primary key (order_id, line, code)"),
    Change("primary-key", "order_lines", "pk_order_lines", P, "    constraint pk_order_lines primary key (order_id, line),", ""),
    # foreign keys
    Change("foreign-key", "orders", "fk_orders_customer", P, "customers (id) on delete cascade", "customers (id) on delete restrict"),
    Change("foreign-key", "orders", "fk_orders_customer", S, "customers (id) on delete cascade", "customers (id)"),
    Change("foreign-key", "orders", "fk_orders_parent", P, "deferrable initially deferred", "deferrable"),
    Change("foreign-key", "orders", "fk_orders_parent", S, " deferrable initially deferred", ""),
    Change("foreign-key", "order_lines", "fk_order_lines_order", S, " on update cascade", ""),
    Change("foreign-key", "order_lines", "fk_order_lines_order", P, "    constraint fk_order_lines_order foreign key (order_id) references orders (id) on update cascade,", ""),
    Change("foreign-key", "orders", "fk_orders_parent", S, "(parent_id) references orders (id)", "(parent_id) references customers (id)"),
    Change("foreign-key", "customers", "fk_customers_born", S, "    constraint uq_customers_email", "    constraint fk_customers_born foreign key (nick) references customers (email),\n    constraint uq_customers_email"),
    # unique constraints
    Change("unique", "customers", "uq_customers_email", P, "    constraint uq_customers_email unique (email),", ""),
    Change("unique", "customers", "uq_customers_email", S, "    constraint uq_customers_email unique (email),", ""),
    Change("unique", "customers", "uq_customers_nick", P, "(lower(nick)) where nick is not null", "(nick) where nick is not null"),
    Change("unique", "customers", "uq_customers_nick", S, " where nick is not null", ""),
    Change("unique", "order_lines", "uq_order_lines_code", P, "unique (order_id, code)", "unique (code, order_id)"),
    Change("unique", "orders", "uq_orders_note", S, "", "create unique index uq_orders_note on orders (note);"),
    Change("unique", "order_lines", "uq_order_lines_lot", P, "", "alter table order_lines add constraint uq_order_lines_lot unique nulls not distinct (lot);"),
    Change("unique", "order_lines", "uq_order_lines_code", P, "unique (order_id, code)", "unique (order_id, code) deferrable"),
    Change("unique", "customers", "uq_customers_nick", P, "create unique index uq_customers_nick", "create index uq_customers_nick"),
    Change("unique", "customers", "uq_customers_nick", S, "create unique index uq_customers_nick", "create index uq_customers_nick"),
    # checks
    Change("check", "orders", "ck_orders_status", P, "status in ('open', 'paid', 'sent')", "status in ('open', 'paid')"),
    Change("check", "orders", "ck_orders_status", S, "status in ('open', 'paid', 'sent')", "status in ('open', 'paid', 'sent', 'lost')"),
    Change("check", "orders", "ck_orders_quantity", P, "check (quantity > 0)", "check (quantity >= 0)"),
    Change("check", "orders", "ck_orders_quantity", S, "check (quantity > 0)", "check (quantity > 1)"),
    Change("check", "orders", "ck_orders_note", P, "length(note) < 200", "length(note) <= 200"),
    Change("check", "orders", "ck_orders_paid", S, "status <> 'paid' or price >= 0", "status <> 'paid' and price >= 0"),
    Change("check", "orders", "ck_orders_paid", P, "status <> 'paid' or price >= 0", "status = 'paid' or price >= 0"),
    Change("check", "customers", "ck_customers_email", S, "length(email) between 3 and 320 and email like '%@%'", "length(email) between 3 and 320"),
    Change("check", "customers", "ck_customers_email", P, "email like '%@%'", "email like '%@_%'"),
    Change("check", "customers", "ck_customers_settings", P, "jsonb_typeof(settings) = 'object'", "jsonb_typeof(settings) = 'array'"),
    Change("check", "customers", "active", S, "    constraint ck_customers_active check (active in (0, 1)),", ""),
    Change("check", "customers", "tags", S, "    constraint ck_customers_tags check (json_valid(tags)),", ""),
    Change("check", "customers", "name", S, "    constraint ck_customers_name check (length(name) <= 80),", ""),
    Change("check", "customers", "ck_customers_favourite", P, "('red', 'green', 'blue')", "('red', 'green', 'blue', 'black')"),
    Change("check", "customers", "ck_customers_created_at", P, ",\n    constraint ck_customers_created_at check (\n        created_at >= timestamptz '0001-01-01 00:00:00+00' and created_at < timestamptz '10000-01-01 00:00:00+00'\n    )", ""),
    Change("check", "customers", "ck_customers_created_at", P, "created_at >= timestamptz '0001-01-01", "created_at >= timestamptz '1970-01-01"),
    Change("check", "customers", "ck_customers_created_at", P, " and created_at < timestamptz '10000-01-01 00:00:00+00'", ""),
    Change("check", "customers", "ck_customers_created_at", S, "created_at >= '0001'", "created_at >= '1970'"),
    Change("check", "customers", "ck_customers_score", S, "    constraint ck_customers_score check (score >= 0),", ""),
    Change("check", "order_lines", "ck_order_lines_line", P, "between 1 and 999", "between 1 and 99"),
    Change("check", "order_lines", "ck_order_lines_code", S, "    constraint ck_order_lines_line", "    constraint ck_order_lines_code check (code <> ''),\n    constraint ck_order_lines_line"),
    # indexes
    Change("index", "orders", "ix_orders_parent", P, "create index ix_orders_parent on orders (parent_id);", ""),
    Change("index", "orders", "ix_orders_parent", S, "create index ix_orders_parent on orders (parent_id);", ""),
    Change("index", "orders", "ix_orders_customer", P, "(customer_id, created_at desc)", "(customer_id, created_at)"),
    Change("index", "orders", "ix_orders_customer", S, "(customer_id, created_at desc)", "(created_at desc, customer_id)"),
    Change("index", "orders", "ix_orders_open", P, "(created_at) where status = 'open'", "(created_at) where status = 'paid'"),
    Change("index", "orders", "ix_orders_open", S, "(created_at) where status = 'open'", "(created_at)"),
    Change("index", "orders", "ix_orders_note", P, "(lower(note), id)", "(upper(note), id)"),
    Change("index", "orders", "ix_orders_note", S, "(lower(note), id)", "(note, id)"),
    Change("index", "orders", "ix_orders_parent", P, "orders (parent_id)", "orders (parent_id) include (price)"),
    Change("index", "orders", "ix_orders_parent", P, "orders (parent_id)", "orders using hash (parent_id)"),
    Change("index", "customers", "ix_customers_settings", P, "", "create index ix_customers_settings on customers using gin (settings);"),
    Change("index", "customers", "ix_customers_nick", S, "", "create index ix_customers_nick on customers (nick collate nocase);"),
    # what is generated
    Change("generated", "orders", "total", P, "quantity * price", "quantity + price"),
    Change("generated", "orders", "total", S, "quantity * price", "quantity * price * 2"),
    Change("generated", "orders", "total", S, "quantity * price", "quantity - price"),
    Change("generated", "orders", "total", P, "total bigint generated always as (quantity * price) stored", "total bigint"),
    Change("generated", "orders", "total", S, "total integer generated always as (quantity * price) stored", "total integer"),
    # triggers and views
    Change("trigger", "orders", "tr_orders_touch", P, "create trigger tr_orders_touch before update on orders for each row execute function touch();", ""),
    Change("trigger", "orders", "tr_orders_touch", S, "create trigger tr_orders_touch after update on orders begin select 1; end;", ""),
    Change("trigger", "customers", "tr_customers", S, "", "create trigger tr_customers after insert on customers begin select 1; end;"),
    Change("view", "open_orders", "open_orders", P, "create view open_orders as select orders.id from orders where orders.status = 'open';", ""),
    Change("view", "open_orders", "open_orders", S, "create view open_orders as select orders.id from orders where orders.status = 'open';", ""),
    Change("trigger", "orders", "tr_orders_touch", P, "before update on orders", "before insert on orders"),
    Change("trigger", "orders", "tr_orders_touch", P, "before update on orders", "before insert or update on orders"),
    Change("trigger", "orders", "tr_orders_touch", P, "before update on orders", "before update of note on orders"),
    Change("trigger", "orders", "tr_orders_touch", P, "begin new.created_at := now(); return new; end", "begin if new.note = old.note then return null; end if; return new; end"),
    Change("trigger", "orders", "tr_orders_touch", P, "before update on orders for each row", "after update on orders for each statement"),
    Change("trigger", "orders", "tr_orders_touch", P, "", "alter table orders disable trigger tr_orders_touch;"),
    Change("trigger", "orders", "tr_orders_touch", S, "after update on orders", "after delete on orders"),
    Change("trigger", "orders", "tr_orders_touch", S, "after update on orders", "before update on orders"),
    Change("trigger", "orders", "tr_orders_touch", S, "after update on orders", "update on orders"),
    Change("trigger", "orders", "tr_orders_touch", S, "after update on orders", "after update of note, price on orders"),
    Change("trigger", "open_orders", "tr_open_orders", S, "", "create trigger tr_open_orders instead of insert on open_orders begin select 1; end;"),
    Change("view", "open_orders", "open_orders", P, "as select orders.id from", "as select orders.id, orders.note from"),
    Change("view", "open_orders", "open_orders", P, "create view open_orders", "create materialized view open_orders"),
    Change("view", "open_orders", "open_orders", S, "as select orders.id from", "as select orders.id as order_id from"),
    Change("view", "open_orders", "open_orders", S, "as select orders.id from", "as select orders.id, orders.price from"),
    Change("view", "open_orders", "open_orders", S, "as select orders.id from orders where orders.status = 'open'", "as select gone.id from gone"),
    Change("view", "paid", "paid", P, "", "create materialized view paid as select id from orders where status = 'paid';"),
]  # fmt: skip

OWN_CHANGES = [
    # found between two databases of one engine; the other engine has no counterpart
    Change("trigger", "orders", "tr_orders_touch", P, "for each row execute", "for each row when (old.note is distinct from new.note) execute"),
    Change("trigger", "orders", "tr_orders_touch", P, "new.created_at := now()", "new.created_at := clock_timestamp()"),
    Change("trigger", "orders", "tr_orders_touch", S, "begin select 1; end", "begin select 2; end"),
    Change("trigger", "orders", "tr_orders_touch", S, "on orders begin", "on orders when new.note is not null begin"),
    Change("view", "open_orders", "open_orders", P, "where orders.status = 'open';", "where orders.status = 'paid';"),
    Change("view", "open_orders", "open_orders", S, "where orders.status = 'open';", "where orders.status = 'Open';"),
    Change("policy", "orders", "orders", P, "", "alter table orders enable row level security;"),
    Change("policy", "orders", "mine", P, "", "create policy mine on orders using (note = current_user);"),
    Change("grant", "orders", "public", P, "", "grant select on orders to public;"),
    Change("grant", "orders", "pg_monitor", P, "", "grant select (note), update (note) on orders to pg_monitor with grant option;"),
    Change("grant", "open_orders", "pg_monitor", P, "", "grant select on open_orders to pg_monitor;"),
    Change("comment", "orders", "orders", P, "", "comment on table orders is 'What was bought';"),
    Change("comment", "orders", "note", P, "", "comment on column orders.note is 'From the customer';"),
    Change("comment", "open_orders", "open_orders", P, "", "comment on view open_orders is 'To be sent';"),
]  # fmt: skip

RESPELLINGS = [
    # triggers and views
    Respelling("an after trigger", P, "before update on orders", "after update on orders", "the engines"),
    Respelling("each row understood", S, "after update on orders begin", "after update on orders for each row begin"),
    Respelling("capitals in a trigger", S, "after update on orders begin select 1; end", "AFTER UPDATE ON orders BEGIN\n  SELECT 1; -- nothing\nEND"),
    Respelling("line breaks in a view", S, "as select orders.id from orders", "as\nselect orders.id /* the key */\nfrom orders"),
    Respelling("the name of a view in quotes", S, "create view open_orders", 'create view "open_orders"'),
    # checks
    Respelling("in as any", P, "status in ('open', 'paid', 'sent')", "status = any (array['open', 'paid', 'sent'])"),
    Respelling("in as any of a literal", P, "status in ('open', 'paid', 'sent')", "status = any ('{sent,open,paid}')"),
    Respelling("in as or", S, "status in ('open', 'paid', 'sent')", "status = 'paid' or status = 'open' or 'sent' = status"),
    Respelling("in in another order", S, "status in ('open', 'paid', 'sent')", "status in ('sent', 'paid', 'open')"),
    Respelling("char_length", P, "length(note) < 200", "char_length(note) < 200"),
    Respelling("character_length", P, "length(note) < 200", "character_length(note) < 200"),
    Respelling("brackets", S, "check (quantity > 0)", "check (((quantity) > (0)))"),
    Respelling("whole numbers", S, "check (quantity > 0)", "check (quantity >= 1)"),
    Respelling("the literal first", P, "check (quantity > 0)", "check (0 < quantity)"),
    Respelling("negated", S, "check (quantity > 0)", "check (not quantity <= 0)"),
    Respelling("double negation", P, "check (quantity > 0)", "check (not (not (quantity > 0)))"),
    Respelling("between as comparisons", P, "line between 1 and 999", "line >= 1 and line <= 999"),
    Respelling("between turned round", S, "line between 1 and 999", "999 >= line and 1 <= line"),
    Respelling("not outside", S, "line between 1 and 999", "not (line < 1 or line > 999)"),
    Respelling("casts", P, "status in ('open', 'paid', 'sent')", "status::varchar in ('open'::varchar, 'paid', 'sent')"),
    Respelling("null said needlessly", S, "check (note is null or length(note) < 200)", "check (length(note) < 200)"),
    Respelling("null said last", P, "check (note is null or length(note) < 200)", "check (length(note) < 200 or note is null)"),
    Respelling("or in another order", S, "status <> 'paid' or price >= 0", "price >= 0 or status != 'paid'"),
    Respelling("implication", P, "status <> 'paid' or price >= 0", "not (status = 'paid' and price < 0)"),
    Respelling("and in another order", S, "length(email) between 3 and 320 and email like '%@%'", "email like '%@%' and length(email) between 3 and 320"),
    Respelling("like as a regular expression", P, "email like '%@%'", "email ~ '@'"),
    Respelling("like as glob", S, "email like '%@%'", "email glob '*@*'"),
    Respelling("and as two checks", S, "check (length(email) between 3 and 320 and email like '%@%')", "check (length(email) between 3 and 320), check (email like '%@%')"),
    Respelling("comments and line breaks", S, "check (score >= 0)", "check (\n  score /* never less */ >=\n 0 -- than this\n )"),
    Respelling("number as text", P, "check (score >= 0)", "check (score >= '0'::numeric)"),
    Respelling("decimals", P, "check (score >= 0)", "check (score >= 0.00)"),
    Respelling("json_type without json_valid", S, "json_valid(settings) and json_type(settings) = 'object'", "json_type(settings) = 'object'"),
    Respelling("json_valid = 1", S, "check (json_valid(tags))", "check (json_valid(tags) = 1)"),
    Respelling("0 and 1 as or", S, "active in (0, 1)", "active = 0 or active = 1"),
    Respelling("0 and 1 as a range", S, "active in (0, 1)", "active between 0 and 1"),
    Respelling("a check on the column", S, "quantity integer not null default 1", "quantity integer not null default 1 check (quantity > 0)"),
    Respelling("another time zone", P, "timestamptz '0001-01-01 00:00:00+00'", "timestamptz '0001-01-01 01:00:00+01'"),
    Respelling("a date's shape", S, "    constraint ck_customers_score", "    constraint ck_born check (born glob '????-??-??' and date(born) = born),\n    constraint ck_customers_score", "the engines"),
    Respelling("not null as a check", S, "customer_id integer not null", "customer_id integer check (customer_id is not null)"),
    Respelling("a quoted name", S, "check (quantity > 0)", 'check ("quantity" > 0)'),
    Respelling("names in capitals", S, "check (quantity > 0)", "CHECK (QUANTITY > 0)"),
    Respelling("a cast to compare", P, "check (quantity > 0)", "check (quantity::numeric > 0)"),
    # types
    Respelling("varchar without a length", P, 'note text collate "C"', 'note character varying collate "C"'),
    Respelling("POSIX sorts as C", P, 'note text collate "C"', 'note text collate "POSIX"'),
    Respelling("binary said", S, "    note text,", "    note text collate binary,"),
    Respelling("varchar in SQLite", S, "    note text,", "    note varchar,"),
    Respelling("float in SQLite", S, "balance real", "balance double precision"),
    Respelling("bigint in SQLite", S, "price integer not null", "price bigint not null"),
    Respelling("a domain", P, "create table order_lines (\n    order_id bigint not null,\n    line integer not null", "create domain line_number as integer not null check (value > 0);\ncreate table order_lines (\n    order_id bigint not null,\n    line line_number"),
    # defaults
    Respelling("current_timestamp", P, "    note text collate \"C\",\n    created_at timestamptz not null default now()", "    note text collate \"C\",\n    created_at timestamptz not null default current_timestamp"),
    Respelling("transaction_timestamp", P, "    note text collate \"C\",\n    created_at timestamptz not null default now()", "    note text collate \"C\",\n    created_at timestamptz not null default transaction_timestamp()"),
    Respelling("true in SQLite", S, "active integer not null default 1", "active integer not null default true"),
    Respelling("true as text", P, "default true", "default 't'"),
    Respelling("a number as text", P, "score numeric not null default 0", "score numeric not null default '0.00'"),
    Respelling("json with blanks", P, "settings jsonb not null default '{}'", "settings jsonb not null default '{ }'"),
    Respelling("an empty array", P, "default '{}',\n    favourite", "default array[]::text[],\n    favourite"),
    Respelling("brackets round a default", S, "status text not null default 'open'", "status text not null default ('open')"),
    Respelling("default null", S, "    born text,", "    born text default null,"),
    # who numbers the rows
    Respelling("serial", P, "create table orders (\n    id bigint generated by default as identity", "create table orders (\n    id bigserial"),
    # keys and indexes
    Respelling("a constraint as an index", P, "unique (order_id, code),\n    constraint ck_order_lines_line check (line between 1 and 999)\n);", "check (true),\n    constraint ck_order_lines_line check (line between 1 and 999)\n);\ncreate unique index uq_lines on order_lines (order_id, code);"),
    Respelling("a unique column", S, "    email text not null,", "    email text not null unique,"),
    Respelling("asc said", P, "(customer_id, created_at desc)", "(customer_id asc, created_at desc)"),
    Respelling("nulls as usual", P, "(customer_id, created_at desc)", "(customer_id nulls last, created_at desc nulls first)"),
    Respelling("the predicate in brackets", S, "where nick is not null", "where (not nick is null)"),
    Respelling("notnull", S, "where nick is not null", "where nick notnull"),
    Respelling("the predicate turned round", P, "(created_at) where status = 'open'", "(created_at) where 'open' = status"),
    Respelling("another name", S, "ix_orders_parent", "parents_of_orders"),
    Respelling("no action said", P, "fk_order_lines_order foreign key (order_id) references orders (id)", "fk_order_lines_order foreign key (order_id) references orders (id) on delete no action"),
    Respelling("initially immediate", S, "references customers (id) on delete cascade", "references customers (id) on delete cascade not deferrable initially immediate"),
    Respelling("the primary key understood", S, "references customers (id) on delete cascade", "references customers on delete cascade"),
    Respelling("nulls not distinct without nulls", P, "unique (order_id, code)", "unique nulls not distinct (order_id, code)"),
    # what is generated
    Respelling("factors in another order", S, "quantity * price", "price * quantity"),
    Respelling("casts of whole numbers", P, "quantity * price", "quantity::bigint * price"),
    Respelling("as without generated always", S, "generated always as (quantity * price)", "as ((quantity) * price)"),
]  # fmt: skip
