-- Domains: base type, not null, default.
select
    t.oid::bigint,
    t.typbasetype::bigint,
    format_type(t.typbasetype, t.typtypmod),
    b.typelem::bigint,
    t.typnotnull,
    pg_get_expr(t.typdefaultbin, 0)
from pg_catalog.pg_type as t
inner join pg_catalog.pg_type as b on t.typbasetype = b.oid
where t.typtype = 'd';
