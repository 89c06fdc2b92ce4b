-- name: place_order!
-- param: id text
-- param: customer_id text
-- param: total_cents int
-- param: note text?
-- Place an order.
insert into orders (id, customer_id, status, total_cents, note)
values (:id, :customer_id, 'OPEN', :total_cents, :note);

-- name: list_orders
-- param: customer_id text
-- param: status text?
-- param: after_placed_at timestamp?
-- param: after_id text?
-- param: limit int
-- returns: Order
-- One page of a customer's orders, newest first.
select
    id,
    customer_id,
    status,
    total_cents,
    placed_at,
    note
from orders
where
    customer_id = :customer_id
    /* if :status */ and status = :status /* end */
    /* if :after_id */ and (placed_at, id) < (:after_placed_at, :after_id) /* end */
order by placed_at desc, id desc
limit :limit;

-- name: revenue^
-- returns: Revenue
-- plan: scan because it is asked for once a month, and every order counts
-- Orders that were paid, and what they came to.
select
    count(*) as orders,
    coalesce(sum(total_cents), 0) as total_cents
from orders
where status <> 'OPEN';
