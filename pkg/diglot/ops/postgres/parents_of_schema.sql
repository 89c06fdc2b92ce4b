-- The tables of a schema that include rows of other tables: partitioned tables, and tables that others inherit from.
-- Parameter: schema_name.
select distinct c.relname::text
from pg_catalog.pg_class as c
inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
inner join pg_catalog.pg_inherits as i on c.oid = i.inhparent
where n.nspname = cast(:schema_name as text) and c.relkind in ('r', 'p', 'f')
order by c.relname::text;
