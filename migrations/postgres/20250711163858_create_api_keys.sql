-- API keys: the SHA-256 of the key, and its first 12 characters for people. The key itself is stored nowhere.
-- Timestamps end with the year 9999, which also keeps 'infinity' out: the client could not read it.
create table api_keys (
    id text collate "C" not null,
    user_id text collate "C" not null,
    name text collate "C",
    hash bytea not null,
    prefix text collate "C" not null,
    created_at timestamptz not null default now(),
    last_used timestamptz,
    expires_at timestamptz,
    constraint pk_api_keys primary key (id),
    constraint fk_api_keys_user_id foreign key (user_id)
    references users (id) on delete cascade,
    constraint ck_api_keys_id check (length(id) between 1 and 255),
    constraint ck_api_keys_user_id check (length(user_id) between 1 and 255),
    constraint ck_api_keys_name check (length(name) <= 255),
    constraint ck_api_keys_hash check (octet_length(hash) = 32),
    constraint ck_api_keys_prefix check (length(prefix) = 12),
    constraint ck_api_keys_created_at check (
        created_at >= timestamptz '0001-01-01 00:00:00+00'
        and created_at < timestamptz '10000-01-01 00:00:00+00'
    ),
    constraint ck_api_keys_last_used check (
        last_used >= timestamptz '0001-01-01 00:00:00+00'
        and last_used < timestamptz '10000-01-01 00:00:00+00'
    ),
    constraint ck_api_keys_expires_at check (
        expires_at >= timestamptz '0001-01-01 00:00:00+00'
        and expires_at < timestamptz '10000-01-01 00:00:00+00'
    )
);

-- Authentication is one look-up by the hash.
create unique index uq_api_keys_hash
on api_keys (hash);

-- People tell keys apart by their beginning, so no two may begin alike.
create unique index uq_api_keys_prefix
on api_keys (prefix);

-- The keys of a user, newest first; a deleted user's keys are found by it too.
create index ix_api_keys_user_id_created_at
on api_keys (user_id, created_at desc, id desc);
