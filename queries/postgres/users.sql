-- Users. Order: write, read, list, the rules about admins, delete.

-- name: create_user^
-- param: id text
-- param: email text
-- param: role text
-- param: now timestamp
-- returns: User
-- Add a user; the caller normalises the e-mail address.
insert into users (
    id,
    email,
    role,
    created_at,
    updated_at
)
values (
    :id,
    :email,
    :role,
    :now,
    :now
)
returning
    id,
    email,
    role,
    created_at,
    updated_at;

-- name: update_user^
-- param: id text
-- param: email text?
-- param: role text?
-- param: now timestamp
-- returns: User
-- Change what is given.
update users
set
    /* if :email */ email = :email, /* end */
    /* if :role */ role = :role, /* end */
    updated_at = :now
where id = :id
returning
    id,
    email,
    role,
    created_at,
    updated_at;

-- name: get_user^
-- param: id text
-- returns: User
-- One user by id.
select
    id,
    email,
    role,
    created_at,
    updated_at
from users
where id = :id;

-- name: get_user_by_email^
-- param: email text
-- returns: User
-- One user by e-mail address, which the caller normalises: lower() is only there to use the index.
select
    id,
    email,
    role,
    created_at,
    updated_at
from users
where lower(email) = :email;

-- name: list_users
-- param: after_created_at timestamp?
-- param: after_id text?
-- param: limit int
-- returns: User
-- One page of users, newest first.
select
    id,
    email,
    role,
    created_at,
    updated_at
from users
where
    1 = 1
    /* if :after_id */ and (created_at, id) < (:after_created_at, :after_id) /* end */
order by created_at desc, id desc
limit :limit;

-- name: lock_bootstrap$
-- returns: text
-- differs: an advisory lock, because there is no row to lock yet
-- Make every other caller that creates the first admin wait until this transaction ends.
select cast(pg_advisory_xact_lock(7234015962041) as text) as locked;

-- name: admin_exists$
-- returns: bool
-- Whether there is an admin.
select count(*) > 0 as found
from users
where role = 'admin';

-- name: lock_admins
-- returns: text
-- differs: row locks
-- The ids of all admins; nobody else can change them until the transaction ends.
select id
from users
where role = 'admin'
order by id
for update;

-- name: delete_user!
-- param: id text
-- Delete a user and the user's keys.
delete from users
where id = :id;
