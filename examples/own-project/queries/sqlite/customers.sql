-- name: customer_by_email^
-- param: email text
-- returns: Customer
-- The customer with this address.
select
    id,
    email,
    created_at
from customers
where email = :email;

-- name: delete_customer!
-- param: id text
-- Delete a customer; the orders go too.
delete from customers
where id = :id;
