-- The extensions whose objects are in a schema.
-- Parameter: schema_name.
select e.extname::text
from pg_catalog.pg_extension as e
join pg_catalog.pg_namespace as n on n.oid = e.extnamespace
where n.nspname = cast(:schema_name as text)
order by e.extname;
