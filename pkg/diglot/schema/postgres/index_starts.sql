-- First key of every index, of partitions too: what a plan must narrow down for the index to find rows.
select c.relname::text, pg_get_indexdef(i.indexrelid, 1, true), m.amname::text, i.indpred is not null
from pg_index as i
inner join pg_class as c on c.oid = i.indexrelid
inner join pg_am as m on m.oid = c.relam
inner join pg_namespace as n on n.oid = c.relnamespace
where n.nspname not in ('pg_catalog', 'pg_toast');
