create table orders (
    id text not null,
    customer_id text not null,
    status text not null,
    total_cents integer not null,
    placed_at text not null default (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
    constraint pk_orders primary key (id),
    constraint fk_orders_customer_id foreign key (customer_id)
    references customers (id) on delete cascade,
    constraint ck_orders_status check (status in ('OPEN', 'PAID', 'SENT')),
    constraint ck_orders_total_cents check (total_cents >= 0)
) strict;

-- The orders of a customer, newest first; a deleted customer's orders are found by it too.
create index ix_orders_customer_id_placed_at
on orders (customer_id, placed_at desc, id desc);
