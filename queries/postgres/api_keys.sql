-- API keys. Order: write, read, list, use, delete. No model that people see includes the hash.

-- name: create_api_key^
-- param: id text
-- param: user_id text
-- param: name text?
-- param: hash bytes
-- param: prefix text
-- param: now timestamp
-- param: expires_at timestamp?
-- returns: ApiKey
-- Add a key.
insert into api_keys (
    id,
    user_id,
    name,
    hash,
    prefix,
    created_at,
    expires_at
)
values (
    :id,
    :user_id,
    :name,
    :hash,
    :prefix,
    :now,
    :expires_at
)
returning
    id,
    user_id,
    name,
    prefix,
    created_at,
    last_used,
    expires_at;

-- name: rotate_api_key^
-- param: id text
-- param: hash bytes
-- param: prefix text
-- param: now timestamp
-- returns: ApiKey
-- Replace a key's secret; no row for a key that has expired.
update api_keys
set
    hash = :hash,
    prefix = :prefix,
    created_at = :now,
    last_used = null
where
    id = :id
    and (expires_at is null or expires_at > :now)
returning
    id,
    user_id,
    name,
    prefix,
    created_at,
    last_used,
    expires_at;

-- name: get_api_key^
-- param: id text
-- returns: ApiKey
-- One key by its id.
select
    id,
    user_id,
    name,
    prefix,
    created_at,
    last_used,
    expires_at
from api_keys
where id = :id;

-- name: find_api_key^
-- param: hash bytes
-- returns: Credential
-- The key with this hash, and its user: all that authentication needs, in one lookup.
select
    api_key.id as key_id,
    api_key.hash,
    api_key.last_used,
    api_key.expires_at,
    owner.id,
    owner.email,
    owner.role,
    owner.created_at,
    owner.updated_at
from api_keys as api_key
inner join users as owner on api_key.user_id = owner.id
where api_key.hash = :hash;

-- name: list_api_keys
-- param: user_id text
-- param: after_created_at timestamp?
-- param: after_id text?
-- param: limit int
-- returns: ApiKey
-- One page of a user's keys, newest first.
select
    id,
    user_id,
    name,
    prefix,
    created_at,
    last_used,
    expires_at
from api_keys
where
    user_id = :user_id
    /* if :after_id */ and (created_at, id) < (:after_created_at, :after_id) /* end */
order by created_at desc, id desc
limit :limit;

-- name: touch_api_key!
-- param: id text
-- param: now timestamp
-- param: before timestamp
-- idempotent: sent again it finds the time written
-- Record that a key was used, at most once a minute and never backwards.
update api_keys
set last_used = :now
where
    id = :id
    and (last_used is null or last_used <= :before);

-- name: delete_api_key!
-- param: id text
-- Revoke a key.
delete from api_keys
where id = :id;
