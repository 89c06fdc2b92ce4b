create table orders (
    id text collate "C" not null,
    customer_id text collate "C" not null,
    status text collate "C" not null,
    total_cents bigint not null,
    placed_at timestamptz not null default now(),
    constraint pk_orders primary key (id),
    constraint fk_orders_customer_id foreign key (customer_id)
    references customers (id) on delete cascade,
    constraint ck_orders_status check (status in ('OPEN', 'PAID', 'SENT')),
    constraint ck_orders_total_cents check (total_cents >= 0)
);

-- The orders of a customer, newest first; a deleted customer's orders are found by it too.
create index ix_orders_customer_id_placed_at
on orders (customer_id, placed_at desc, id desc);
