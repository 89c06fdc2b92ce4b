-- The tables of a schema; those of extensions too, which would be moved with it.
-- Parameter: schema_name.
select c.relname::text
from pg_catalog.pg_class as c
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
where n.nspname = cast(:schema_name as text) and c.relkind in ('r', 'p', 'f')
order by c.relname;
