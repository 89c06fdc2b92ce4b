-- Indexes of the schema that can't be used: a 'create index concurrently' has failed.
select i.relname::text
from pg_catalog.pg_index as x
join pg_catalog.pg_class as i on i.oid = x.indexrelid
where i.relnamespace = cast(current_schema() as regnamespace) and not x.indisvalid
order by i.relname;
