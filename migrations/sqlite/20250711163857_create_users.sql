-- Who may come in. The e-mail is folded in Python before it is written; lower() knows ASCII only here, on
-- both databases alike, and guards the rows that are written by hand.
-- Timestamps are text of one width (2026-01-31T09:05:07.000123Z): the order of texts is the order in time.
-- '+0 days' makes every SQLite compute the date anew: else 3.40 lets February 30 pass, and all let 24:00.
create table users (
    id text not null,
    email text not null,
    role text not null,
    created_at text not null default (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
    updated_at text not null default (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
    constraint pk_users primary key (id),
    constraint ck_users_id check (length(id) between 1 and 255),
    constraint ck_users_email check (length(email) between 3 and 320 and email = lower(email)),
    constraint ck_users_role check (role in ('admin', 'user')),
    constraint ck_users_created_at check (
        created_at >= '0001'
        and created_at glob '????-??-??T??:??:??.[0-9][0-9][0-9][0-9][0-9][0-9]Z'
        and date(substr(created_at, 1, 19), '+0 days') is substr(created_at, 1, 10)
    ),
    constraint ck_users_updated_at check (
        updated_at >= '0001'
        and updated_at glob '????-??-??T??:??:??.[0-9][0-9][0-9][0-9][0-9][0-9]Z'
        and date(substr(updated_at, 1, 19), '+0 days') is substr(updated_at, 1, 10)
    )
) strict;

-- One user for each address, in any case.
create unique index uq_users_email
on users (lower(email));

-- Whether there is an admin, and whether this is the last one.
create index ix_users_role
on users (role);
