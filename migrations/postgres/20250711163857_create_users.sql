-- Who may come in. The e-mail is folded in Python before it is written; lower() knows ASCII only here, on
-- both databases alike, and guards the rows that are written by hand.
-- Timestamps end with the year 9999, which also keeps 'infinity' out: the client could not read it.
create table users (
    id text collate "C" not null,
    email text collate "C" not null,
    role text collate "C" not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint pk_users primary key (id),
    constraint ck_users_id check (length(id) between 1 and 255),
    constraint ck_users_email check (length(email) between 3 and 320 and email = lower(email)),
    constraint ck_users_role check (role in ('admin', 'user')),
    constraint ck_users_created_at check (
        created_at >= timestamptz '0001-01-01 00:00:00+00'
        and created_at < timestamptz '10000-01-01 00:00:00+00'
    ),
    constraint ck_users_updated_at check (
        updated_at >= timestamptz '0001-01-01 00:00:00+00'
        and updated_at < timestamptz '10000-01-01 00:00:00+00'
    )
);

-- One user for each address, in any case.
create unique index uq_users_email
on users (lower(email));

-- Whether there is an admin, and whether this is the last one.
create index ix_users_role
on users (role);
