-- First key of every index, of partitions too: what a plan must narrow down for the index to find rows.
select
    c.relname::text,
    pg_get_indexdef(i.indexrelid, 1, true),
    m.amname::text,
    i.indpred is not null
from pg_index as i
inner join pg_class as c on i.indexrelid = c.oid
inner join pg_am as m on c.relam = m.oid
inner join pg_namespace as n on c.relnamespace = n.oid
where n.nspname not in ('pg_catalog', 'pg_toast');
