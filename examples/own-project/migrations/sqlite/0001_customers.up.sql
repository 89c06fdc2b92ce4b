create table customers (
    id text not null,
    email text not null,
    created_at text not null default (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
    constraint pk_customers primary key (id),
    constraint ck_customers_email check (length(email) between 3 and 320)
) strict;

create unique index uq_customers_email
on customers (email);
