-- Domains: base type, not null, default.
select
    t.oid::bigint, t.typbasetype::bigint, format_type(t.typbasetype, t.typtypmod), b.typelem::bigint,
    t.typnotnull, pg_get_expr(t.typdefaultbin, 0)
from pg_catalog.pg_type t
join pg_catalog.pg_type b on b.oid = t.typbasetype
where t.typtype = 'd';
