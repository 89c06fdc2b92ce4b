create table customers (
    id text collate "C" not null,
    email text collate "C" not null,
    created_at timestamptz not null default now(),
    constraint pk_customers primary key (id),
    constraint ck_customers_email check (length(email) between 3 and 320)
);

create unique index uq_customers_email
on customers (email);
