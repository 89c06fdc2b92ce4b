-- CHECK constraints of domains.
select
    c.contypid::bigint,
    c.conname::text,
    pg_get_expr(c.conbin, 0)
from pg_catalog.pg_constraint as c
where c.contypid <> 0 and c.contype = 'c'
order by c.conname;
