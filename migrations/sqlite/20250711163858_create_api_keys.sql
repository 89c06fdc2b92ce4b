-- API keys: the SHA-256 of the key, and its first 12 characters for people. The key itself is stored nowhere.
-- Timestamps are text of one width (2026-01-31T09:05:07.000123Z): the order of texts is the order in time.
-- '+0 days' makes every SQLite compute the date anew: else 3.40 lets February 30 pass, and all let 24:00.
create table api_keys (
    id text not null,
    user_id text not null,
    name text,
    hash blob not null,
    prefix text not null,
    created_at text not null default (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
    last_used text,
    expires_at text,
    constraint pk_api_keys primary key (id),
    constraint fk_api_keys_user_id foreign key (user_id)
    references users (id) on delete cascade,
    constraint ck_api_keys_id check (length(id) between 1 and 255),
    constraint ck_api_keys_user_id check (length(user_id) between 1 and 255),
    constraint ck_api_keys_name check (length(name) <= 255),
    constraint ck_api_keys_hash check (length(hash) = 32),
    constraint ck_api_keys_prefix check (length(prefix) = 12),
    constraint ck_api_keys_created_at check (
        created_at >= '0001'
        and created_at glob '????-??-??T??:??:??.[0-9][0-9][0-9][0-9][0-9][0-9]Z'
        and date(substr(created_at, 1, 19), '+0 days') is substr(created_at, 1, 10)
    ),
    constraint ck_api_keys_last_used check (
        last_used >= '0001'
        and last_used glob '????-??-??T??:??:??.[0-9][0-9][0-9][0-9][0-9][0-9]Z'
        and date(substr(last_used, 1, 19), '+0 days') is substr(last_used, 1, 10)
    ),
    constraint ck_api_keys_expires_at check (
        expires_at >= '0001'
        and expires_at glob '????-??-??T??:??:??.[0-9][0-9][0-9][0-9][0-9][0-9]Z'
        and date(substr(expires_at, 1, 19), '+0 days') is substr(expires_at, 1, 10)
    )
) strict;

-- Authentication is one look-up by the hash.
create unique index uq_api_keys_hash
on api_keys (hash);

-- People tell keys apart by their beginning, so no two may begin alike.
create unique index uq_api_keys_prefix
on api_keys (prefix);

-- The keys of a user, newest first; a deleted user's keys are found by it too.
create index ix_api_keys_user_id_created_at
on api_keys (user_id, created_at desc, id desc);
